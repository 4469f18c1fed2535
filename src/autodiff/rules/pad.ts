/** Pad in every mode, with negative pads (cropping) and a subset of axes. */
import type { Value } from '../../onnx/builder.ts';
import { stringAttribute } from '../../onnx/graph.ts';
import { type Cotangents, type Rule, type RuleContext, refuse } from '../rule.ts';
import { constantNumbers, normalAxis, withDim } from './axes.ts';
import { runsOf, scatterRuns } from './index-map.ts';

export const pad: Rule = { gradient: padGradient };

function padGradient(c: RuleContext): Cotangents {
  const { begins, ends } = padsOf(c);
  const mode = stringAttribute(c.node, 'mode', 'constant');
  if (mode === 'constant') return constantPad(c, begins, ends);
  const dims = c.dims(0);
  let g = c.cotangents[0]!;
  let current = [...c.outputDims(0)];
  for (let axis = 0; axis < dims.length; axis++) {
    if (begins[axis] === 0 && ends[axis] === 0) continue;
    const map = sources(mode, dims[axis], begins[axis], ends[axis], c);
    if (map.length === 0) return [];
    g = scatterRuns(c.b, g, current, axis, runsOf(map), dims[axis]);
    current = withDim(current, axis, dims[axis]);
  }
  return [g];
}

function padsOf(c: RuleContext): { begins: number[]; ends: number[] } {
  const rank = c.dims(0).length;
  const pads = constantNumbers(c, 1, 'pads');
  if (!pads) refuse(c.node, 'its pads are an attribute, a form older than the working opset.');
  const axes = constantNumbers(c, 3, 'axes') ?? Array.from({ length: rank }, (_, i) => i);
  const begins = new Array<number>(rank).fill(0);
  const ends = new Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    begins[normalAxis(axis, rank)] = pads[i];
    ends[normalAxis(axis, rank)] = pads[i + axes.length];
  });
  return { begins, ends };
}

/** Cropping what was added, adding zeros where it was cropped; the constant takes the cotangent of the border. */
function constantPad({ b, cotangents, wants, dims }: RuleContext, begins: number[], ends: number[]): Cotangents {
  const g = cotangents[0]!;
  const axes = begins.flatMap((_, i) => (begins[i] !== 0 || ends[i] !== 0 ? [i] : []));
  let dx: Value = g;
  if (axes.length > 0) {
    const crops = axes.every((i) => begins[i] >= 0 && ends[i] >= 0);
    dx = crops
      ? b.Slice(
          g,
          axes.map((i) => begins[i]),
          axes.map((i) => begins[i] + dims(0)[i]),
          axes,
        )
      : b.Pad(
          g,
          [...begins, ...ends].map((p) => (p === 0 ? 0 : -p)),
        );
  }
  const dValue = wants(2) ? b.Sub(b.ReduceSum(g, undefined, false), b.ReduceSum(dx, undefined, false)) : undefined;
  return [wants(0) ? dx : undefined, undefined, dValue && b.Reshape(dValue, dims(2))];
}

/** For each position of the padded axis, the position it copies. Negative pads crop before the others are filled. */
function sources(mode: string, size: number, begin: number, end: number, c: RuleContext): number[] {
  const low = Math.max(0, -begin);
  const n = size - low - Math.max(0, -end);
  const map: number[] = [];
  for (let i = -Math.max(0, begin); i < n + Math.max(0, end); i++) map.push(low + source(mode, i, n, c));
  return map;
}

function source(mode: string, i: number, n: number, c: RuleContext): number {
  const wrap = (value: number, period: number) => ((value % period) + period) % period;
  switch (mode) {
    case 'edge':
      return Math.min(Math.max(i, 0), n - 1);
    case 'wrap':
      return wrap(i, n);
    case 'reflect': {
      const position = n === 1 ? 0 : wrap(i, 2 * n - 2);
      return position < n ? position : 2 * n - 2 - position;
    }
    default:
      return refuse(c.node, `its mode '${mode}' is unknown.`);
  }
}
