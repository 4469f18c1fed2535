/** Conv and ConvTranspose: each is the other's derivative in the data; both are bilinear. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { intAttribute } from '../../onnx/graph.ts';
import { type ElementType, float32, sizeOf } from '../../onnx/tensor.ts';
import type { Rule, RuleContext, RuleTable } from '../rule.ts';
import { kernelGradient } from './kernel-gradient.ts';
import { padLast, transposedWindowOf, type Window, windowOf } from './window.ts';

const conv: Rule = {
  gradient: (context) => {
    const { b, node, cotangents, dims, wants, typeOf } = context;
    const g = cotangents[0]!;
    const [xDims, wDims, gDims] = [dims(0), dims(1), context.outputDims(0)];
    const group = intAttribute(node, 'group', 1);
    const window = windowOf(node, wDims.slice(2), xDims.slice(2), gDims.slice(2));
    const [x, w] = node.inputs;
    return [
      wants(0)
        ? correlateBack(b, g, w, {
            wDims,
            group,
            window,
            frozen: !wants(1),
            type: typeOf(w).type,
            positions: xDims[0] * sizeOf(gDims.slice(2)),
          })
        : undefined,
      wants(1) ? kernelGradient(b, { x, g, xDims, gDims, group, window, type: typeOf(w).type }) : undefined,
      biasGradient(context, g),
    ];
  },
};

const convTranspose: Rule = {
  gradient: (context) => {
    const { b, node, cotangents, dims, wants, typeOf } = context;
    const g = cotangents[0]!;
    const [xDims, wDims, gDims] = [dims(0), dims(1), context.outputDims(0)];
    const group = intAttribute(node, 'group', 1);
    const window = transposedWindowOf(node, wDims.slice(2), xDims.slice(2), gDims.slice(2));
    const [x, w] = node.inputs;
    return [
      wants(0) ? correlate(b, g, gDims.length, w, group, window) : undefined,
      // The convolution that this one transposes reads y and writes x.
      wants(1)
        ? kernelGradient(b, { x: g, g: x, xDims: gDims, gDims: xDims, group, window, type: typeOf(w).type })
        : undefined,
      biasGradient(context, g),
    ];
  },
};

export const convolution = { Conv: conv, ConvTranspose: convTranspose } satisfies RuleTable;

function biasGradient({ b, has, wants, outputDims }: RuleContext, g: Value): Value | undefined {
  if (!has(2) || !wants(2)) return undefined;
  const axes = outputDims(0).flatMap((_, i) => (i === 1 ? [] : [i]));
  return b.ReduceSum(g, axes, false);
}

/** The Conv that reads exactly what `window` says; negative paddings crop first. */
function correlate(b: GraphBuilder, value: Value, rank: number, w: Value, group: number, window: Window): Value {
  const crop = (n: number) => Math.min(n, 0);
  const cropped = padLast(b, value, rank, window.begins.map(crop), window.ends.map(crop));
  return b.Conv(cropped, w, undefined, {
    strides: window.strides,
    dilations: window.dilations,
    pads: [...window.begins, ...window.ends].map((n) => Math.max(n, 0)),
    group,
  });
}

/**
 * With fewer positions per weight than this, mirroring a weight that changes at every step costs more than a ConvTranspose
 * loses (512 to 512 channels, 3x3, 16x16: 43 to 58 ms with the mirroring, 23 to 31 ms without).
 */
const MIN_MIRRORED_POSITIONS = 512;

interface BackOptions {
  readonly wDims: readonly number[];
  readonly group: number;
  readonly window: Window;
  /** The weight does not change: what is computed from it alone is folded. */
  readonly frozen: boolean;
  readonly type: ElementType;
  /** Output positions of all images. */
  readonly positions: number;
}

/** The gradient of a Conv in its data. */
function correlateBack(b: GraphBuilder, g: Value, w: Value, options: BackOptions): Value {
  const { window, frozen, wDims, group, positions } = options;
  const { kernel, strides, dilations, begins, ends } = window;
  if (strides.every((stride) => stride === 1) && (frozen || positions > MIN_MIRRORED_POSITIONS)) {
    const mirrored = (pads: readonly number[]) => pads.map((pad, i) => dilations[i] * (kernel[i] - 1) - pad);
    const back = { ...window, begins: mirrored(begins), ends: mirrored(ends) };
    return correlate(b, g, wDims.length, flipped(b, w, options), group, back);
  }
  // The input that a stride leaves over has a zero gradient: that is output padding.
  return b.ConvTranspose(g, w, undefined, {
    strides,
    dilations,
    pads: [...begins, ...ends.map((end) => Math.max(end, 0))],
    output_padding: ends.map((end) => Math.max(-end, 0)),
    group,
  });
}

/** Taps mirrored, input and output channels exchanged within each group: [G O, C, ...k] to [G C, O, ...k]. */
function flipped(b: GraphBuilder, w: Value, { wDims, group, frozen, type }: BackOptions): Value {
  const [all, channels, ...kernel] = wDims;
  const filters = all / group;
  const taps = sizeOf(kernel);
  // Mirroring every spatial axis is reversing the one flattened axis.
  const flat = b.Reshape(w, [group, filters, channels, taps]);
  const mirrored =
    taps === 1 ? flat : frozen ? b.Slice(flat, [-1], [-taps - 1], [3], [-1]) : reversed(b, flat, taps, type);
  return b.Reshape(b.Transpose(mirrored, [0, 2, 1, 3]), [group * channels, filters, ...kernel]);
}

/** The last axis reversed, by a product: a Slice with a negative step took four times as long (512 x 512 x 9: 9.7 ms). */
function reversed(b: GraphBuilder, value: Value, length: number, type: ElementType): Value {
  const matrix = new Float32Array(length * length);
  for (let i = 0; i < length; i++) matrix[i * length + length - 1 - i] = 1;
  const mirror = b.constant(float32(matrix, [length, length]), 'mirror');
  return b.MatMul(value, type === 'float32' ? mirror : b.Cast(mirror, type));
}
