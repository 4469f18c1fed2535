/** Operators that pick elements: their gradient adds the cotangent back where it was picked. */
import { intAttribute } from '../../onnx/graph.ts';
import { numbersOf, sizeOf, tensorOf } from '../../onnx/tensor.ts';
import { type Cotangents, type RuleContext, type RuleTable, refuse } from '../rule.ts';
import { constantNumbers, normalAxis } from './axes.ts';
import { runsOf, scatterRuns } from './index-map.ts';
import { addSlices, zerosOf } from './scatter.ts';

/** Up to this many runs of consecutive indices, slices and pads are used rather than a scatter. */
const MAX_RUNS = 4;

export const indexing = {
  Gather: { gradient: gatherGradient },
  GatherElements: {
    gradient: (c) => [
      c.b.node('ScatterElements', [zerosOf(c, c.dims(0)), c.node.inputs[1], c.cotangents[0]!], {
        axis: intAttribute(c.node, 'axis', 0),
        reduction: 'add',
      })[0],
    ],
  },
  GatherND: { gradient: gatherNDGradient },
  TopK: { gradient: topKGradient },
  Compress: { gradient: compressGradient },
  // A permutation that is its own inverse.
  ReverseSequence: {
    gradient: ({ b, node, cotangents }) => [
      b.node('ReverseSequence', [cotangents[0]!, node.inputs[1]], node.attributes)[0],
    ],
  },
  // values = [off, on]
  OneHot: {
    gradient: ({ b, node, cotangents, wants, scalar, typeOf }) => {
      if (!wants(2)) return [];
      const pair = b.constant(tensorOf(typeOf(node.inputs[2]).type, [0, 1]));
      const [hot] = b.node('OneHot', [node.inputs[0], node.inputs[1], pair], { axis: intAttribute(node, 'axis', -1) });
      const g = cotangents[0]!;
      const cold = b.Sub(scalar(1, 2), hot);
      const sums = [cold, hot].map((part) => b.Reshape(b.ReduceSum(b.Mul(g, part), undefined, false), [1]));
      return [undefined, undefined, b.Concat(sums, 0)];
    },
  },
  // y_i = start + i delta
  Range: {
    gradient: ({ b, node, cotangents, wants, typeOf, outputDims }) => {
      const g = cotangents[0]!;
      const steps = Array.from({ length: outputDims(0)[0] }, (_, i) => i);
      const ramp = () => b.constant(tensorOf(typeOf(node.inputs[0]).type, steps));
      return [
        wants(0) ? b.ReduceSum(g, undefined, false) : undefined,
        undefined,
        wants(2) ? b.ReduceSum(b.Mul(g, ramp()), undefined, false) : undefined,
      ];
    },
  },
} satisfies RuleTable;

function gatherGradient(c: RuleContext): Cotangents {
  const { b, node, cotangents, dims, constant } = c;
  const axis = normalAxis(intAttribute(node, 'axis', 0), dims(0).length);
  const size = dims(0)[axis];
  const [before, after] = [dims(0).slice(0, axis), dims(0).slice(axis + 1)];
  const count = sizeOf(dims(1));
  if (count === 0) return [];
  const picked = [...before, count, ...after];
  const g = dims(1).length === 1 ? cotangents[0]! : b.Reshape(cotangents[0]!, picked);
  const known = constant(1);
  const map = known && numbersOf(known).map((index) => normalAxis(index, size));
  const runs = map && runsOf(map);
  if (runs && runs.length <= MAX_RUNS) return [scatterRuns(b, g, picked, axis, runs, size)];

  const flat = b.Reshape(g, [sizeOf(before), count, sizeOf(after)]);
  const column = map ? b.constant(tensorOf('int64', map, [1, count, 1])) : b.Reshape(node.inputs[1], [1, count, 1]);
  const indices = b.Expand(column, [sizeOf(before), count, sizeOf(after)]);
  const zeros = zerosOf(c, [sizeOf(before), size, sizeOf(after)]);
  const [sum] = b.node('ScatterElements', [zeros, indices, flat], { axis: 1, reduction: 'add' });
  return [b.Reshape(sum, dims(0))];
}

/** Batch dimensions become leading indices of their own. */
function gatherNDGradient(c: RuleContext): Cotangents {
  const { b, node, cotangents, dims, constant } = c;
  const batch = intAttribute(node, 'batch_dims', 0);
  let indices = node.inputs[1];
  let indexDims = [...dims(1)];
  const known = constant(1);
  if (batch > 0) {
    const lead = indexDims.slice(0, -1);
    const grid = Array.from({ length: sizeOf(lead) }, (_, row) => tupleOf(row, lead).slice(0, batch)).flat();
    const own = b.constant(tensorOf('int64', grid, [...lead, batch]));
    const given = c.typeOf(indices).type === 'int64' ? indices : b.Cast(indices, 'int64');
    indices = b.Concat([own, given], lead.length);
    indexDims = [...lead, batch + indexDims[indexDims.length - 1]];
  }
  return [addSlices(c, indices, batch > 0 ? undefined : known, indexDims, cotangents[0]!, dims(0))];
}

/** The row-major position as coordinates. */
function tupleOf(position: number, dims: readonly number[]): number[] {
  const tuple = new Array<number>(dims.length);
  let rest = position;
  for (let i = dims.length - 1; i >= 0; i--) {
    tuple[i] = rest % dims[i];
    rest = Math.floor(rest / dims[i]);
  }
  return tuple;
}

function topKGradient(c: RuleContext): Cotangents {
  const { b, node, cotangents, dims } = c;
  if (!cotangents[0]) return [];
  const axis = intAttribute(node, 'axis', -1);
  const places = node.outputs[1];
  return [b.node('ScatterElements', [zerosOf(c, dims(0)), places, cotangents[0]], { axis, reduction: 'add' })[0]];
}

function compressGradient(c: RuleContext): Cotangents {
  const { b, node, cotangents, dims } = c;
  const condition = constantNumbers(c, 1, 'condition');
  if (!condition) refuse(node, 'its condition is missing.');
  const map = condition.flatMap((chosen, i) => (chosen ? [i] : []));
  const flat = node.attributes.axis === undefined;
  const shape = flat ? [sizeOf(dims(0))] : [...dims(0)];
  const axis = flat ? 0 : normalAxis(intAttribute(node, 'axis', 0), shape.length);
  if (map.length === 0) return [];
  const picked = shape.map((d, i) => (i === axis ? map.length : d));
  const dx = scatterRuns(b, cotangents[0]!, picked, axis, runsOf(map), shape[axis]);
  return [flat ? b.Reshape(dx, dims(0)) : dx];
}
