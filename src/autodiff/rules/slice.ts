/** Slice with any steps: reverse what was reversed, put zeros between what was skipped, pad into place. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { type Cotangents, type Rule, type RuleContext, refuse } from '../rule.ts';
import { constantNumbers, normalAxis } from './axes.ts';

export const slice: Rule = { gradient: sliceGradient };

/** The positions taken along one axis: first, first + step, ... */
interface Taken {
  readonly axis: number;
  readonly size: number;
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

function sliceGradient(c: RuleContext): Cotangents {
  const taken = slicesOf(c);
  if (taken.some(({ count }) => count === 0)) return [];
  return [placeSlices(c.b, c.cotangents[0]!, c.outputDims(0), taken)];
}

function slicesOf(c: RuleContext): Taken[] {
  const dims = c.dims(0);
  const starts = constantNumbers(c, 1, 'starts');
  if (!starts) refuse(c.node, 'its starts are an attribute, a form older than the working opset.');
  const axes = constantNumbers(c, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = constantNumbers(c, 4, 'steps') ?? starts.map(() => 1);
  return axes.map((given, i) => {
    const axis = normalAxis(given, dims.length);
    const size = dims[axis];
    const step = steps[i];
    const start = starts[i] < 0 ? starts[i] + size : starts[i];
    const first = step > 0 ? Math.min(Math.max(start, 0), size) : Math.min(Math.max(start, 0), size - 1);
    return { axis, size, first, step, count: c.outputDims(0)[axis] };
  });
}

/** The transpose of the slices: a tensor with `size` along each axis, `g` at the positions taken, zero elsewhere. */
function placeSlices(b: GraphBuilder, g: Value, dims: readonly number[], taken: readonly Taken[]): Value {
  let value = g;
  const reversed = taken.filter(({ step, count }) => step < 0 && count > 1);
  if (reversed.length > 0) {
    value = b.Slice(
      value,
      reversed.map(() => -1),
      reversed.map(() => Number.MIN_SAFE_INTEGER),
      reversed.map(({ axis }) => axis),
      reversed.map(() => -1),
    );
  }
  const spaced = taken.filter(({ step, count }) => Math.abs(step) > 1 && count > 1);
  let current = [...dims];
  if (spaced.length > 0) {
    const gaps = new Map(spaced.map(({ axis, step }) => [axis, Math.abs(step)]));
    value = insertZeros(b, value, current, gaps);
    current = current.map((d, i) => d * (gaps.get(i) ?? 1));
  }
  const begins = dims.map(() => 0);
  const ends = dims.map(() => 0);
  for (const { axis, size, first, step, count } of taken) {
    begins[axis] = step < 0 ? first + step * (count - 1) : first;
    ends[axis] = size - begins[axis] - current[axis];
  }
  const pads = [...begins, ...ends];
  return pads.every((p) => p === 0) ? value : b.Pad(value, pads);
}

/** Each element of axis i becomes `gaps.get(i)` elements: itself, then zeros. */
function insertZeros(b: GraphBuilder, value: Value, dims: readonly number[], gaps: ReadonlyMap<number, number>): Value {
  const apart: number[] = [];
  const ends: number[] = [];
  dims.forEach((d, i) => {
    apart.push(d);
    ends.push(0);
    const gap = gaps.get(i);
    if (gap === undefined) return;
    apart.push(1);
    ends.push(gap - 1);
  });
  const padded = b.Pad(b.Reshape(value, apart), [...ends.map(() => 0), ...ends]);
  return b.Reshape(
    padded,
    dims.map((d, i) => d * (gaps.get(i) ?? 1)),
  );
}
