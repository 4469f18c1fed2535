/**
 * What a run tells of inner values without returning them: their dimensions, and an empty tensor of their element type. The inner
 * values of a generator of 256 px, kept together, are gigabytes.
 */
import type { Graph, Node } from '../onnx/graph.ts';
import { ints, numbersOf, type Tensor, type TensorType } from '../onnx/tensor.ts';

const shapeName = (value: string) => `shape-of/${value}`;
const flatName = (value: string) => `flat/${value}`;
const emptyName = (value: string) => `none-of/${value}`;
/** Initialisers: the shape of a list, and no positions. */
const [LIST, NONE] = ['shape-of-a-list', 'no-positions'];

/** The values whose run tells the dimensions of `values`. */
export function shapeProbes(values: readonly string[]): { readonly nodes: Node[]; readonly wanted: string[] } {
  return {
    nodes: values.map((value) => nodeOf('Shape', [value], shapeName(value))),
    wanted: values.map(shapeName),
  };
}

/** The dimensions of `value`, from what `shapeProbes` asked for. */
export function dimsOf(value: string, found: ReadonlyMap<string, Tensor>): number[] {
  return numbersOf(found.get(shapeName(value))!);
}

/** The graph with all that tells types and dimensions of `values`: ask it for `wanted`, and `typeOf` reads the answer. */
export function withTypeProbes(
  graph: Graph,
  values: readonly string[],
): { readonly graph: Graph; readonly wanted: string[] } {
  const shapes = shapeProbes(values);
  const empty = values.flatMap((value) => [
    nodeOf('Reshape', [value, LIST], flatName(value)),
    nodeOf('Gather', [flatName(value), NONE], emptyName(value)),
  ]);
  const initializers = new Map([...graph.initializers, [LIST, ints([-1])], [NONE, ints([])]]);
  return {
    graph: { ...graph, nodes: [...graph.nodes, ...shapes.nodes, ...empty], initializers },
    wanted: [...shapes.wanted, ...values.map(emptyName)],
  };
}

/** Element type and dimensions of `value`, from what `withTypeProbes` asked for. */
export function typeOf(value: string, found: ReadonlyMap<string, Tensor>): TensorType {
  return { type: found.get(emptyName(value))!.type, dims: dimsOf(value, found) };
}

function nodeOf(operator: string, inputs: readonly string[], output: string): Node {
  return { operator, domain: '', name: output, inputs, outputs: [output], attributes: {} };
}
