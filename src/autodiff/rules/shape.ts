/** Operators that move elements without computing. */
import { intAttribute, intsAttribute } from '../../onnx/graph.ts';
import { type Cotangents, type Rule, type RuleContext, type RuleTable, sumTo } from '../rule.ts';
import { constantNumbers, normalAxis, withDim } from './axes.ts';
import { pad } from './pad.ts';
import { slice } from './slice.ts';

const reshaped: Rule = { gradient: ({ b, cotangents, dims }) => [b.Reshape(cotangents[0]!, dims(0))] };

export const shape = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: {
    gradient: ({ b, node, cotangents, dims }) => {
      const perm = intsAttribute(node, 'perm') ?? dims(0).map((_, i) => dims(0).length - 1 - i);
      const inverse = perm.map((_, i) => perm.indexOf(i));
      return [b.Transpose(cotangents[0]!, inverse)];
    },
  },
  Expand: {
    gradient: ({ b, cotangents, dims, outputDims }) => [sumTo(b, cotangents[0]!, outputDims(0), dims(0))],
  },
  Tile: { gradient: tileGradient },
  Concat: { gradient: concatGradient },
  Split: { gradient: splitGradient },
  Pad: pad,
  Slice: slice,
  // Upper and lower triangles are projections.
  Trilu: {
    gradient: ({ b, node, cotangents }) => [
      b.node('Trilu', [cotangents[0]!, ...node.inputs.slice(1)], { upper: intAttribute(node, 'upper', 1) })[0],
    ],
  },
} satisfies RuleTable;

/** Sums over the copies: [r0 d0, r1 d1] seen as [r0, d0, r1, d1]. */
function tileGradient({ b, cotangents, dims, outputDims }: RuleContext): Cotangents {
  const split: number[] = [];
  const copies: number[] = [];
  dims(0).forEach((d, i) => {
    const repeats = d === 0 ? 1 : outputDims(0)[i] / d;
    if (repeats !== 1) {
      copies.push(split.length);
      split.push(repeats);
    }
    split.push(d);
  });
  if (copies.length === 0) return [cotangents[0]];
  return [b.ReduceSum(b.Reshape(cotangents[0]!, split), copies, false)];
}

function concatGradient({ b, node, cotangents, dims, outputDims, wants }: RuleContext): Cotangents {
  const axis = normalAxis(intAttribute(node, 'axis', 0), outputDims(0).length);
  const g = cotangents[0]!;
  const sizes = node.inputs.map((_, i) => dims(i)[axis]);
  if (node.inputs.length === 1) return [g];
  if (node.inputs.every((_, i) => wants(i))) return b.Split(g, sizes, axis);
  let start = 0;
  return sizes.map((size, i) => {
    const from = start;
    start += size;
    return wants(i) ? b.Slice(g, [from], [from + size], [axis]) : undefined;
  });
}

function splitGradient(c: RuleContext): Cotangents {
  const { b, node, cotangents, dims, scalar } = c;
  const rank = dims(0).length;
  const axis = normalAxis(intAttribute(node, 'axis', 0), rank);
  const size = dims(0)[axis];
  const sizes = constantNumbers(c, 1, 'sizes') ?? evenSizes(size, node.outputs.length);
  const flowing = cotangents.flatMap((g, i) => (g === undefined ? [] : [i]));
  if (flowing.length === 1) {
    const [only] = flowing;
    const before = sizeOfFirst(sizes, only);
    const zeros = dims(0).map(() => 0);
    const pads = [...withDim(zeros, axis, before), ...withDim(zeros, axis, size - before - sizes[only])];
    return [pads.every((p) => p === 0) ? cotangents[only] : b.Pad(cotangents[only]!, pads)];
  }
  const parts = sizes.map((part, i) => cotangents[i] ?? b.Expand(scalar(0), withDim(dims(0), axis, part)));
  return [b.Concat(parts, axis)];
}

/** `num_outputs`: equal parts, the last one smaller if need be. */
function evenSizes(size: number, parts: number): number[] {
  const each = Math.ceil(size / parts);
  return Array.from({ length: parts }, (_, i) => Math.min(each, size - i * each));
}

function sizeOfFirst(sizes: readonly number[], count: number): number {
  return sizes.slice(0, count).reduce((sum, part) => sum + part, 0);
}
