/** What a command may touch beside its files: two streams, a way to be interrupted. Tests give their own. */
import { jsonText } from '../jobs/document.ts';

export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Is stderr a terminal? Then progress is drawn on one line that is rewritten. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Compute in a thread of its own, so that Ctrl-C and progress are answered at once. */
  readonly worker: boolean;
}

/** A line on stderr. */
export function say(io: Io, line: string): void {
  io.err(`${line}\n`);
}

/** A JSON document on stdout. */
export function printJson(io: Io, value: unknown): void {
  io.out(jsonText(value));
}
