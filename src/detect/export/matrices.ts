/**
 * Smoothing and resizing in a graph, as products with matrices from both sides. The matrices are what `gaussianBlur` and `resize` make of
 * unit vectors, so that the graph has their kernels, their borders and their normalisation without a second definition.
 */
import type { Image, Size } from '../../images/image.ts';
import { crop, gaussianBlur, padTo, resize } from '../../images/resize.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';

/** `gaussianBlur` of maps [N,C,H,W]. */
export function emitBlur(b: GraphBuilder, x: Value, { height, width }: Size, sigma: number): Value {
  if (sigma <= 0) return x;
  const blurred = (length: number) => matrixOf(length, (units) => gaussianBlur(units, sigma));
  return between(b, x, blurred(height), blurred(width));
}

/** `resize`, bilinear, of maps [N,C,H,W]. */
export function emitResize(b: GraphBuilder, x: Value, from: Size, to: Size): Value {
  if (from.height === to.height && from.width === to.width) return x;
  const resized = (length: number, target: number) =>
    matrixOf(length, (units) => resize(units, { height: 1, width: target }, 'bilinear'));
  return between(b, x, resized(from.height, to.height), resized(from.width, to.width));
}

/**
 * ONNX's `Resize`, linear and against aliasing, of maps [N,C,H,W], which opset 17 does not have: `resize`, bilinear, of maps whose border
 * values are repeated around them.
 */
export function emitRepeatedResize(b: GraphBuilder, x: Value, from: Size, to: Size): Value {
  const resized = (length: number, target: number) => {
    const divisor = commonDivisor(length, target);
    // As many pixels as the filter reaches, and a whole number of them before and after.
    const times = Math.ceil((length / target + 1) / (length / divisor));
    const [before, after] = [(times * length) / divisor, (times * target) / divisor];
    const at = (left: number, width: number) => ({ top: 0, left, height: 1, width });
    return matrixOf(length, (units) => {
      const padded = padTo(units, { height: 1, width: length + 2 * before }, at(before, length));
      const whole = resize(padded, { height: 1, width: target + 2 * after }, 'bilinear');
      return crop(whole, at(after, target));
    });
  };
  return between(b, x, resized(from.height, to.height), resized(from.width, to.width));
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** Row i is what becomes of the i-th unit vector: [length, length of the result]. */
function matrixOf(length: number, change: (units: Image) => Image): Tensor<'float32'> {
  const units = float32(new Float32Array(length * length), [length, 1, 1, length]);
  for (let i = 0; i < length; i++) units.data[i * (length + 1)] = 1;
  const { data, dims } = change(units);
  return float32(data, [length, dims[3]]);
}

/** A^T X B. */
function between(b: GraphBuilder, x: Value, left: Tensor<'float32'>, right: Tensor<'float32'>): Value {
  const columns = b.constant(transposed(left), 'columns');
  return b.MatMul(columns, b.MatMul(x, b.constant(right, 'rows')));
}

function transposed({ data, dims: [rows, columns] }: Tensor<'float32'>): Tensor<'float32'> {
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  return float32(turned, [columns, rows]);
}
