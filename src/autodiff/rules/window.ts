/**
 * The geometry of convolutions and pools: which input position each output position and kernel tap reads. Automatic
 * padding is resolved, and the end padding is the one really read (negative where a stride leaves input over), so that
 * along each axis   stride (output - 1) + dilation (kernel - 1) + 1 = begin + input + end   holds exactly.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { intsAttribute, type Node, stringAttribute } from '../../onnx/graph.ts';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after each axis; `ends` may be negative, `begins` too for a ConvTranspose. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** The window of a Conv or a pool; `input` and `output` are its spatial sizes. */
export function windowOf(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Window {
  const strides = intsAttribute(node, 'strides') ?? kernel.map(() => 1);
  const dilations = intsAttribute(node, 'dilations') ?? kernel.map(() => 1);
  const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
  const given = mode === 'NOTSET' ? intsAttribute(node, 'pads') : undefined;
  const begins = input.map((size, i) => {
    if (!mode.startsWith('SAME')) return given?.[i] ?? 0;
    const total = Math.max(0, strides[i] * (Math.ceil(size / strides[i]) - 1) + reach(kernel, dilations, i) - size);
    return mode === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  return withExactEnds(kernel, strides, dilations, begins, input, output);
}

/** The window with which a ConvTranspose scatters its `input` into `output` (the roles of a Conv's swapped). */
export function transposedWindowOf(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Window {
  const strides = intsAttribute(node, 'strides') ?? kernel.map(() => 1);
  const dilations = intsAttribute(node, 'dilations') ?? kernel.map(() => 1);
  const extra = intsAttribute(node, 'output_padding') ?? kernel.map(() => 0);
  const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
  const sized = intsAttribute(node, 'output_shape') !== undefined;
  const given = intsAttribute(node, 'pads');
  const begins = input.map((size, i) => {
    if (!sized && !mode.startsWith('SAME')) return mode === 'VALID' ? 0 : (given?.[i] ?? 0);
    const total = Math.max(0, strides[i] * (size - 1) + extra[i] + reach(kernel, dilations, i) - output[i]);
    return mode === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  return withExactEnds(kernel, strides, dilations, begins, output, input);
}

function withExactEnds(
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  begins: readonly number[],
  large: readonly number[],
  small: readonly number[],
): Window {
  const ends = large.map((size, i) => strides[i] * (small[i] - 1) + reach(kernel, dilations, i) - begins[i] - size);
  return { kernel, strides, dilations, begins, ends };
}

/** Extent of the kernel along axis `i`: dilation (kernel - 1) + 1. */
export function reach(kernel: readonly number[], dilations: readonly number[], i: number): number {
  return dilations[i] * (kernel[i] - 1) + 1;
}

/** Pads (or, where negative, crops) the last axes of a value of rank `rank` with zeros. */
export function padLast(
  b: GraphBuilder,
  value: Value,
  rank: number,
  begins: readonly number[],
  ends: readonly number[],
): Value {
  if (begins.every((n) => n === 0) && ends.every((n) => n === 0)) return value;
  const lead = Array.from({ length: rank - begins.length }, () => 0);
  return b.Pad(value, [...lead, ...begins, ...lead, ...ends]);
}

/** The offsets of all kernel taps, row-major. */
export function tapsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (taps, size) => taps.flatMap((tap) => Array.from({ length: size }, (_, i) => [...tap, i])),
    [[]],
  );
}

/** What tap `tap` reads of a padded value of rank `rank`: one element per output position. */
export function sliceTap(
  b: GraphBuilder,
  padded: Value,
  rank: number,
  tap: readonly number[],
  window: Window,
  output: readonly number[],
): Value {
  if (window.kernel.every((k) => k === 1) && window.strides.every((stride) => stride === 1)) return padded;
  const starts = tap.map((t, i) => t * window.dilations[i]);
  const ends = starts.map((start, i) => start + window.strides[i] * (output[i] - 1) + 1);
  const axes = tap.map((_, i) => rank - tap.length + i);
  return b.Slice(
    padded,
    starts,
    ends,
    axes,
    window.strides.some((stride) => stride !== 1) ? window.strides : undefined,
  );
}
