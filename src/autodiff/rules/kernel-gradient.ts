/**
 * The gradient of a convolution in its weight:  dw[o,c,t] = sum over n,p of  g[n,o,p] x[n,c, stride p + dilation t - begin].
 * Which form is fast was measured on ONNX Runtime's CPU provider (GFLOP/s, 3x3, two cores): batch 1, 512 channels,
 * 16x16: all taps gathered and one product 125, a product per tap 80, a Conv with swapped roles 37; batch 8, 128 channels,
 * 32x32: gathered 60, per tap 120, swapped 24. Gathering wins where there are fewer positions than channels.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { type ElementType, float32, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { padLast, sliceTap, tapsOf, type Window } from './window.ts';

export interface KernelGradientOptions {
  /** [N, G C, ...large]: what the convolution reads. */
  readonly x: Value;
  /** [N, G O, ...small]: the cotangent of what it writes. */
  readonly g: Value;
  readonly xDims: readonly number[];
  readonly gDims: readonly number[];
  readonly group: number;
  readonly window: Window;
  readonly type: ElementType;
}

/** Kernels with more taps than this are differentiated by one Conv with swapped roles. */
const MAX_TAPS = 32;

/** dw, of shape [G O, C, ...kernel]. */
export function kernelGradient(b: GraphBuilder, options: KernelGradientOptions): Value {
  const { window, xDims, gDims, group } = options;
  if (group === 1 && isDense(options)) return asDense(b, options);
  const grid = group === 1 ? gridOf(gDims, window) : undefined;
  if (grid) return byShiftedProducts(b, options, grid);
  // Strided slices copy element by element: batch 8, 128 to 64 channels, 4x4 by 2: 31 GFLOP/s, swapped roles 50.
  const strided = window.strides.some((stride) => stride !== 1);
  if (sizeOf(window.kernel) > MAX_TAPS || (strided && xDims[0] > 1 && group === 1)) return bySwappedRoles(b, options);
  return group === 1 ? byProducts(b, options) : byGroupedProducts(b, options);
}

/** Does one output position read the whole input? */
function isDense({ xDims, gDims, window: { kernel, begins, ends, dilations } }: KernelGradientOptions): boolean {
  return (
    sizeOf(gDims.slice(2)) === 1 &&
    kernel.every((k, i) => k === xDims[2 + i] && begins[i] === 0 && ends[i] === 0 && dilations[i] === 1)
  );
}

function asDense(b: GraphBuilder, { x, g, xDims, gDims, window }: KernelGradientOptions): Value {
  const [batch, channels] = xDims;
  const rows = (value: Value, dims: readonly number[]) => b.Reshape(value, [batch, sizeOf(dims.slice(1))]);
  const product = b.Gemm(rows(g, gDims), rows(x, xDims), undefined, { transA: true });
  return b.Reshape(product, [gDims[1], channels, ...window.kernel]);
}

function byProducts(b: GraphBuilder, { x, g, xDims, gDims, window }: KernelGradientOptions): Value {
  const [batch, channels] = xDims;
  const [, filters, ...output] = gDims;
  const positions = batch * sizeOf(output);
  const rank = xDims.length;
  // Channels first, so that a tap's slice is a matrix [C, N P] without another copy.
  const channelsFirst = (value: Value) =>
    batch === 1 ? value : b.Transpose(value, [1, 0, ...window.kernel.map((_, i) => i + 2)]);
  const cotangent = b.Reshape(channelsFirst(g), [filters, positions]);
  const padded = padLast(b, channelsFirst(x), rank, window.begins, window.ends);
  const slices = tapsOf(window.kernel).map((tap) => sliceTap(b, padded, rank, tap, window, output));
  if (positions <= filters || slices.length === 1) {
    const gathered = b.Concat(
      slices.map((slice) => b.Reshape(slice, [channels, 1, positions])),
      1,
    );
    const flat = b.Reshape(gathered, [channels * slices.length, positions]);
    return b.Reshape(b.Gemm(cotangent, flat, undefined, { transB: true }), [filters, channels, ...window.kernel]);
  }
  const products = slices.map((slice) =>
    b.Reshape(b.Gemm(cotangent, b.Reshape(slice, [channels, positions]), undefined, { transB: true }), [
      filters,
      channels,
      1,
    ]),
  );
  return b.Reshape(b.Concat(products, 2), [filters, channels, ...window.kernel]);
}

