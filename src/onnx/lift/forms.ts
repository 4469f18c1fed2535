/** Operators whose meaning or outputs changed: softmax over flattened axes, inference forms, group norm, constants. */
import { RgiError } from '../../errors.ts';
import { describeNode, floatAttribute, intAttribute, type Node } from '../graph.ts';
import { float32, ints, type Tensor, tensorOf } from '../tensor.ts';
import { attributesWith, emit, type LiftContext, type LiftTable } from './context.ts';

/** Before opset 13 the input was flattened to two axes at `axis` (default 1), and the second was normalised. */
function coercedSoftmax({ b }: LiftContext, node: Node): void {
  const axis = intAttribute(node, 'axis', 1);
  const attributes = { axis: { kind: 'int', value: -1 } } as const;
  if (axis === -1) {
    emit(b, node, { attributes });
    return;
  }
  const [x] = node.inputs;
  const [y] = node.outputs;
  b.scope(y, () => {
    const [flat] = b.node('Flatten', [x], { axis }, 1, 'flat');
    const normalised = b.fresh('normalised');
    emit(b, { ...node, outputs: [normalised] }, { inputs: [flat], attributes });
    const [shape] = b.node('Shape', [x], {}, 1, 'shape');
    b.node('Reshape', [normalised, shape], {}, [y]);
  });
}

/** Inference: the identity, and the mask that ONNX Runtime gives (false below opset 12, true later). Training mode, where it is asked for, stays as it is. */
function dropout(context: LiftContext, node: Node): void {
  const { b, opset } = context;
  const training = opset >= 12 ? node.inputs[2] : undefined;
  if (training && context.constantOf(training)?.data[0] !== 0) {
    context.note(`${describeNode(node)} is in training mode: export the model after model.eval().`);
    emit(b, node, {});
    return;
  }
  emit(b, node, { operator: 'Identity', inputs: [node.inputs[0]], outputs: [node.outputs[0]], attributes: {} });
  const mask = node.outputs[1];
  if (!mask) return;
  const fill: Tensor = opset < 10 ? float32([0]) : tensorOf('bool', [opset < 12 ? 0 : 1]);
  const [shape] = b.node('Shape', [node.inputs[0]], {}, 1, `${mask}/shape`);
  b.node('ConstantOfShape', [shape], { value: { kind: 'tensor', value: fill } }, [mask]);
}

/** Inference form: one output. `training_mode=1` (14 and later) stays as it is. */
function batchNormalization(context: LiftContext, node: Node): void {
  const { b } = context;
  if (intAttribute(node, 'training_mode', 0) === 1) {
    context.note(`${describeNode(node)} is in training mode: export the model after model.eval().`);
    emit(b, node, {});
    return;
  }
  if (intAttribute(node, 'spatial', 1) === 0) {
    throw new RgiError(
      'model',
      `${describeNode(node)} normalises every position by itself (spatial=0), which no opset from 9 on can say. Export the model again.`,
      { node: node.name, operator: node.operator },
    );
  }
  const extra = node.outputs.slice(1).some((output) => output);
  if (extra) {
    context.note(`${describeNode(node)} was exported with training outputs; its inference form is computed.`);
  }
  emit(b, node, {
    outputs: node.outputs.slice(0, 1),
    attributes: attributesWith(node, ['spatial', 'is_test', 'consumed_inputs', 'training_mode', 'momentum']),
  });
}

/** Channels that a group normalisation may have, where the file does not say. */
const MAX_GROUPS = 2 ** 16;

/**
 * Group normalisation by instance normalisation of [N, groups, rest]. Its scale and bias are one per group in opsets 18
 * to 20, one per channel later (and in files that some exporters wrote before).
 */
function groupNormalization(context: LiftContext, node: Node): void {
  const { b } = context;
  const [x, scale, bias] = node.inputs;
  const [y] = node.outputs;
  const groups = intAttribute(node, 'num_groups', 1);
  const epsilon = { kind: 'float', value: floatAttribute(node, 'epsilon', 1e-5) } as const;
  const channels = context.constantOf(scale)?.data.length;
  // Checked before anything is made for each group: the number comes from the file.
  if (!(groups >= 1 && groups <= (channels ?? MAX_GROUPS))) {
    const most =
      channels === undefined ? `; at most ${MAX_GROUPS} are accepted. The` : ` for ${channels} channels: the`;
    throw new RgiError('model', `${describeNode(node)} has ${groups} groups${most} model is damaged.`, {
      node: node.name,
      operator: node.operator,
    });
  }
  const perGroup = channels === undefined ? context.opset < 21 : context.opset < 21 && channels === groups;
  b.scope(y, () => {
    const [shape] = b.node('Shape', [x], {}, 1, 'shape');
    const [grouped] = b.node('Reshape', [x, b.ints([0, groups, -1])], {}, 1, 'grouped');
    const gain = perGroup ? scale : b.constant(float32(new Float32Array(groups).fill(1)), 'ones');
    const shift = perGroup ? bias : b.constant(float32(new Float32Array(groups)), 'zeros');
    const [normal] = b.node('InstanceNormalization', [grouped, gain, shift], { epsilon }, 1, 'normalised');
    if (perGroup) {
      b.node('Reshape', [normal, shape], {}, [y]);
      return;
    }
    const target =
      channels === undefined
        ? b.Concat([b.ints([0]), b.node('Shape', [scale])[0], b.ints([-1])], 0)
        : b.ints([0, channels, -1]);
    const [byChannel] = b.node('Reshape', [normal, target]);
    const scaled = b.Mul(byChannel, b.Unsqueeze(scale, [1]));
    b.node('Reshape', [b.Add(scaled, b.Unsqueeze(bias, [1])), shape], {}, [y]);
  });
}

/** Every form of Constant as its tensor. */
function constant({ b }: LiftContext, node: Node): void {
  const entries = Object.entries(node.attributes);
  const tensors = entries.map(([name, attribute]): Tensor | undefined => {
    if (attribute.kind === 'tensor' && name === 'value') return attribute.value;
    if (attribute.kind === 'float' && name === 'value_float') return float32([attribute.value], []);
    if (attribute.kind === 'floats' && name === 'value_floats') return float32(attribute.value);
    if (attribute.kind === 'int' && name === 'value_int') return tensorOf('int64', [attribute.value], []);
    if (attribute.kind === 'ints' && name === 'value_ints') return ints(attribute.value);
    return undefined;
  });
  const value = tensors.find((tensor) => tensor !== undefined);
  if (!value) {
    const form = entries.map(([name]) => name).join(', ') || 'no value';
    throw new RgiError('model', `${describeNode(node)} holds ${form}; constants are numbers or tensors of numbers.`, {
      node: node.name,
      operator: node.operator,
    });
  }
  emit(b, node, { attributes: { value: { kind: 'tensor', value } } });
}

function renamed(operator: string) {
  return ({ b }: LiftContext, node: Node): void => emit(b, node, { operator });
}

export const forms: LiftTable = {
  Softmax: { until: 13, rewrite: coercedSoftmax },
  LogSoftmax: { until: 13, rewrite: coercedSoftmax },
  Hardmax: { until: 13, rewrite: coercedSoftmax },
  Dropout: { rewrite: dropout },
  BatchNormalization: { rewrite: batchNormalization },
  GroupNormalization: { rewrite: groupNormalization },
  Constant: { rewrite: constant },
  Scatter: { rewrite: renamed('ScatterElements') },
};
