/** One line on stderr that is rewritten: how much is done and how long the rest will take. Nothing where there is no terminal. */
import type { Io } from './io.ts';

const INTERVAL_MS = 100;

export interface ProgressLine {
  /** `done` of `total`, in any unit, and what is under way. */
  show(done: number, total: number, what: string): void;
  /** Removes the line, so that something else can be said. */
  clear(): void;
}

export function progressLine(io: Io, quiet: boolean, now: () => number = () => performance.now()): ProgressLine {
  const started = now();
  let last = Number.NEGATIVE_INFINITY;
  let shown = false;
  if (!io.terminal || quiet) return { show: () => {}, clear: () => {} };
  return {
    show(done, total, what) {
      const time = now();
      if (time - last < INTERVAL_MS) return;
      last = time;
      shown = true;
      const share = total > 0 ? done / total : 0;
      const seconds = (time - started) / 1000;
      // The first steps say little: what comes before them is done once.
      const known = share >= 0.02 || (share >= 0.005 && seconds > 5);
      const left = known ? `  ${duration(seconds * (1 / share - 1))} left` : '';
      io.err(`\r\u001b[K${String(Math.floor(100 * share)).padStart(3)}%${left}  ${what}`);
    },
    clear() {
      if (shown) io.err('\r\u001b[K');
      shown = false;
      last = Number.NEGATIVE_INFINITY;
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
