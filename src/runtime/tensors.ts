/** Tensors to and from ONNX Runtime's, and the check of what is given against what a session declares. */
import type * as Ort from 'onnxruntime-common';
import { RgiError } from '../errors.ts';
import type { EncodedModel } from '../onnx/encode.ts';
import type { DeclaredType } from '../onnx/graph.ts';
import { type ElementType, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import type { Tensors } from './runtime.ts';

export type { Ort };

export type OrtTensors = Record<string, Ort.Tensor>;

/** The class of tensors of the package that a session is of. */
export type OrtTensorClass = typeof Ort.Tensor;

/** What a session says of one of its inputs or outputs. */
export type Declared = ReadonlyMap<string, Ort.InferenceSession.ValueMetadata>;

export function declared(values: readonly Ort.InferenceSession.ValueMetadata[]): Declared {
  return new Map(values.map((value) => [value.name, value]));
}

/** onnxruntime-web reads a size that is open, -1, as a number without a sign. */
const OPEN = 2 ** 32 - 1;

/** Of the tensors among `values`: their types, and their sizes where those are known. */
export function declaredTypes(values: Declared): Map<string, DeclaredType> {
  const types = new Map<string, DeclaredType>();
  for (const [name, value] of values) {
    if (!value.isTensor) continue;
    const dims = value.shape.map((size) => (typeof size === 'number' && size >= 0 && size < OPEN ? size : undefined));
    types.set(name, { type: value.type as ElementType, dims });
  }
  return types;
}

/** What ONNX Runtime opens, and the files beside it as an option of the session. */
export function modelForOrt(model: EncodedModel): {
  readonly bytes: Uint8Array;
  readonly beside: Pick<Ort.InferenceSession.SessionOptions, 'externalData'>;
} {
  if (model instanceof Uint8Array) return { bytes: model, beside: {} };
  const externalData = [...model.weights].map(([path, data]) => ({ path, data }));
  return { bytes: model.bytes, beside: externalData.length > 0 ? { externalData } : {} };
}

/** Without a copy: ONNX Runtime reads the caller's array. */
export function toOrt(tensors: Tensors, OrtTensor: OrtTensorClass): OrtTensors {
  const result: OrtTensors = {};
  for (const [name, tensor] of tensors) {
    result[name] = new OrtTensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims);
  }
  return result;
}

export function fromOrt(tensors: OrtTensors): Map<string, Tensor> {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, oneFromOrt(name, tensor)]));
}

function oneFromOrt(name: string, tensor: Ort.Tensor): Tensor {
  // Sequences and maps have no dims, strings come as a plain array.
  if (!tensor.dims || !ArrayBuffer.isView(tensor.data)) {
    throw new RgiError('runtime', `The graph's output '${name}' is not a tensor of numbers.`, { tensor: name });
  }
  const data = dataOf(tensor);
  if (data.length !== sizeOf(tensor.dims)) {
    throw new RgiError('runtime', `ONNX Runtime returned '${name}' in a form that cannot be read.`, { tensor: name });
  }
  return { type: tensor.type as Tensor['type'], dims: tensor.dims, data } as Tensor;
}

/** The memory of a tensor. Where the engine has Float16Array, ONNX Runtime's are that; ours carry the bits. */
export function dataOf({ type, data }: Ort.Tensor): Float32Array | Uint16Array {
  const own = data as Float32Array;
  if (type !== 'float16' || data instanceof Uint16Array) return own;
  return new Uint16Array(own.buffer, own.byteOffset, own.length);
}

export function copyOf(tensor: Tensor): Tensor {
  const copy = zeros(tensor.type, tensor.dims);
  overwrite(copy.data, tensor);
  return copy;
}

/** Both of the same element type (the caller has checked): bigint arrays copy like the others. */
export function overwrite(target: Tensor['data'], source: Tensor): void {
  (target as Float32Array).set(source.data as Float32Array);
}

/** Throws `runtime` unless `tensor` can stand for the declared value. `role` reads like "input" or "state". */
export function checkTensor(inputs: Declared, name: string, tensor: Tensor, role: string): void {
  const expected = inputs.get(name);
  if (!expected) {
    const known = [...inputs.keys()].map((known) => `'${known}'`).join(', ') || 'none';
    throw new RgiError('runtime', `The graph has no input '${name}' (given as ${role}); its inputs are ${known}.`, {
      tensor: name,
    });
  }
  if (tensor.data.length !== sizeOf(tensor.dims)) {
    throw new RgiError(
      'runtime',
      `The ${role} '${name}' has ${tensor.data.length} values, which do not fill its shape ${shapeText(tensor.dims)}.`,
      { tensor: name },
    );
  }
  if (!expected.isTensor) throw new RgiError('runtime', `'${name}' is not a tensor.`, { tensor: name });
  if (expected.type !== tensor.type) {
    const message = `The ${role} '${name}' is ${tensor.type}; the graph declares ${expected.type}.`;
    throw new RgiError('runtime', message, { tensor: name });
  }
  if (!fits(tensor.dims, expected.shape)) {
    throw new RgiError(
      'runtime',
      `The ${role} '${name}' has shape ${shapeText(tensor.dims)}; the graph declares ${shapeText(expected.shape)}.`,
      { tensor: name },
    );
  }
}

/** A symbolic dimension takes any size; ONNX Runtime reports an undeclared shape as [], which therefore takes all. */
function fits(dims: readonly number[], shape: readonly (number | string)[]): boolean {
  if (shape.length === 0) return true;
  return dims.length === shape.length && shape.every((size, i) => typeof size === 'string' || size === dims[i]);
}

export function shapeText(dims: readonly (number | string)[]): string {
  return `[${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}

/** Throws `runtime` unless every declared input is among `given`. */
export function checkComplete(inputs: Declared, ...given: readonly { has(name: string): boolean }[]): void {
  for (const name of inputs.keys()) {
    if (!given.some((names) => names.has(name))) {
      throw new RgiError('runtime', `The graph's input '${name}' was not given.`, { tensor: name });
    }
  }
}

/** Throws `runtime` unless every wanted name is an output. */
export function checkOutputs(outputs: Declared, wanted: readonly string[]): void {
  for (const name of wanted) {
    if (outputs.has(name)) continue;
    const names = [...outputs.keys()];
    const shown = names.slice(0, 20).map((known) => `'${known}'`);
    if (names.length > shown.length) shown.push('...');
    throw new RgiError('runtime', `The graph has no output '${name}'; its outputs are ${shown.join(', ')}.`, {
      tensor: name,
    });
  }
}
