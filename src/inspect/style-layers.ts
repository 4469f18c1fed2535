/** The layers that a value styles, and the graph in which each has a row of its own: how W becomes W+. */
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';

/** Operators with weights: where a layer begins. */
const LAYERS = new Set(['Gemm', 'MatMul', 'Conv']);

/** The nodes that read `name` by value, those of one layer together, in the order of the graph. */
export function readersByLayer({ nodes }: Graph, name: string): Node[][] {
  const layers = new Map<string, Node[]>();
  const consumers = consumersOf(nodes);
  for (const node of consumers.get(name) ?? []) {
    if (asksShape(node, name)) continue;
    const key = [...layersFrom(node, consumers)].map((layer) => nodes.indexOf(layer)).join();
    layers.set(key, [...(layers.get(key) ?? []), node]);
  }
  return [...layers.values()];
}

function asksShape({ operator, inputs }: Node, name: string): boolean {
  return operator === 'Shape' && inputs[0] === name;
}

/** The first nodes with weights at or behind `node`. */
function layersFrom(node: Node, consumers: ReadonlyMap<string, readonly Node[]>): Set<Node> {
  const found = new Set<Node>();
  const seen = new Set<Node>();
  const open = [node];
  for (let next = open.pop(); next; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (LAYERS.has(next.operator)) found.add(next);
    else open.push(...next.outputs.flatMap((output) => consumers.get(output) ?? []));
  }
  return found;
}

function consumersOf(nodes: readonly Node[]): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) {
      const known = consumers.get(input);
      if (known) known.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}

/**
 * `graph`, whose one input of shape [N, size] is read by several layers, with an input of shape [N, layers, size] of the same name: the
 * i-th layer reads the i-th row. Dimensions of the input are left to the caller.
 */
export function withRowPerLayer(graph: Graph): Graph {
  const [{ name }] = graph.inputs;
  const b = new GraphBuilder(graph);
  const rowOf = new Map<Node, string>();
  readersByLayer(graph, name).forEach((readers, layer) => {
    const row = b.Gather(name, b.int(layer), 1);
    for (const reader of readers) rowOf.set(reader, row);
    // Who asks for the shape of w gets that of a row.
    if (layer === 0) for (const node of graph.nodes) if (asksShape(node, name)) rowOf.set(node, row);
  });
  const rows = b.nodes.slice(graph.nodes.length);
  const nodes = graph.nodes.map((node) => {
    const row = rowOf.get(node);
    return row === undefined ? node : { ...node, inputs: node.inputs.map((input) => (input === name ? row : input)) };
  });
  return { ...b.graph(graph.name, graph.inputs, graph.outputs), nodes: [...rows, ...nodes] };
}
