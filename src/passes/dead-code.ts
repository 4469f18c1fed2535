/** Dead code: nodes and initialisers that no graph output depends on. */
import { type Graph, readsOf } from '../onnx/graph.ts';

/** The graph without what its outputs do not need. Inputs stay: they are the graph's interface. */
export function withoutDeadCode<G extends Graph>(graph: G): G {
  const live = new Set(graph.outputs.map((output) => output.name));
  const nodes = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.outputs.some((output) => live.has(output))) continue;
    for (const name of readsOf(node)) live.add(name);
    nodes.push(node);
  }
  const initializers = new Map([...graph.initializers].filter(([name]) => live.has(name)));
  return { ...graph, nodes: nodes.reverse(), initializers };
}
