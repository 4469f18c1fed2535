/** What the caller's thread and the runtime's thread say to each other. Handles are numbers given by the worker. */
import { type ErrorCode, type ErrorDetails, type ErrorLocation, messageOf, RgiError } from '../../errors.ts';
import type { EncodedModel } from '../../onnx/encode.ts';
import type { DeclaredType } from '../../onnx/graph.ts';
import type { Device, SessionOptions, Tensors } from '../runtime.ts';

export interface WorkerSettings {
  /** It is not tried beforehand: `createRuntime` does that. */
  readonly device: Device;
  /** Threads within an operator, from 1 on; ONNX Runtime's default (the physical cores) if not given. */
  readonly threads?: number;
}

/** Each call's arguments and result. */
export interface Calls {
  session: { args: { model: EncodedModel; options: SessionOptions }; result: number };
  run: { args: { handle: number; feeds: Tensors; wanted?: readonly string[] }; result: Tensors };
  outputs: { args: { handle: number }; result: ReadonlyMap<string, DeclaredType> };
  loop: { args: { model: EncodedModel; state: Tensors; fixed: Tensors; options: SessionOptions }; result: number };
  step: { args: { handle: number; feeds: Tensors }; result: Tensors };
  read: { args: { handle: number; names?: readonly string[] }; result: Tensors };
  write: { args: { handle: number; state: Tensors }; result: undefined };
  fix: { args: { handle: number; fixed: Tensors }; result: undefined };
  release: { args: { handle: number }; result: undefined };
  close: { args: Record<string, never>; result: undefined };
}

export type CallName = keyof Calls;

export type Request = { [K in CallName]: { id: number; call: K; args: Calls[K]['args'] } }[CallName];

export type Reply = { id: number; result: unknown } | { id: number; error: SentError };

export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly location: ErrorLocation;
  readonly details?: ErrorDetails;
}

export function sendError(error: unknown): SentError {
  if (error instanceof RgiError)
    return { code: error.code, message: error.message, location: error.location, details: error.details };
  return { code: 'runtime', message: messageOf(error), location: {} };
}

export function receiveError(error: SentError): RgiError {
  return new RgiError(error.code, error.message, error.location, { details: error.details });
}

/** The arrays of `tensors` that may be moved instead of copied: each buffer once, and only if it is all theirs. */
export function buffersOf(tensors: Tensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors.values()) {
    const { buffer } = data;
    if (buffer instanceof ArrayBuffer && buffer.byteLength === data.byteLength) buffers.add(buffer);
  }
  return [...buffers];
}
