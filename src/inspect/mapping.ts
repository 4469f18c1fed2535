/**
 * The mapping network of a generator that styles all its layers by one vector (StyleGAN, Karras et al. 2019), found in the graph by what
 * it is, whatever an exporter calls its values.
 */
import type { Graph } from '../onnx/graph.ts';

/** Where a mapping network ends. */
export interface Mapping {
  /** Its output w, of shape [size] for one image. */
  readonly name: string;
  /** How many numbers w has. */
  readonly size: number;
  /** Where the graph itself repeats w for each layer: the value of shape [layers, size] for one image. */
  readonly broadcast?: { readonly name: string; readonly layers: number };
}

/** An inner value through which the picture depends on the inputs (`cutPoints`), and its shape for one image. */
export interface Cut {
  readonly name: string;
  readonly dims: readonly number[];
}

/** A value that fewer nodes read is a skip connection or a step of attention, not what styles all layers. */
export const MIN_READERS = 3;
/** Share of the graph between the value and its last reader. */
const MIN_SPAN = 1 / 3;

/** The value among `cuts`, all in their order, that most nodes read, if these are spread over the graph; and w, from which it is made. */
export function findMapping(graph: Graph, cuts: readonly Cut[]): Mapping | undefined {
  const position = new Map(graph.nodes.flatMap(({ outputs }, i) => outputs.map((name) => [name, i] as const)));
  const readers = cuts.map(({ name }) => readersOf(graph, name));
  const most = Math.max(0, ...readers.map(({ count }) => count));
  const at = readers.findIndex(({ count }) => count === most);
  if (most < MIN_READERS || cuts[at].dims.length > 2) return undefined;
  if (readers[at].last - position.get(cuts[at].name)! < MIN_SPAN * graph.nodes.length) return undefined;
  const before = cuts.slice(0, at + 1);
  const w = before.findLast(({ dims }) => dims.length === 1);
  if (!w) return undefined;
  const [size] = w.dims;
  const repeated = before.find(({ dims }) => dims.length === 2 && dims[0] > 1 && dims[1] === size);
  return { name: w.name, size, ...(repeated && { broadcast: { name: repeated.name, layers: repeated.dims[0] } }) };
}

/** How many nodes read `name` by value, each part of a split counted, and the position of the last. */
function readersOf(graph: Graph, name: string): { readonly count: number; readonly last: number } {
  let count = 0;
  let last = 0;
  graph.nodes.forEach((node, i) => {
    if (node.operator === 'Shape' || !node.inputs.includes(name)) return;
    const parts = node.operator === 'Split' ? node.outputs.map((part) => readersOf(graph, part)) : [];
    count += Math.max(1, parts.length);
    last = Math.max(i, ...parts.map((part) => part.last));
  });
  return { count, last };
}
