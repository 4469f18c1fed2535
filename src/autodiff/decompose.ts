/**
 * Composite operators to primitive ones, where a gradient must pass: what is awkward to differentiate to any order (group
 * normalisation, Lp pooling) is written out once, forward, and the rules of the primitives do the rest.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { type Graph, type Node, readsOf, type StaticGraph } from '../onnx/graph.ts';
import { activeValues, typeIn } from './active-values.ts';
import type { Decomposition, DecompositionContext, DecompositionTable } from './decomposition.ts';
import { DECOMPOSITIONS } from './decompositions/index.ts';
import { RULES } from './rules/index.ts';

/**
 * The graph with the composite nodes between `wrt` and an output written out, all other names kept; the same object if
 * there was none. The new values have no types: specialise again.
 */
export function decompose(
  graph: StaticGraph,
  wrt: readonly Value[],
  table: DecompositionTable = DECOMPOSITIONS,
): Graph | StaticGraph {
  const reached = activeValues(graph, wrt, RULES);
  const composite = compositeNodes(graph, reached, table);
  if (composite.size === 0) return graph;
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) if (output) b.reserve(output);
  for (const node of graph.nodes) {
    if (composite.has(node)) writeOut(b, graph, node, table[node.operator]);
    else b.append(node);
  }
  return b.graph(graph.name, graph.inputs, graph.outputs);
}

/** Composite nodes that lie on a path from a reached value to an output of the graph. */
function compositeNodes(graph: StaticGraph, reached: Set<Value>, table: DecompositionTable): Set<Node> {
  const live = new Set(graph.outputs.map((output) => output.name));
  const found = new Set<Node>();
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.outputs.some((output) => live.has(output) && reached.has(output))) continue;
    const reads = readsOf(node).filter((name) => reached.has(name));
    if (reads.length === 0) continue;
    for (const name of reads) live.add(name);
    if (node.domain === '' && Object.hasOwn(table, node.operator)) found.add(node);
  }
  return found;
}

function writeOut(b: GraphBuilder, graph: StaticGraph, node: Node, emit: Decomposition): void {
  const start = b.nodes.length;
  const context: DecompositionContext = {
    b,
    node,
    typeOf: (value) => typeIn(graph, value),
    dims: (i) => typeIn(graph, node.inputs[i]).dims,
    outputDims: (i) => typeIn(graph, node.outputs[i]).dims,
    constant: (i) => graph.initializers.get(node.inputs[i]),
    has: (i) => Boolean(node.inputs[i]),
    asked: (i) => Boolean(node.outputs[i]),
  };
  const results = b.scope(node.name || node.outputs[0], () => emit(context));
  const made = new Set(b.nodes.slice(start).flatMap((inner) => inner.outputs));
  const names = new Map<Value, Value>();
  node.outputs.forEach((output, i) => {
    const result = results[i];
    if (!output || result === undefined) return;
    // Renaming the producer's output saves a copy; a value that is not ours, or is needed twice, must be copied.
    if (made.has(result) && !names.has(result)) names.set(result, output);
    else b.node('Identity', [result], {}, [output]);
  });
  const rename = (name: Value) => names.get(name) ?? name;
  for (let i = start; i < b.nodes.length; i++) {
    const inner = b.nodes[i];
    b.nodes[i] = { ...inner, inputs: inner.inputs.map(rename), outputs: inner.outputs.map(rename) };
  }
}
