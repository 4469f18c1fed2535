/**
 * A request of the Open Inference Protocol v2 to tensors: JSON, flat or nested, and the binary tensor data extension (the JSON first, as long
 * as the header Inference-Header-Content-Length says, then the bytes of each tensor, little endian).
 */
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { type ElementType, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { DATATYPES, elementTypeOf } from './datatypes.ts';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const requestSchema = z.looseObject({
  id: z.string().max(1000).optional(),
  parameters: parameters.optional(),
  inputs: z.array(
    z.looseObject({
      name: z.string(),
      shape: z.array(z.number().int().min(0)).max(16),
      datatype: z.string(),
      parameters: parameters.optional(),
      // Checked number by number while it is copied: a schema would take its time for millions of them.
      data: z.unknown().optional(),
    }),
  ),
  outputs: z.array(z.looseObject({ name: z.string(), parameters: parameters.optional() })).optional(),
});

export interface InferRequest {
  readonly id?: string;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Names of the outputs that are wanted, and whether as bytes; absent: all. */
  readonly outputs?: readonly { readonly name: string; readonly binary: boolean }[];
  /** Are outputs bytes where nothing else is said of them? */
  readonly binary: boolean;
}

/** Throws `usage` where the request is none, with a sentence. */
export function parseInferRequest(body: Uint8Array, headerLength: number | undefined): InferRequest {
  const split = headerLength ?? body.length;
  if (split > body.length) {
    throw bad(`Inference-Header-Content-Length is ${split}; the body has ${body.length} bytes.`);
  }
  const parsed = requestSchema.safeParse(jsonOf(body.subarray(0, split)));
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw bad(`The request's ${path.join('.') || 'body'}: ${message}.`);
  }
  const { id, inputs, outputs } = parsed.data;
  const byName = new Map<string, Tensor>();
  let at = split;
  for (const input of inputs) {
    const { name, shape } = input;
    if (byName.has(name)) throw bad(`The input '${name}' is given twice.`);
    const type = elementTypeOf(input.datatype);
    if (!type) throw bad(`The input '${name}' is ${input.datatype}; ${DATATYPES.join(', ')} are read.`);
    const bytes = input.parameters?.binary_data_size;
    if (bytes === undefined) {
      byName.set(name, fromJson(name, type, shape, input.data));
      continue;
    }
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0 || at + bytes > body.length) {
      throw bad(`The input '${name}' has binary_data_size ${bytes}; ${body.length - at} bytes are left of the body.`);
    }
    byName.set(name, fromBytes(name, type, shape, body.subarray(at, at + bytes)));
    at += bytes;
  }
  if (at !== body.length) throw bad(`The body has ${body.length - at} bytes more than its inputs.`);
  const given = parsed.data.parameters ?? {};
  const binary = given.binary_data_output === true;
  return {
    ...(id === undefined ? {} : { id }),
    parameters: given,
    inputs: byName,
    ...(outputs?.length
      ? {
          outputs: outputs.map(({ name, parameters: own }) => ({
            name,
            binary: own?.binary_data === undefined ? binary : own.binary_data === true,
          })),
        }
      : {}),
    binary,
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad(`The body is no JSON (${messageOf(error).slice(0, 200)}).`);
  }
}

function fromBytes(name: string, type: ElementType, shape: readonly number[], bytes: Uint8Array): Tensor {
  const tensor = sized(name, type, shape, bytes.length);
  if (tensor.data.byteLength !== bytes.length) {
    throw bad(
      `The input '${name}' has ${bytes.length} bytes; [${shape.join(', ')}] of its datatype has ${tensor.data.byteLength}.`,
    );
  }
  new Uint8Array(tensor.data.buffer).set(bytes);
  return tensor;
}

/** A tensor of zeros that has no more elements than what was sent could fill. */
function sized(name: string, type: ElementType, shape: readonly number[], most: number): Tensor {
  if (sizeOf(shape) > most)
    throw bad(`The input '${name}' has fewer values than its shape [${shape.join(', ')}] needs.`);
  return zeros(type, shape);
}

/** Values in one list, or in lists of lists as its shape says. Not recursive: the depth is the sender's. */
function fromJson(name: string, type: ElementType, shape: readonly number[], data: unknown): Tensor {
  if (!Array.isArray(data)) throw bad(`The input '${name}' has no data: give a list of its values.`);
  let values: unknown[] = data;
  for (let axis = 1; axis < shape.length && values.length > 0 && values.every(Array.isArray); axis++) {
    values = values.flat(1);
  }
  const tensor = sized(name, type, shape, values.length);
  if (values.length !== tensor.data.length) {
    throw bad(
      `The input '${name}' has ${values.length} values; its shape [${shape.join(', ')}] needs ${tensor.data.length}.`,
    );
  }
  fill(name, tensor, values);
  return tensor;
}

function fill(name: string, { type, data }: Tensor, values: readonly unknown[]): void {
  const wrong = (i: number) =>
    bad(`The input '${name}' holds ${JSON.stringify(values[i])?.slice(0, 40)} at position ${i}; it is no ${type}.`);
  if (type === 'float16') throw bad(`The input '${name}' is FP16, which JSON cannot hold; send its bytes, or FP32.`);
  const large = type === 'int64' || type === 'uint64';
  for (let i = 0; i < values.length; i++) {
    const value = type === 'bool' && typeof values[i] === 'boolean' ? Number(values[i]) : values[i];
    if (typeof value !== 'number') throw wrong(i);
    if (large && !Number.isSafeInteger(value)) throw wrong(i);
    (data as unknown as Record<number, number | bigint>)[i] = large ? BigInt(value) : value;
    // A number that the type does not hold comes back as another one.
    if (!type.startsWith('float') && Number(data[i]) !== value) throw wrong(i);
  }
}

/** A `usage` error. */
export function bad(sentence: string): RgiError {
  return new RgiError('usage', sentence);
}
