/** From an anomaly map to a score, a verdict and a mask in a graph: what `defects.ts` computes of a map, without the list of regions. */
import type { Size } from '../../images/image.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, zeros } from '../../onnx/tensor.ts';
import { largestHole } from '../defects.ts';
import type { Policy } from '../policy.ts';
import { loopBody } from './loop.ts';

/** `imageScore` of maps [N,1,H,W]: [N]. */
export function emitScore(b: GraphBuilder, map: Value, { height, width }: Size, count: number): Value {
  const flat = b.Reshape(map, [-1, height * width]);
  if (count === 1) return b.ReduceMax(flat, [1], false);
  const [highest] = b.node('TopK', [flat, b.ints([Math.min(count, height * width)])], { axis: 1, sorted: 0 }, 2);
  return b.Mul(b.ReduceSum(highest, [1], false), b.scalar(1 / count));
}

/**
 * The mask that `detect` makes of maps [N,1,H,W], 0 and 1 in float32: that of `findDefects`; of a defective picture without a region that is
 * large enough, that of regions of any size.
 */
export function emitMask(
  b: GraphBuilder,
  map: Value,
  size: Size,
  { thresholds, leastArea }: Pick<Policy, 'thresholds' | 'leastArea'>,
  defective: Value,
): Value {
  const above = b.Cast(b.Greater(map, b.scalar(thresholds.pixel)), 'float32');
  const all = withoutHoles(b, above, size, largestHole(1));
  const isSmall = emitSmallRegions(b, above, size, 8, leastArea - 1);
  if (isSmall === undefined) return all;
  const kept = b.Mul(above, b.Cast(b.Not(isSmall.found), 'float32'));
  const isEmpty = b.Less(b.ReduceMax(kept, [1, 2, 3]), b.scalar(0.5));
  const large = withoutHoles(b, kept, size, largestHole(leastArea));
  return b.Where(b.And(isEmpty, b.Reshape(defective, [-1, 1, 1, 1])), all, large);
}

/** Background of at most `pixels` pixels that does not reach the border becomes mask. */
function withoutHoles(b: GraphBuilder, mask: Value, size: Size, pixels: number): Value {
  const background = b.Sub(b.scalar(1), mask);
  const regions = emitSmallRegions(b, background, size, 4, pixels);
  if (!regions) return mask;
  const atBorder = b.Mul(background, b.constant(borderOf(size), 'border'));
  const isHole = b.And(regions.found, b.Less(regions.sumOf(atBorder), b.scalar(0.5)));
  return b.Add(mask, b.Mul(background, b.Cast(isHole, 'float32')));
}

function borderOf({ height, width }: Size) {
  const border = zeros('float32', [1, 1, height, width]);
  for (let i = 0; i < border.data.length; i++) {
    const [y, x] = [Math.floor(i / width), i % width];
    if (y === 0 || x === 0 || y === height - 1 || x === width - 1) border.data[i] = 1;
  }
  return border;
}

interface SmallRegions {
  /** Is the pixel in a region of at most so many pixels? bool [N,1,H,W]; means nothing outside of all regions. */
  readonly found: Value;
  /** At the pixels of such a region the sum of a map [N,1,H,W] over it. */
  sumOf(values: Value): Value;
}

/**
 * Connected regions of at most `pixels` pixels of what is 1 in `on` [N,1,H,W]; undefined for none at all. Each pixel takes the largest
 * number that lies within `pixels` steps. In a region as small all have the same then; in a larger one either all have, and are counted,
 * or some neighbours differ.
 */
function emitSmallRegions(
  b: GraphBuilder,
  on: Value,
  size: Size,
  connectivity: 4 | 8,
  pixels: number,
): SmallRegions | undefined {
  if (pixels < 1) return undefined;
  const { height, width } = size;
  const area = height * width;
  const numbers = float32(
    Float32Array.from({ length: area }, (_, i) => i + 1),
    [1, 1, height, width],
  );
  const start = b.Mul(on, b.constant(numbers, 'numbers'));
  const body = { kind: 'graph', value: spreadGraph(b.fresh('spread'), on, size, connectivity) } as const;
  const [labels] = b.node('Loop', [b.int(Math.ceil(pixels / STEPS_IN_ROUND)), '', start], { body }, 1, 'labels');
  const index = b.Cast(b.Reshape(labels, [-1, area]), 'int64');
  const count = b.Slice(b.node('Shape', [on])[0], [0], [1], [0]);
  const none = b.node('Expand', [b.scalar(0), b.Concat([count, b.ints([area + 1])], 0)])[0];
  const sumOf = (values: Value) => {
    const flat = b.Reshape(values, [-1, area]);
    const sums = b.node('ScatterElements', [none, index, flat], { axis: 1, reduction: 'add' })[0];
    return b.Reshape(b.node('GatherElements', [sums, index], { axis: 1 })[0], [-1, 1, height, width]);
  };
  const isOn = b.Greater(on, b.scalar(0.5));
  const highest = largestAround(b, labels, connectivity);
  const lowest = b.Neg(largestAround(b, b.Where(isOn, b.Neg(labels), b.scalar(-area - 2)), connectivity));
  const differs = b.And(isOn, b.Or(b.Greater(highest, labels), b.Less(lowest, labels)));
  const isWhole = b.Less(sumOf(b.Cast(differs, 'float32')), b.scalar(0.5));
  return { found: b.And(isWhole, b.LessOrEqual(sumOf(on), b.scalar(pixels))), sumOf };
}

/** The largest value of a pixel and its neighbours. */
function largestAround(b: GraphBuilder, x: Value, connectivity: 4 | 8): Value {
  const pool = ([down, across]: readonly [number, number]) => {
    const [y, z] = [down >> 1, across >> 1];
    return b.node('MaxPool', [x], { kernel_shape: [down, across], pads: [y, z, y, z] })[0];
  };
  return connectivity === 8 ? pool([3, 3]) : b.Max(pool([1, 3]), pool([3, 1]));
}

/** Steps to the neighbours in one round of the loop: what a round costs besides is shared by them. */
const STEPS_IN_ROUND = 8;

/** The body of the loop: labels, handed on within `on` of the graph around it. */
function spreadGraph(prefix: string, on: Value, { height, width }: Size, connectivity: 4 | 8): Graph {
  const b = new GraphBuilder();
  // Values of the body must not take the name of the one around it.
  for (const name of [on, 'labels']) b.reserve(name);
  let spread: Value = 'labels';
  for (let i = 0; i < STEPS_IN_ROUND; i++) spread = b.Mul(on, largestAround(b, spread, connectivity));
  const change = b.ReduceMax(b.Sub(spread, 'labels'), [0, 1, 2, 3], false);
  b.node('Greater', [change, b.scalar(0)], {}, ['goes-on']);
  b.node('Identity', [spread], {}, ['spread']);
  const dims = ['N', 1, height, width];
  const state = [{ name: 'labels', type: 'float32', dims }] as const;
  const next = [{ name: 'spread', type: 'float32', dims }] as const;
  return loopBody(b.graph(prefix, state, next), 'goes-on', prefix, new Set([on]));
}
