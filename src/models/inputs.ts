/** Values of a model's inputs that are not searched: class labels, strengths, noise. */
import { RgiError } from '../errors.ts';
import type { ValueInfo } from '../onnx/graph.ts';
import { castTensor, isFloat, sizeOf, type Tensor, tensorOf } from '../onnx/tensor.ts';

/** Every input that is no tensor of floats per image needs a value: throws `usage` before anything runs. */
export function checkInputs(
  inputs: readonly ValueInfo[],
  fixed: ReadonlyMap<string, Tensor>,
  latents: readonly string[] | undefined,
  name: string,
): void {
  const open = inputs.filter((input) => !fixed.has(input.name) && !latents?.includes(input.name));
  const other = open.find((input) => input.type !== 'float32' || input.dims.length === 0);
  if (!other) return;
  const kind = other.type === 'float32' ? 'a single number' : other.type;
  throw new RgiError(
    'usage',
    `${name}: its input '${other.name}' is ${kind} and cannot be a latent; give its value with --input ${other.name}=VALUE or ${other.name}=FILE.npy.`,
    { file: name },
  );
}

/** `stored` in the type that the input declares; undefined where its shape does not fit. */
export function inputOfTensor(info: ValueInfo, stored: Tensor): Tensor | undefined {
  const fits =
    stored.dims.length === info.dims.length &&
    info.dims.every((dim, axis) => typeof dim !== 'number' || dim === stored.dims[axis]);
  return fits ? castTensor(stored, info.type) : undefined;
}

/** One number for the whole input, or all its numbers with commas between them; open axes have the length 1. */
export function inputOfText(info: ValueInfo, text: string): Tensor {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const dims = info.dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = sizeOf(dims);
  const whole = isFloat(info.type) || numbers.every(Number.isInteger);
  if (!numbers.every(Number.isFinite) || !whole || (numbers.length !== 1 && numbers.length !== size)) {
    throw new RgiError(
      'usage',
      `--input ${info.name}=${text}: the input '${info.name}' is ${info.type} [${info.dims.join(', ')}]; give one number, ${size > 1 ? `${size} with commas between them, ` : ''}or a .npy file.`,
    );
  }
  return tensorOf(
    info.type,
    Array.from({ length: size }, (_, i) => numbers[numbers.length === 1 ? 0 : i]),
    dims,
  );
}
