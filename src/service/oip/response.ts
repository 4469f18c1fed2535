/** Tensors to an answer of the Open Inference Protocol v2: JSON, or JSON with bytes after it. */
import type { Tensor } from '../../onnx/tensor.ts';
import { datatypeOf } from './datatypes.ts';
import { bad, type InferRequest } from './request.ts';

export interface InferResponse {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Length of the JSON, where bytes follow it. */
  readonly headerLength?: number;
}

/** More values are given as bytes only: their JSON would be ten times as large. */
const MAX_JSON_VALUES = 4_000_000;

/** The wanted of `outputs`. Throws `usage` where one is not there. */
export function writeInferResponse(
  model: string,
  request: Pick<InferRequest, 'id' | 'outputs' | 'binary'>,
  outputs: ReadonlyMap<string, Tensor>,
): InferResponse {
  const wanted = request.outputs ?? [...outputs.keys()].map((name) => ({ name, binary: request.binary }));
  const blobs: Uint8Array[] = [];
  const described = wanted.map(({ name, binary }) => {
    const tensor = outputs.get(name);
    if (!tensor) {
      throw bad(`The model has no output '${name.slice(0, 100)}'; it has ${[...outputs.keys()].join(', ')}.`);
    }
    const { type, dims, data } = tensor;
    const head = { name, shape: dims, datatype: datatypeOf(type) };
    if (!binary) {
      if (data.length > MAX_JSON_VALUES) {
        throw bad(
          `The output '${name}' has ${data.length} values, too many for JSON; ask for it with the parameter binary_data.`,
        );
      }
      return { ...head, data: jsonValues(tensor) };
    }
    blobs.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return { ...head, parameters: { binary_data_size: data.byteLength } };
  });
  const { id } = request;
  const json = JSON.stringify({
    model_name: model,
    model_version: '1',
    ...(id === undefined ? {} : { id }),
    outputs: described,
  });
  const head = new TextEncoder().encode(json);
  const body = new Uint8Array(blobs.reduce((sum, { length }) => sum + length, head.length));
  body.set(head);
  let at = head.length;
  for (const blob of blobs) {
    body.set(blob, at);
    at += blob.length;
  }
  return { body, ...(blobs.length > 0 ? { headerLength: head.length } : {}) };
}

function jsonValues({ type, data }: Tensor): unknown[] {
  if (type === 'bool') return Array.from(data as Uint8Array, Boolean);
  return Array.from(data as Float32Array, Number);
}
