/** What a command may touch beside its files: two streams, a way to be interrupted. Tests give their own. */

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

/** Indented JSON, lists of numbers on one line each. Strings hold no raw newlines, so only lists can match. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/\[\n(?:[-\d.eE+,\s]|null)*\]/g, (numbers) => numbers.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'))}\n`;
}
