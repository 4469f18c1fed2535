/** From an anomaly map to a score, a verdict and a mask in a graph: what `defects.ts` computes of a map, without the list of regions. */
import type { Size } from '../../images/image.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, zeros } from '../../onnx/tensor.ts';
import { largestHole } from '../defects.ts';
import { loopBody } from './loop.ts';

/** `imageScore` of maps [N,1,H,W]: [N]. */
export function emitScore(b: GraphBuilder, map: Value, { height, width }: Size, count: number): Value {
  const flat = b.Reshape(map, [-1, height * width]);
  if (count === 1) return b.ReduceMax(flat, [1], false);
  const [highest] = b.node('TopK', [flat, b.ints([Math.min(count, height * width)])], { axis: 1, sorted: 0 }, 2);
  return b.Mul(b.ReduceSum(highest, [1], false), b.scalar(1 / count));
}

/** The mask that `findDefects` makes of maps [N,1,H,W]: 0 and 1 in float32. */
export function emitMask(b: GraphBuilder, map: Value, size: Size, threshold: number, leastArea: number): Value {
  const above = b.Cast(b.Greater(map, b.scalar(threshold)), 'float32');
  if (leastArea <= 1) return withoutHoles(b, above, size, largestHole(leastArea));
  const regions = emitRegions(b, above, size, 8);
  const isLarge = b.Cast(b.GreaterOrEqual(regions.sumOf(above), b.scalar(leastArea)), 'float32');
  return withoutHoles(b, b.Mul(above, isLarge), size, largestHole(leastArea));
}

/** Background of at most `pixels` pixels that does not reach the border becomes mask. */
function withoutHoles(b: GraphBuilder, mask: Value, size: Size, pixels: number): Value {
  const background = b.Sub(b.scalar(1), mask);
  const regions = emitRegions(b, background, size, 4);
  const atBorder = b.Mul(background, b.constant(borderOf(size), 'border'));
  const isHole = b.And(
    b.LessOrEqual(regions.sumOf(background), b.scalar(pixels)),
    b.Less(regions.sumOf(atBorder), b.scalar(0.5)),
  );
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

interface Regions {
  /** At each pixel the sum of a map [N,1,H,W] over its region; where there is no region, over all pixels without one. */
  sumOf(values: Value): Value;
}

/** Connected regions of what is 1 in `on` [N,1,H,W]: each pixel takes the largest number in its region, handed on until nothing changes. */
function emitRegions(b: GraphBuilder, on: Value, size: Size, connectivity: 4 | 8): Regions {
  const { height, width } = size;
  const area = height * width;
  const numbers = float32(
    Float32Array.from({ length: area }, (_, i) => i + 1),
    [1, 1, height, width],
  );
  const start = b.Mul(on, b.constant(numbers, 'numbers'));
  const body = { kind: 'graph', value: spreadGraph(b.fresh('spread'), on, size, connectivity) } as const;
  const [labels] = b.node('Loop', ['', '', start], { body }, 1, 'labels');
  const index = b.Cast(b.Reshape(labels, [-1, area]), 'int64');
  const count = b.Slice(b.node('Shape', [on])[0], [0], [1], [0]);
  const shape = b.Concat([count, b.ints([area + 1])], 0);
  const none = b.node('Expand', [b.scalar(0), shape])[0];
  return {
    sumOf(values) {
      const flat = b.Reshape(values, [-1, area]);
      const sums = b.node('ScatterElements', [none, index, flat], { axis: 1, reduction: 'add' })[0];
      return b.Reshape(b.node('GatherElements', [sums, index], { axis: 1 })[0], [-1, 1, height, width]);
    },
  };
}

/** Steps to the neighbours in one round of the loop: what a round costs besides is shared by them. */
const STEPS_IN_ROUND = 8;

/** The body of the loop: labels, handed on within `on` of the graph around it. */
function spreadGraph(prefix: string, on: Value, { height, width }: Size, connectivity: 4 | 8): Graph {
  const b = new GraphBuilder();
  b.reserve('labels');
  const pool = (x: Value, [down, across]: readonly [number, number]) => {
    const [y, z] = [down >> 1, across >> 1];
    return b.node('MaxPool', [x], { kernel_shape: [down, across], pads: [y, z, y, z] })[0];
  };
  let spread: Value = 'labels';
  for (let i = 0; i < STEPS_IN_ROUND; i++) {
    const reached = connectivity === 8 ? pool(spread, [3, 3]) : b.Max(pool(spread, [1, 3]), pool(spread, [3, 1]));
    spread = b.Mul(on, reached);
  }
  const change = b.ReduceMax(b.Sub(spread, 'labels'), [0, 1, 2, 3], false);
  b.node('Greater', [change, b.scalar(0)], {}, ['goes-on']);
  b.node('Identity', [spread], {}, ['spread']);
  const dims = ['N', 1, height, width];
  const state = [{ name: 'labels', type: 'float32', dims }] as const;
  const next = [{ name: 'spread', type: 'float32', dims }] as const;
  return loopBody(b.graph(prefix, state, next), 'goes-on', prefix, new Set([on]));
}
