/**
 * Lists of tensors (SplitToSequence, SequenceAt, ...), which exporters write for unbind, split and stack, resolved to
 * plain tensors: every list's making is known from the file, so that each read of it becomes a Gather, Slice or Concat.
 */
import { RgiError } from '../errors.ts';
import { GraphBuilder, type Value } from './builder.ts';
import { type Attribute, describeNode, type Graph, intAttribute, type Node } from './graph.ts';
import { namesOf } from './lift.ts';
import { numbersOf, type Tensor } from './tensor.ts';

/** A list by its elements, or as a tensor cut along an axis into parts whose number only the tensor's shape tells. */
type Sequence = readonly Value[] | Cut;

interface Cut {
  readonly x: Value;
  readonly axis: number;
  /** Sizes of the parts: one for all of them, or one each; absent: 1. */
  readonly sizes?: Value;
  /** Parts of size 1 without the axis. */
  readonly squeezed: boolean;
}

interface Surroundings {
  readonly sequences: ReadonlyMap<Value, Sequence>;
  readonly constantOf: (value: Value) => Tensor | undefined;
  readonly taken: Set<string>;
}

/** The graph (of the working opset) without sequence operators. Throws `unsupported-operator` where a list stays. */
export function withoutSequences(graph: Graph): Graph {
  if (!hasSequences(graph)) return graph;
  return resolve(graph, { sequences: new Map(), constantOf: () => undefined, taken: namesOf(graph) });
}

const OPERATORS = /^(Sequence(Empty|Construct|Insert|Erase|At|Length)|SplitToSequence|ConcatFromSequence)$/;

function isSequenceOperator(node: Node): boolean {
  return node.domain === '' && OPERATORS.test(node.operator);
}

function hasSequences(graph: Graph): boolean {
  return graph.nodes.some(
    (node) =>
      isSequenceOperator(node) ||
      Object.values(node.attributes).some((attribute) => attribute.kind === 'graph' && hasSequences(attribute.value)),
  );
}

function resolve(graph: Graph, around: Surroundings): Graph {
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const name of around.taken) b.reserve(name);
  const sequences = new Map(around.sequences);
  const constants = new Map(graph.initializers);
  const constantOf = (value: Value) => constants.get(value) ?? around.constantOf(value);
  for (const node of graph.nodes) {
    const before = b.nodes.length;
    const list = node.inputs.map((input) => sequences.get(input)).find((sequence) => sequence !== undefined);
    const value = node.operator === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind === 'tensor') constants.set(node.outputs[0], value.value);
    if (isSequenceOperator(node)) {
      const made = b.scope(node.outputs[0], () => rewrite({ b, node, sequences, constantOf }));
      if (made !== undefined) sequences.set(node.outputs[0], made);
    } else if (list !== undefined && node.operator === 'Identity') sequences.set(node.outputs[0], list);
    else if (list !== undefined) throw unresolved(node, 'it reads a list of tensors');
    else {
      const attributes = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
        name,
        attribute.kind === 'graph'
          ? { kind: 'graph', value: resolve(attribute.value, { ...around, sequences, constantOf }) }
          : attribute,
      ]);
      b.append({ ...node, attributes: Object.fromEntries(attributes) });
    }
    for (const made of b.nodes.slice(before)) for (const output of made.outputs) around.taken.add(output);
  }
  for (const name of b.initializers.keys()) around.taken.add(name);
  const list = graph.outputs.find((output) => sequences.has(output.name));
  if (list) {
    const message = `'${list.name}' is a list of tensors, which cannot be an output. Export the model with single tensors.`;
    throw new RgiError('unsupported-operator', message, { tensor: list.name });
  }
  return b.graph(graph.name, graph.inputs, graph.outputs);
}

interface Context {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly sequences: ReadonlyMap<Value, Sequence>;
  readonly constantOf: (value: Value) => Tensor | undefined;
}

/** Emits what the node computes under its output's name; where that is a list, returns it. */
function rewrite(context: Context): Sequence | undefined {
  const { b, node } = context;
  const [first, second, third] = node.inputs;
  const [output] = node.outputs;
  const copy = (value: Value) => void b.node('Identity', [value], {}, [output]);
  switch (node.operator) {
    case 'SequenceEmpty':
      return [];
    case 'SequenceConstruct':
      return [...node.inputs];
    case 'SplitToSequence': {
      const squeezed = !second && intAttribute(node, 'keepdims', 1) === 0;
      return { x: first, axis: intAttribute(node, 'axis', 0), sizes: second || undefined, squeezed };
    }
    case 'SequenceInsert': {
      const parts = partsOf(context, listOf(context));
      return parts.toSpliced(third ? positionOf(context, third, parts.length) : parts.length, 0, second);
    }
    case 'SequenceErase': {
      const parts = partsOf(context, listOf(context));
      return parts.toSpliced(second ? positionOf(context, second, parts.length) : -1, 1);
    }
    case 'SequenceAt':
      copy(elementOf(context, listOf(context), second));
      return undefined;
    case 'SequenceLength': {
      const list = listOf(context);
      copy(isCut(list) ? b.Squeeze(countOf(b, list), [0]) : b.int(list.length));
      return undefined;
    }
    default:
      copy(joined(context, listOf(context)));
      return undefined;
  }
}

