/**
 * The transpose of "take positions `map[0], map[1], ...` of an axis", for a map known at compile time: runs of
 * consecutive positions become slices that are padded into place and added. Serves padding modes and Gather.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { withDim } from './axes.ts';

/** Positions first, first + step, ...; `from`: where in the map the run starts. */
export interface Run {
  readonly from: number;
  readonly length: number;
  readonly first: number;
  readonly step: 1 | -1 | 0;
}

/** The map as its longest runs of step 1, -1 or 0, from left to right. */
export function runsOf(map: readonly number[]): Run[] {
  const runs: Run[] = [];
  let from = 0;
  while (from < map.length) {
    const step = map[from + 1] - map[from];
    let end = from + 1;
    if (step === 1 || step === -1 || step === 0) while (end < map.length && map[end] - map[end - 1] === step) end++;
    runs.push({ from, length: end - from, first: map[from], step: end - from > 1 ? (step as 1 | -1 | 0) : 1 });
    from = end;
  }
  return runs;
}

/**
 * `g` has shape `dims` with `map.length` along `axis`; the result has `size` there: result[map[j]] += g[j].
 * The map must not be empty.
 */
export function scatterRuns(
  b: GraphBuilder,
  g: Value,
  dims: readonly number[],
  axis: number,
  runs: readonly Run[],
  size: number,
): Value {
  const total = dims[axis];
  const pieces = runs.map(({ from, length, first, step }) => {
    let piece = g;
    if (step === -1) {
      const end = from === 0 ? Number.MIN_SAFE_INTEGER : from - 1;
      piece = b.Slice(g, [from + length - 1], [end], [axis], [-1]);
    } else if (length < total) piece = b.Slice(g, [from], [from + length], [axis]);
    if (step === 0 && length > 1) piece = b.ReduceSum(piece, [axis], true);
    const start = step === -1 ? first - length + 1 : first;
    const covered = step === 0 ? 1 : length;
    return covered === size ? piece : b.Pad(piece, padsOf(dims, axis, start, size - start - covered));
  });
  return pieces.reduce((sum, piece) => b.Add(sum, piece));
}

function padsOf(dims: readonly number[], axis: number, begin: number, end: number): number[] {
  const zeros = dims.map(() => 0);
  return [...withDim(zeros, axis, begin), ...withDim(zeros, axis, end)];
}
