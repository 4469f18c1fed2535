/** Common subexpressions: a node equal to an earlier one (operator, attributes, inputs) becomes the earlier one's value. */
import type { Graph, Node } from '../onnx/graph.ts';
import { isRepeatable } from './draws.ts';

/** Merges equal nodes; nodes with subgraphs, tensor attributes or random draws stay. Names of graph outputs are kept. */
export function mergeEqualNodes<G extends Graph>(graph: G): G {
  const same = new Map<string, string>();
  const known = new Map<string, Node>();
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const renamed = { ...node, inputs: node.inputs.map((input) => same.get(input) ?? input) };
    const key = keyOf(renamed);
    const earlier =
      key === undefined || node.outputs.some((output) => outputs.has(output)) ? undefined : known.get(key);
    if (earlier) {
      node.outputs.forEach((output, i) => {
        same.set(output, earlier.outputs[i]);
      });
      continue;
    }
    if (key !== undefined) known.set(key, renamed);
    nodes.push(renamed);
  }
  return { ...graph, nodes };
}

function keyOf(node: Node): string | undefined {
  if (!isRepeatable(node)) return undefined;
  const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (attributes.some(([, { kind }]) => kind === 'tensor')) return undefined;
  const written = attributes.map(([name, attribute]) => [name, attribute.value]);
  return JSON.stringify([node.domain, node.operator, node.inputs, node.outputs.map(Boolean), written]);
}