function isCut(sequence: Sequence): sequence is Cut {
  return 'x' in sequence;
}

function listOf({ node, sequences }: Context): Sequence {
  const list = sequences.get(node.inputs[0]);
  if (list === undefined) throw unresolved(node, `the making of its list '${node.inputs[0]}' cannot be followed`);
  return list;
}

function partsOf({ node }: Context, list: Sequence): readonly Value[] {
  if (isCut(list)) throw unresolved(node, 'it changes a list whose length depends on a shape');
  return list;
}

function numberOf({ node, constantOf }: Context, value: Value): number {
  const constant = constantOf(value);
  if (!constant) throw unresolved(node, 'its position is not a constant');
  const [number] = numbersOf(constant);
  if (!Number.isInteger(number)) throw unresolved(node, 'its position is not a whole number');
  return number;
}

function positionOf(context: Context, value: Value, length: number): number {
  const position = numberOf(context, value);
  return position < 0 ? position + length : position;
}

function elementOf(context: Context, list: Sequence, position: Value): Value {
  const { b, node, constantOf } = context;
  const at = numberOf(context, position);
  if (!isCut(list)) {
    const part = list.at(at);
    if (part === undefined) throw unresolved(node, `its list has ${list.length} tensors and no number ${at}`);
    return part;
  }
  const { x, axis, sizes, squeezed } = list;
  if (!sizes) return b.Gather(x, squeezed ? b.int(at) : b.ints([at]), axis);
  const known = constantOf(sizes);
  if (known && at >= 0) {
    const each = numbersOf(known);
    if (known.dims.length > 0 && at >= each.length)
      throw unresolved(node, `its list has ${each.length} tensors and no number ${at}`);
    const start = known.dims.length === 0 ? at * each[0] : each.slice(0, at).reduce((sum, size) => sum + size, 0);
    return b.Slice(x, [start], [start + (known.dims.length === 0 ? each[0] : each[at])], [axis]);
  }
  // One size for all and a list of one size differ only where this part is not the first.
  const each = b.Reshape(b.Cast(sizes, 'int64'), [-1]);
  const number = at >= 0 ? b.ints([at]) : b.Add(countOf(b, list), b.ints([at]));
  const given = b.Reshape(b.node('Size', [each])[0], [-1]);
  const size = b.Gather(each, b.Min(number, b.Sub(given, b.ints([1]))), 0);
  const [before] = b.node('Slice', [each, b.ints([0]), number, b.ints([0])]);
  const start = b.Where(b.Equal(given, b.ints([1])), b.Mul(number, size), b.ReduceSum(before, [0]));
  return b.node('Slice', [x, start, b.Add(start, size), b.ints([axis])])[0];
}

/** The number of parts, [1]. */
function countOf(b: GraphBuilder, { x, axis, sizes }: Cut): Value {
  const length = b.Gather(b.node('Shape', [x])[0], b.ints([axis]), 0);
  if (!sizes) return length;
  const each = b.Reshape(b.Cast(sizes, 'int64'), [-1]);
  const given = b.Reshape(b.node('Size', [each])[0], [-1]);
  const size = b.Gather(each, b.ints([0]), 0);
  const equal = b.Div(b.Add(length, b.Sub(size, b.ints([1]))), size);
  return b.Where(b.Equal(given, b.ints([1])), equal, given);
}

function joined({ b, node }: Context, list: Sequence): Value {
  const axis = intAttribute(node, 'axis', 0);
  const stacked = intAttribute(node, 'new_axis', 0) === 1;
  if (!isCut(list))
    return b.node('Concat', stacked ? list.map((part) => b.Unsqueeze(part, [axis])) : list, { axis })[0];
  if (list.axis === axis && list.squeezed === stacked) return list.x;
  throw unresolved(node, 'it joins, along another axis, a list whose length depends on a shape');
}

function unresolved(node: Node, why: string): RgiError {
  return new RgiError(
    'unsupported-operator',
    `${describeNode(node)} works on a list of tensors, and ${why}. Export the model with fixed sizes, or index tensors in place of lists.`,
    { node: node.name, operator: node.operator },
  );
}
