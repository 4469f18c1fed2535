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
  | 'device' // a device that cannot be had
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

/** Every failure that a user can cause. `message` is one sentence: what was wrong, where, and what to do next. */
export class RgiError extends Error {
  /** The kind of failure. */
  readonly code: ErrorCode;
  /** Where it happened; empty where there is no such place. */
  readonly location: ErrorLocation;

  constructor(code: ErrorCode, message: string, location: ErrorLocation = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RgiError';
    this.code = code;
    this.location = location;
  }
}

/** The message of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}
