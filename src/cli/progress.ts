/**
 * How much is done and how long the rest will take: on a terminal one line of stderr that is rewritten; where stderr is redirected,
 * a line of its own now and then.
 */
import { escapeControls } from '../errors.ts';
import { type Io, say } from './io.ts';

const INTERVAL_MS = 100;

/** Lines of a log: rarely enough that a run of hours stays readable. */
const LOG_INTERVAL_MS = 30_000;

export interface ProgressLine {
  /** `done` of `total`, in any unit, and what is under way. */
  show(done: number, total: number, what: string): void;
  /** Removes the line, so that something else can be said. */
  clear(): void;
}

export function progressLine(io: Io, quiet: boolean, now: () => number = () => performance.now()): ProgressLine {
  const started = now();
  // A log begins with what is said of the run itself; a short run needs no line in it.
  let last = io.terminal ? Number.NEGATIVE_INFINITY : started;
  let shown = false;
  if (quiet) return { show: () => {}, clear: () => {} };
  return {
    show(done, total, what) {
      const time = now();
      if (time - last < (io.terminal ? INTERVAL_MS : LOG_INTERVAL_MS)) return;
      last = time;
      shown = io.terminal;
      const share = total > 0 ? done / total : 0;
      const seconds = (time - started) / 1000;
      // The first steps say little: what comes before them is done once.
      const known = share >= 0.02 || (share >= 0.005 && seconds > 5);
      const left = known ? `  ${duration(seconds * (1 / share - 1))} left` : '';
      const line = `${String(Math.floor(100 * share)).padStart(3)}%${left}  ${what}`;
      if (io.terminal) io.err(`\r\u001b[K${escapeControls(line)}`);
      else say(io, line.trimStart());
    },
    clear() {
      if (shown) io.err('\r\u001b[K');
      if (io.terminal) last = Number.NEGATIVE_INFINITY;
      shown = false;
    },
  };
}

/** Seconds as "12 s", "3:04" or "1:02:03". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
