/** Operators whose attributes became inputs in a later opset: the attribute's value becomes a constant input. */
import type { Value } from '../builder.ts';
import { floatAttribute, intAttribute, intsAttribute, type Node } from '../graph.ts';
import { tensorOf } from '../tensor.ts';
import { attributesWith, emit, type LiftContext, type LiftTable } from './context.ts';

/** `axes` as the second input. No axes, or an empty list of them, meant all axes, as an absent input does. */
function axesToInput({ b }: LiftContext, node: Node): void {
  const axes = intsAttribute(node, 'axes') ?? [];
  emit(b, node, {
    inputs: axes.length > 0 ? [node.inputs[0], b.ints(axes)] : [node.inputs[0]],
    attributes: attributesWith(node, ['axes']),
  });
}

function sliceToInputs({ b }: LiftContext, node: Node): void {
  const starts = intsAttribute(node, 'starts') ?? [];
  const ends = intsAttribute(node, 'ends') ?? [];
  const axes = intsAttribute(node, 'axes') ?? starts.map((_, i) => i);
  emit(b, node, { inputs: [node.inputs[0], b.ints(starts), b.ints(ends), b.ints(axes)], attributes: {} });
}

/** Sizes become an input; without sizes the parts are equal, and their number must be said from opset 18 on. */
function splitToInput({ b, opset }: LiftContext, node: Node): void {
  const sizes = opset < 13 ? intsAttribute(node, 'split') : undefined;
  const given = sizes ? b.ints(sizes) : opset >= 13 ? (node.inputs[1] ?? '') : '';
  emit(b, node, {
    inputs: given ? [node.inputs[0], given] : [node.inputs[0]],
    attributes: attributesWith(
      node,
      ['split', 'num_outputs'],
      given ? {} : { num_outputs: { kind: 'int', value: node.outputs.length } },
    ),
  });
}

function padToInputs({ b }: LiftContext, node: Node): void {
  const pads = intsAttribute(node, 'pads') ?? intsAttribute(node, 'paddings') ?? [];
  const value = floatAttribute(node, 'value', 0);
  emit(b, node, {
    inputs: [node.inputs[0], b.ints(pads), value === 0 ? '' : b.scalar(value)],
    attributes: attributesWith(node, ['pads', 'paddings', 'value']),
  });
}

function clipToInputs({ b }: LiftContext, node: Node): void {
  const bound = (name: string): Value =>
    node.attributes[name]?.kind === 'float' ? b.scalar(floatAttribute(node, name, 0)) : '';
  emit(b, node, { inputs: [node.inputs[0], bound('min'), bound('max')], attributes: {} });
}

function topKToInput({ b }: LiftContext, node: Node): void {
  emit(b, node, {
    inputs: [node.inputs[0], b.ints([intAttribute(node, 'k', 1)])],
    attributes: attributesWith(node, ['k']),
  });
}

/** DFT's axis counted from an attribute with default 1; later an input with default -2. */
function dftToInput({ b }: LiftContext, node: Node): void {
  const axis = b.constant(tensorOf('int64', [intAttribute(node, 'axis', 1)], []), 'axis');
  emit(b, node, {
    inputs: [node.inputs[0], node.inputs[1] ?? '', axis],
    attributes: attributesWith(node, ['axis']),
  });
}

const REDUCTIONS = ['Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'];

export const movedAttributes: LiftTable = {
  Squeeze: { until: 13, rewrite: axesToInput },
  Unsqueeze: { until: 13, rewrite: axesToInput },
  ReduceSum: { until: 13, rewrite: axesToInput },
  ...Object.fromEntries(REDUCTIONS.map((name) => [`Reduce${name}`, { until: 18, rewrite: axesToInput }])),
  Slice: { until: 10, rewrite: sliceToInputs },
  Split: { until: 18, rewrite: splitToInput },
  Pad: { until: 11, rewrite: padToInputs },
  Clip: { until: 11, rewrite: clipToInputs },
  TopK: { until: 10, rewrite: topKToInput },
  DFT: { until: 20, rewrite: dftToInput },
};
