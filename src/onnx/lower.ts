/** From the working opset to opset 17, for files that are run by other programs: many of them know no later one. */
import { RgiError } from '../errors.ts';
import type { Versions } from './encode.ts';
import { describeNode, type Graph, intAttribute, type Node, readsOf, stringAttribute } from './graph.ts';
import { numbersOf, type Tensor } from './tensor.ts';

/** The opset that `lowered` makes, and the IR version that came with it. */
export const PORTABLE: Versions = { opset: 17, ir: 8n };

/** Operators of the standard domain that are younger than opset 17. */
const YOUNGER = new Set([
  'AffineGrid',
  'BitwiseAnd',
  'BitwiseNot',
  'BitwiseOr',
  'BitwiseXor',
  'CenterCropPad',
  'Col2Im',
  'DeformConv',
  'Gelu',
  'GroupNormalization',
  'ImageDecoder',
  'Mish',
  'RegexFullMatch',
  'StringConcat',
  'StringSplit',
]);

/** Reductions whose axes became an input in opset 18. */
const REDUCTIONS = new Set([
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSumSquare',
]);

/** The modes of GridSample that opset 20 renamed. */
const GRID_MODES: Readonly<Record<string, string>> = { linear: 'bilinear', cubic: 'bicubic' };

/**
 * The graph in operators of opset 17. Throws `unsupported-operator` for an operator, or a form of one, that opset 17 does not have, and for
 * operators outside of the standard domain.
 */
export function lowered(graph: Graph, around: ReadonlyMap<string, Tensor> = new Map()): Graph {
  const constants = new Map([...around, ...graph.initializers]);
  const nodes = graph.nodes.map((node) => loweredNode(withLoweredGraphs(node, constants), constants));
  // Axes that became attributes are read no more.
  const read = new Set([...nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  return { ...graph, nodes, initializers: new Map([...graph.initializers].filter(([name]) => read.has(name))) };
}

function withLoweredGraphs(node: Node, constants: ReadonlyMap<string, Tensor>): Node {
  const attributes = Object.entries(node.attributes).map(([name, attribute]) => [
    name,
    attribute.kind === 'graph' ? { ...attribute, value: lowered(attribute.value, constants) } : attribute,
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) };
}

function loweredNode(node: Node, constants: ReadonlyMap<string, Tensor>): Node {
  const { operator, attributes } = node;
  if (node.domain !== '' || YOUNGER.has(operator)) throw tooYoung(node, 'is not');
  if (REDUCTIONS.has(operator)) return loweredReduction(node, constants);
  switch (operator) {
    case 'Resize': {
      const hasNew = intAttribute(node, 'antialias', 0) === 1 || attributes.axes !== undefined;
      if (hasNew || stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
        throw tooYoung(node, 'has a form that is not');
      return without(node, ['antialias', 'keep_aspect_ratio_policy']);
    }
    case 'Pad':
      if (node.inputs[3] || stringAttribute(node, 'mode', 'constant') === 'wrap')
        throw tooYoung(node, 'has a form that is not');
      return node;
    case 'Split':
      // Without sizes the parts are equal, as many as there are outputs.
      return without(node, ['num_outputs']);
    case 'Cast':
      return without(node, ['saturate']);
    case 'AveragePool': {
      const dilations = attributes.dilations;
      if (dilations?.kind === 'ints' && dilations.value.some((v) => v !== 1))
        throw tooYoung(node, 'has a form that is not');
      return without(node, ['dilations']);
    }
    case 'GridSample': {
      const mode = stringAttribute(node, 'mode', 'linear');
      const value = GRID_MODES[mode] ?? mode;
      return { ...node, attributes: { ...attributes, mode: { kind: 'string', value } } };
    }
    default:
      return node;
  }
}

function loweredReduction(node: Node, constants: ReadonlyMap<string, Tensor>): Node {
  const [x, axes] = node.inputs;
  const bare = without(node, ['noop_with_empty_axes']);
  if (!axes) {
    if (intAttribute(node, 'noop_with_empty_axes', 0) === 1) throw tooYoung(node, 'has a form that is not');
    return { ...bare, inputs: [x] };
  }
  const known = constants.get(axes);
  if (!known) throw tooYoung(node, 'has axes that are computed, which are not');
  const value = numbersOf(known);
  return { ...bare, inputs: [x], attributes: { ...bare.attributes, axes: { kind: 'ints', value } } };
}

function without(node: Node, names: readonly string[]): Node {
  return {
    ...node,
    attributes: Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name))),
  };
}

function tooYoung(node: Node, what: string): RgiError {
  return new RgiError('unsupported-operator', `${describeNode(node)} ${what} in opset ${PORTABLE.opset} of ONNX.`, {
    node: node.name,
    operator: node.operator,
  });
}
