/** Identity nodes that only give a value its output name cost a copy of it: the value is made under that name instead. */
import { type Graph, type Node, readsOf } from '../onnx/graph.ts';

/** Removes every Identity between a node's value and a graph output, where the value has no other output name. */
export function nameOutputsDirectly<G extends Graph>(graph: G): G {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  // Values read inside a subgraph keep their names.
  const captured = new Set(graph.nodes.flatMap((node) => readsOf(node).filter((name) => !node.inputs.includes(name))));
  const renamed = new Map<string, string>();
  const dropped = new Set<Node>();
  for (const node of graph.nodes) {
    const [value] = node.inputs;
    const [output] = node.outputs;
    if (node.operator !== 'Identity' || node.domain !== '' || !outputs.has(output)) continue;
    if (!made.has(value) || outputs.has(value) || renamed.has(value) || captured.has(value)) continue;
    renamed.set(value, output);
    dropped.add(node);
  }
  const rename = (name: string) => renamed.get(name) ?? name;
  const nodes = graph.nodes
    .filter((node) => !dropped.has(node))
    // Nodes are named after their first output: the old name may be given to another value later.
    .map((node) => ({
      ...node,
      name: node.outputs.includes(node.name) ? rename(node.name) : node.name,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    }));
  return { ...graph, nodes };
}