/** A frame around the output positions in which a tap is a shift of the flattened positions. */
interface Grid {
  /** The one stride; a stride above 1 turns into phases, each a channel of its own. */
  readonly stride: number;
  /** Shifts along each axis, and how far one reaches. */
  readonly counts: readonly number[];
  readonly steps: readonly number[];
  readonly rows: number;
  readonly columns: number;
}

/** Most of what the frame may add to the products. */
const MAX_OVERHEAD = 1.3;

/** Undefined where gathering is better (few positions), or the frame would add too much. */
function gridOf(gDims: readonly number[], { kernel, strides, dilations }: Window): Grid | undefined {
  const [batch, filters, ...output] = gDims;
  const [stride] = strides;
  const taps = sizeOf(kernel);
  if (output.length !== 2 || strides[1] !== stride || taps === 1 || taps > MAX_TAPS) return undefined;
  if (batch * sizeOf(output) <= filters || (stride > 1 && dilations.some((d) => d !== 1))) return undefined;
  const counts = kernel.map((k) => Math.ceil(k / stride));
  const steps = stride > 1 ? [1, 1] : dilations;
  const [down, right] = counts.map((count, i) => (count - 1) * steps[i]);
  // One image needs a spare row, so that every shift has the same length; several share their frames' edges.
  const rows = output[0] + down + (batch === 1 ? 1 : 0);
  const columns = output[1] + right;
  const framed = (batch === 1 ? output[0] : rows) * columns;
  return framed <= MAX_OVERHEAD * sizeOf(output) ? { stride, counts, steps, rows, columns } : undefined;
}

/**
 * With x in a frame as wide as a tap reaches, and g in the same frame with zeros beside it, the taps' slices are
 * contiguous shifts of the flattened positions (a copy per channel, not per row); a stride's phases are channels.
 */
function byShiftedProducts(
  b: GraphBuilder,
  { x, g, xDims, gDims, window, type }: KernelGradientOptions,
  { stride, counts, steps, rows, columns }: Grid,
): Value {
  const [batch, channels, ...input] = xDims;
  const [, filters, ...output] = gDims;
  const phases = stride * stride;
  const frame = rows * columns;
  const channelsFirst = (value: Value) => (batch === 1 ? value : b.Transpose(value, [1, 0, 2, 3]));
  const ends = [rows, columns].map((size, i) => stride * size - window.begins[i] - input[i]);
  const padded = padLast(b, x, 4, window.begins, ends);
  const split = stride === 1 ? padded : b.SpaceToDepth(padded, stride);
  const data = b.Reshape(channelsFirst(split), [phases * channels, batch * frame]);

  const farthest = (counts[0] - 1) * steps[0] * columns + (counts[1] - 1) * steps[1];
  const length = batch === 1 ? output[0] * columns : batch * frame - farthest;
  const framed = padLast(b, g, 4, [0, 0], [batch === 1 ? 0 : rows - output[0], columns - output[1]]);
  const whole = b.Reshape(channelsFirst(framed), [filters, batch === 1 ? length : batch * frame]);
  // What is cut off at the end is zero.
  const cotangent = batch === 1 ? whole : b.Slice(whole, [0], [length], [1]);
  const products = tapsOf(counts).map(([down, right]) => {
    const shift = down * steps[0] * columns + right * steps[1];
    const slice = b.Slice(data, [shift], [shift + length], [1]);
    return b.Reshape(b.Gemm(cotangent, slice, undefined, { transB: true }), [1, filters, phases * channels]);
  });
  const stacked = b.Concat(products, 0);
  // Whole rows are moved to [down, right, phase down, phase right, O, C]; a product with a permutation matrix then moves
  // the taps last. (One transposition over six axes took 5 to 10 times as long, and ONNX Runtime moves a Transpose that
  // stands at the end through the optimiser's arithmetic, to every moment.)
  const ordered =
    stride === 1
      ? stacked
      : b.Transpose(b.Reshape(stacked, [products.length, filters, phases, channels]), [0, 2, 1, 3]);
  const taps = b.Reshape(ordered, [products.length * phases, filters * channels]);
  const order = b.constant(tapOrder(counts, stride), 'order');
  const flat = b.Gemm(taps, type === 'float32' ? order : b.Cast(order, type), undefined, { transA: true });
  const large = counts.map((count) => count * stride);
  const dw = b.Reshape(flat, [filters, channels, ...large]);
  return large.every((size, i) => size === window.kernel[i]) ? dw : b.Slice(dw, [0, 0], window.kernel, [2, 3]);
}

