/**
 * What a command may touch beside its files: two streams, a way to be interrupted. Tests give their own. Everything that people read
 * passes through `say` and `print`, where names of files, metadata of models and messages are made harmless.
 */
import { escapeControls } from '../errors.ts';
import { jsonLine, jsonText } from '../jobs/document.ts';

export interface Io {
  /** To stdout, as it is: use `print`, `printJson` and `printJsonLine`. */
  readonly out: (text: string) => void;
  /** To stderr, as it is: use `say`. */
  readonly err: (text: string) => void;
  /** Is stderr a terminal? Then progress is drawn on one line that is rewritten. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** Characters per line of the terminal; undefined where there is none. */
  readonly columns?: number;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Compute in a thread of its own, so that Ctrl-C and progress are answered at once. */
  readonly worker: boolean;
}

/** A line on stderr, its control characters escaped. */
export function say(io: Io, line: string): void {
  io.err(`${escapeControls(line)}\n`);
}

/** A line on stdout, its control characters escaped. */
export function print(io: Io, line: string): void {
  io.out(`${escapeControls(line)}\n`);
}

/** A JSON document on stdout. */
export function printJson(io: Io, value: unknown): void {
  io.out(jsonText(value));
}

/** A JSON document that is already written, as text of `jsonText` or `jsonDocument`. */
export function printWritten(io: Io, json: string): void {
  io.out(json);
}

/** One of many JSON documents on stdout, on a line of its own. */
export function printJsonLine(io: Io, value: unknown): void {
  io.out(jsonLine(value));
}
