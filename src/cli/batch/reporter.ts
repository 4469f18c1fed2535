/** What a run over a long list prints: how far it is, how fast, how long it will take; and what could not be done. */
import type { JobEvent, Outcome } from '../../jobs/job.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { type Io, printJson, say } from '../io.ts';
import { duration, progressLine } from '../progress.ts';
import type { ListFlags } from './flags.ts';

/** Pictures that could not be done of which each is named; the others are counted. */
const NAMED_FAILURES = 20;

interface AnyRecord {
  readonly name: string;
  readonly path: string;
  readonly message?: string;
}

/** For one run; `now` gives milliseconds. */
export function batchReporter<R extends AnyRecord>(
  io: Io,
  { quiet = false, json, out }: Pick<ListFlags, 'quiet' | 'json' | 'out'>,
  inWordsOfFlags: (message: string) => string = (message) => message,
  now: () => number = () => performance.now(),
) {
  const progress = progressLine(io, quiet, now);
  const counts = { computed: 0, kept: 0, failed: 0 };
  const started = now();
  let began = started;
  const tell = (line: string) => {
    progress.clear();
    say(io, line);
  };
  const rate = () => counts.computed / Math.max(0.001, (now() - began) / 1000);
  const failed = ({ name, path, message = 'it could not be done.' }: AnyRecord) => {
    counts.failed++;
    const sentence = message.includes(path) || message.includes(name) ? message : `${name}: ${message}`;
    if (counts.failed <= NAMED_FAILURES) tell(`error: ${inWordsOfFlags(sentence)}`);
    if (counts.failed === NAMED_FAILURES) tell(`Further pictures that fail are named in ${out}/manifest.json only.`);
  };
  return {
    event(event: JobEvent<R>, notes: readonly string[] = []) {
      if (event.kind === 'begin') {
        began = now();
        if (!quiet) for (const note of notes) tell(`note: ${note}`);
      } else if (event.kind === 'warning') tell(`warning: ${event.message}`);
      else if (event.kind === 'progress') {
        const bad = counts.failed > 0 ? `, ${counts.failed} failed` : '';
        // What an earlier run did says nothing of how long the rest takes.
        progress.show(event.done - counts.kept, event.total - counts.kept, `${speed(rate())}${bad}  ${event.what}`);
      } else if (event.kind === 'record') {
        if (event.kept) counts.kept++;
        else counts.computed++;
        if (event.entry.status === 'failed') failed(event.entry.record);
      }
    },
    clear: () => progress.clear(),
    /** The last line, and the exit code. */
    conclude(verb: string, { done, kept, failed, interrupted }: Outcome): ExitCode {
      const seconds = (now() - started) / 1000;
      if (json) printJson(io, { done, kept, failed, interrupted, seconds, perSecond: rate(), out });
      if (interrupted) {
        say(io, `Interrupted; ${done} done. Run the same command with --resume to continue.`);
        return EXIT.interrupted;
      }
      const before = kept > 0 ? `, ${kept} of them before` : '';
      const pace = counts.computed > 0 ? ` in ${duration(seconds)} (${speed(rate())})` : '';
      if (!quiet) say(io, `${done} of ${done + failed} ${verb} into ${out}${before}${pace}`);
      if (failed === 0) return EXIT.done;
      return done > 0 ? EXIT.partly : EXIT.unusable;
    },
  };
}

function speed(perSecond: number): string {
  return perSecond >= 1 ? `${perSecond.toPrecision(3)} pictures/s` : `${(60 * perSecond).toPrecision(3)} pictures/min`;
}
