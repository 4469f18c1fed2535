/**
 * Linear maps along one axis, as constant matrices. Interpolation and average pooling are products of such maps, one per
 * axis; their derivative is the product of the transposes, whatever coordinate mode made the weights.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { float32, sizeOf } from '../../onnx/tensor.ts';

/** A row-major [rows, columns] matrix that maps `columns` elements along `axis` to `rows`. */
export interface AxisMap {
  readonly axis: number;
  readonly rows: number;
  readonly columns: number;
  readonly weights: Float32Array;
}

export function transposeMap({ axis, rows, columns, weights }: AxisMap): AxisMap {
  const transposed = new Float32Array(weights.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) transposed[c * rows + r] = weights[r * columns + c];
  return { axis, rows: columns, columns: rows, weights: transposed };
}

/** Applies the maps to a value of shape `dims`: the strongest reduction first, then the last axis (one large product). */
export function applyMaps(b: GraphBuilder, value: Value, dims: readonly number[], maps: readonly AxisMap[]): Value {
  const shape = [...dims];
  let current = value;
  const ordered = [...maps].sort((p, q) => p.rows / p.columns - q.rows / q.columns || q.axis - p.axis);
  for (const map of ordered) {
    current = applyMap(b, current, shape, map);
    shape[map.axis] = map.rows;
  }
  return current;
}

function applyMap(b: GraphBuilder, value: Value, dims: readonly number[], map: AxisMap): Value {
  const before = sizeOf(dims.slice(0, map.axis));
  const after = sizeOf(dims.slice(map.axis + 1));
  const result = dims.map((d, i) => (i === map.axis ? map.rows : d));
  if (after === 1) {
    const { weights, rows, columns } = transposeMap(map);
    const matrix = b.constant(float32(weights, [rows, columns]), 'axis-map');
    return b.Reshape(b.MatMul(b.Reshape(value, [before, map.columns]), matrix), result);
  }
  const matrix = b.constant(float32(map.weights, [map.rows, map.columns]), 'axis-map');
  return b.Reshape(b.MatMul(matrix, b.Reshape(value, [before, map.columns, after])), result);
}

/** k where the map repeats each element k times (nearest upsampling by an integer); else undefined. */
export function repetition({ rows, columns, weights }: AxisMap): number | undefined {
  const k = rows / columns;
  if (!Number.isInteger(k)) return undefined;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      if (weights[r * columns + c] !== (Math.floor(r / k) === c ? 1 : 0)) return undefined;
  return k;
}

/** Above this many elements per block of rows its product's arithmetic outgrows the memory traffic it saves. */
const WIDEST_BLOCK = 256;

/**
 * Sums blocks of `factors` along the last two axes. A block of rows is read as one long row and multiplied by a constant
 * matrix: on ONNX Runtime's CPU provider 1.3 to 4 times as fast as AveragePool up to 128 pixels, which in turn is twice as
 * fast as a ReduceSum of a reshape.
 */
export function sumBlocks(
  b: GraphBuilder,
  value: Value,
  dims: readonly number[],
  factors: readonly [number, number],
): Value {
  const [height, width] = dims.slice(-2);
  const [fy, fx] = factors;
  const [h, w] = [height / fy, width / fx];
  const planes = sizeOf(dims.slice(0, -2));
  const result = [...dims.slice(0, -2), h, w];
  if (fy * width > WIDEST_BLOCK) {
    const kernel = { kernel_shape: [fy, fx], strides: [fy, fx] };
    const image = dims.length === 4 ? value : b.Reshape(value, [1, planes, height, width]);
    const sums = b.Mul(b.node('AveragePool', [image], kernel)[0], b.scalar(fy * fx));
    return dims.length === 4 ? sums : b.Reshape(sums, result);
  }
  const weights = new Float32Array(fy * width * w);
  for (let i = 0; i < fy * width; i++) weights[i * w + Math.floor((i % width) / fx)] = 1;
  const rows = b.Reshape(value, [planes * h, fy * width]);
  return b.Reshape(b.MatMul(rows, b.constant(float32(weights, [fy * width, w]), 'block-sum')), result);
}
