/**
 * What a run reports of inner values without returning them: their dimensions, and an empty tensor of their element type. The inner
 * values of a generator of 256 px, kept together, are gigabytes.
 */
import type { DeclaredType, Graph, Node } from '../onnx/graph.ts';
import { ints, numbersOf, type Tensor, type TensorType } from '../onnx/tensor.ts';

const shapeName = (value: string) => `shape-of/${value}`;
const flatName = (value: string) => `flat/${value}`;
const emptyName = (value: string) => `none-of/${value}`;
/** Initialisers: the shape of a list, and no positions. */
const [LIST, NONE] = ['shape-of-a-list', 'no-positions'];

/** A graph that reports on every inner value when it is run for `wanted`. */
export interface Probed {
  readonly graph: Graph;
  /** The inner values of the graph. */
  readonly values: readonly string[];
  readonly wanted: readonly string[];
}

/** The graph with probes for the dimensions of its inner values; `dimsOf` reads the answer. */
export function withShapeProbes(graph: Graph): Probed {
  const values = innerValues(graph);
  return {
    graph: { ...graph, nodes: withEach(graph.nodes, values, shapeProbe) },
    values,
    wanted: values.map(shapeName),
  };
}

/** The dimensions of `value`. */
export function dimsOf(value: string, found: ReadonlyMap<string, Tensor>): number[] {
  return numbersOf(found.get(shapeName(value))!);
}

/** The rank of `value` where the graph has been opened, not run. */
export function rankOf(value: string, found: ReadonlyMap<string, DeclaredType>): number | undefined {
  return found.get(shapeName(value))?.dims[0];
}

/** The graph with probes for element types and dimensions; `typeOf` reads the answer. */
export function withTypeProbes(graph: Graph): Probed {
  const values = innerValues(graph);
  const probes = (value: string) => [
    ...shapeProbe(value),
    nodeOf('Reshape', [value, LIST], flatName(value)),
    nodeOf('Gather', [flatName(value), NONE], emptyName(value)),
  ];
  const initializers = new Map([...graph.initializers, [LIST, ints([-1])], [NONE, ints([])]]);
  return {
    graph: { ...graph, nodes: withEach(graph.nodes, values, probes), initializers },
    values,
    wanted: [...values.map(shapeName), ...values.map(emptyName)],
  };
}

/** Element type and dimensions of `value`. */
export function typeOf(value: string, found: ReadonlyMap<string, Tensor>): TensorType {
  return { type: found.get(emptyName(value))!.type, dims: dimsOf(value, found) };
}

function shapeProbe(value: string): Node[] {
  return [nodeOf('Shape', [value], shapeName(value))];
}

function innerValues({ nodes }: Graph): string[] {
  return nodes.flatMap(({ outputs }) => outputs.filter((output) => output));
}

/**
 * The nodes, and after them the probes of what they make, the last value's first. ONNX Runtime runs what the last output node needs
 * first, so that each probe runs as soon as its value is made; in the other order every value would be kept until the end.
 */
function withEach(
  nodes: readonly Node[],
  values: readonly string[],
  probes: (value: string) => readonly Node[],
): Node[] {
  return [...nodes, ...[...values].reverse().flatMap(probes)];
}

function nodeOf(operator: string, inputs: readonly string[], output: string): Node {
  return { operator, domain: '', name: output, inputs, outputs: [output], attributes: {} };
}
