/**
 * Errors as data: every failure a user can cause has a `code`, the place it happened, and a sentence that says what was
 * wrong and what to do. The library throws; only the command line prints.
 */

/** What kind of failure; the command line maps it to an exit code. */
export type ErrorCode =
  | 'usage' // an option or a combination of options that cannot be
  | 'input' // a picture, mask or array that cannot be used
  | 'model' // an ONNX file that cannot be read or is not what was asked for
  | 'unsupported-operator' // no derivative (or no lowering) for an operator on a differentiated path
  | 'device' // a device that is not available
  | 'runtime' // ONNX Runtime refused or failed
  | 'check'; // a check ran and failed (gradcheck, doctor)

/** Where it happened, as far as that is known. */
export interface ErrorLocation {
  /** The file that was read or written. */
  readonly file?: string;
  /** Name of the ONNX node. */
  readonly node?: string;
  /** The node's operator, for instance 'Conv'. */
  readonly operator?: string;
  /** Name of the ONNX value. */
  readonly tensor?: string;
}

/** Why a file cannot be used. */
export type FileReason =
  | 'missing' // there is no such file or folder
  | 'denied' // it may not be read or written
  | 'folder' // a folder where a file is needed
  | 'not-a-folder' // a file where a folder is needed
  | 'not-regular' // a device, a pipe or a socket
  | 'empty' // no bytes, or a folder without pictures
  | 'too-large' // more bytes, pixels or values than are read
  | 'format' // of another format, or of a form of it that is not read
  | 'damaged' // cut short, or its content contradicts its header
  | 'values' // values that cannot be used: not finite, out of range, of another type
  | 'unreadable'; // any other error of the system

/**
 * What was wrong as data, so that a page or a service can show the sentence at the field it belongs to. A field that is not
 * known is absent. Values are those that the user gave, not normalised.
 */
export type ErrorDetails =
  /** An option that is unknown, missing, given without effect, or has a wrong value; `option` is its name as it was written. */
  | {
      readonly kind: 'option';
      readonly option: string;
      readonly problem: 'unknown' | 'missing' | 'value' | 'conflict' | 'unused';
      readonly received?: string | number | boolean;
      readonly allowed?: readonly string[];
      readonly nearest?: string;
    }
  /** A command that does not exist. */
  | {
      readonly kind: 'command';
      readonly received: string;
      readonly allowed: readonly string[];
      readonly nearest?: string;
    }
  /** A name that a model, a policy or a method does not have; `of` says what was named, for instance 'weight'. */
  | { readonly kind: 'name'; readonly of: string; readonly received: string; readonly allowed?: readonly string[] }
  /** Sizes of a tensor, a picture or a mask; a string stands for an axis of any size. */
  | {
      readonly kind: 'shape';
      readonly of: string;
      readonly expected: readonly (number | string)[];
      readonly received: readonly (number | string)[];
    }
  /** A file, or what should be one. */
  /** As it was given. */
  /** What is wrong with it. */
  | { readonly kind: 'file'; readonly path: string; readonly reason: FileReason }
  /** An operator of a model that is not read, not run, or has no derivative; `node` is the node's name. */
  | { readonly kind: 'operator'; readonly op: string; readonly node?: string };

/** The options of `Error`, and the details; without them, the operator of the location, or those of a `cause` that is an `RgiError`. */
export interface RgiErrorOptions extends ErrorOptions {
  /** What was wrong, as data for a program. */
  readonly details?: ErrorDetails;
}

/** Every failure that a user can cause. `message` is one sentence: what was wrong, where, and what to do next. */
export class RgiError extends Error {
  /** The kind of failure. */
  readonly code: ErrorCode;
  /** Where it happened; empty where there is no such place. */
  readonly location: ErrorLocation;
  /** What was wrong, as data for a program; absent where no kind fits. */
  readonly details?: ErrorDetails;

  constructor(code: ErrorCode, message: string, location: ErrorLocation = {}, options: RgiErrorOptions = {}) {
    super(message, options);
    this.name = 'RgiError';
    this.code = code;
    this.location = location;
    const details = options.details ?? operatorAt(location) ?? detailsOf(options.cause);
    if (details) this.details = details;
  }
}

/** A location that names an operator is detail enough. */
function operatorAt({ operator, node }: ErrorLocation): ErrorDetails | undefined {
  return operator === undefined ? undefined : { kind: 'operator', op: operator, ...(node ? { node } : {}) };
}

function detailsOf(cause: unknown): ErrorDetails | undefined {
  return cause instanceof RgiError ? cause.details : undefined;
}

/** A `usage` error of a name that something does not have; `of` says what was named, for instance 'weight'. */
export function nameError(sentence: string, of: string, received: string, allowed?: readonly string[]): RgiError {
  return new RgiError(
    'usage',
    sentence,
    {},
    { details: { kind: 'name', of, received, ...(allowed ? { allowed } : {}) } },
  );
}

/** An `input` error of one file: its name begins the sentence. */
export function fileError(path: string, reason: FileReason, sentence: string, cause?: unknown): RgiError {
  return new RgiError(
    'input',
    sentence,
    { file: path },
    { details: { kind: 'file', path, reason }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** A `usage` error of one option of a method or a command. */
export function optionError(
  sentence: string,
  details: Omit<Extract<ErrorDetails, { kind: 'option' }>, 'kind'>,
): RgiError {
  return new RgiError('usage', sentence, {}, { details: { kind: 'option', ...details } });
}

/** The message of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

/**
 * The text with every character that could steer a terminal or hide its order shown as an escape: controls (ESC, CR, C1), line
 * separators, bidirectional controls, zero-width characters, and surrogates that stand alone. What is left is one line.
 */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