/** Rows in the order [down, right, phase down, phase right], columns [down, phase down, right, phase right]. */
function tapOrder([downs, rights]: readonly number[], stride: number): Tensor<'float32'> {
  const taps = downs * rights * stride * stride;
  const matrix = new Float32Array(taps * taps);
  for (let row = 0; row < taps; row++) {
    const phaseRight = row % stride;
    const phaseDown = Math.floor(row / stride) % stride;
    const right = Math.floor(row / stride ** 2) % rights;
    const down = Math.floor(row / (stride ** 2 * rights));
    const column = ((down * stride + phaseDown) * rights + right) * stride + phaseRight;
    matrix[row * taps + column] = 1;
  }
  return float32(matrix, [taps, taps]);
}

function byGroupedProducts(b: GraphBuilder, { x, g, xDims, gDims, group, window }: KernelGradientOptions): Value {
  const [batch] = xDims;
  const channels = xDims[1] / group;
  const filters = gDims[1] / group;
  const output = gDims.slice(2);
  const positions = sizeOf(output);
  const rank = xDims.length;
  const cotangent = b.Reshape(g, [batch * group, filters, positions]);
  const padded = padLast(b, x, rank, window.begins, window.ends);
  const slices = tapsOf(window.kernel).map((tap) => sliceTap(b, padded, rank, tap, window, output));
  const sumOfBatch = (product: Value, columns: number) =>
    batch === 1 ? product : b.ReduceSum(b.Reshape(product, [batch, group * filters, columns]), [0], false);
  const times = (value: Value, columns: number) => {
    const matrix = b.Reshape(value, [batch * group, columns, positions]);
    return sumOfBatch(b.MatMul(cotangent, b.Transpose(matrix, [0, 2, 1])), columns);
  };
  const result = [group * filters, channels, ...window.kernel];
  if (positions <= filters || slices.length === 1) {
    const gathered = b.Concat(
      slices.map((slice) => b.Reshape(slice, [batch * group, channels, 1, positions])),
      2,
    );
    return b.Reshape(times(gathered, channels * slices.length), result);
  }
  const products = slices.map((slice) => b.Reshape(times(slice, channels), [group * filters, channels, 1]));
  return b.Reshape(b.Concat(products, 2), result);
}

/** A Conv of x by g, batch and channels exchanged, stride and dilation exchanged. */
function bySwappedRoles(b: GraphBuilder, { x, g, xDims, group, window }: KernelGradientOptions): Value {
  const [batch] = xDims;
  const channels = xDims[1] / group;
  const input = xDims.slice(2);
  const spatial = input.map((_, i) => i + 3);
  const grouped = b.Transpose(b.Reshape(x, [batch, group, channels, ...input]), [2, 1, 0, ...spatial]);
  const swapped = b.Reshape(grouped, [channels, group * batch, ...input]);
  const filter = b.Transpose(g, [1, 0, ...input.map((_, i) => i + 2)]);
  const padded = padLast(b, swapped, xDims.length, window.begins, window.ends);
  const result = b.Conv(padded, filter, undefined, { strides: window.dilations, dilations: window.strides, group });
  return b.Transpose(result, [1, 0, ...input.map((_, i) => i + 2)]);
}
