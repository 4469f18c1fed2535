/**
 * The gradient of a convolution in its weight:  dw[o,c,t] = sum over n,p of  g[n,o,p] x[n,c, stride p + dilation t - begin].
 * Which form is fast was measured on ONNX Runtime's CPU provider (GFLOP/s, 3x3, two cores): batch 1, 512 channels,
 * 16x16: all taps gathered and one product 125, a product per tap 80, a Conv with swapped roles 37; batch 8, 128 channels,
 * 32x32: gathered 60, per tap 120, swapped 24. Gathering wins where there are fewer positions than channels.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { sizeOf } from '../../onnx/tensor.ts';
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
}

/** Kernels with more taps than this are differentiated by one Conv with swapped roles. */
const MOST_TAPS = 32;

/** dw, of shape [G O, C, ...kernel]. */
export function kernelGradient(b: GraphBuilder, options: KernelGradientOptions): Value {
  if (sizeOf(options.window.kernel) > MOST_TAPS) return bySwappedRoles(b, options);
  return options.group === 1 ? byProducts(b, options) : byGroupedProducts(b, options);
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
