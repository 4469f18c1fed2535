/** One float type inside: float16, bfloat16 and float64 values, types and casts become float32. */
import { elementCode } from './element-codes.ts';
import type { Attribute, Graph, Node, ValueInfo } from './graph.ts';
import { castTensor, type ElementType, isFloat, type Tensor } from './tensor.ts';

/** Attributes that hold an element type, in whatever operator. */
const TYPE_ATTRIBUTES = new Set(['to', 'dtype', 'output_dtype', 'output_datatype']);

const OTHER_FLOATS = new Map<number, string>([
  [elementCode('float16'), 'float16'],
  [elementCode('float64'), 'float64'],
  [16, 'bfloat16'],
]);

/** The graph in float32; the names of the other float types met are added to `found`. */
export function widenFloats(graph: Graph, found: Set<string>): Graph {
  const type = (given: ElementType): ElementType => {
    if (!isFloat(given) || given === 'float32') return given;
    found.add(given);
    return 'float32';
  };
  const tensor = (given: Tensor): Tensor => {
    const wanted = type(given.type);
    return wanted === given.type ? given : castTensor(given, wanted);
  };
  const info = (given: ValueInfo): ValueInfo => ({ ...given, type: type(given.type) });
  const attribute = (name: string, given: Attribute): Attribute => {
    if (given.kind === 'tensor') return { kind: 'tensor', value: tensor(given.value) };
    if (given.kind === 'graph') return { kind: 'graph', value: widenFloats(given.value, found) };
    const other = given.kind === 'int' && TYPE_ATTRIBUTES.has(name) ? OTHER_FLOATS.get(given.value) : undefined;
    if (!other) return given;
    found.add(other);
    return { kind: 'int', value: elementCode('float32') };
  };
  // Nodes that need no change stay the same objects: what is known about them is kept by identity.
  const node = (given: Node): Node => {
    const entries = Object.entries(given.attributes);
    const changed = entries.map(([name, value]): [string, Attribute] => [name, attribute(name, value)]);
    return changed.every(([, value], i) => value === entries[i][1])
      ? given
      : { ...given, attributes: Object.fromEntries(changed) };
  };
  return {
    name: graph.name,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    initializers: new Map([...graph.initializers].map(([name, value]) => [name, tensor(value)])),
    nodes: graph.nodes.map(node),
  };
}
