/** Puts one graph inside another: nodes and initialisers under a prefix, inputs bound to values of the host. */
import type { GraphBuilder, Value } from './builder.ts';
import type { Attribute, Graph, Node } from './graph.ts';

/**
 * Appends `graph` to `b` with every inner name prefixed, inputs replaced by `bindings`. Returns the host's names of the
 * inner values asked for (`wanted`, default the graph's outputs). With an empty prefix names stay as they are.
 */
export function appendGraph(
  b: GraphBuilder,
  graph: Graph,
  prefix: string,
  bindings: ReadonlyMap<string, Value>,
  wanted: readonly string[] = graph.outputs.map((output) => output.name),
): Map<string, Value> {
  const rename = (name: string): Value => (name === '' ? '' : (bindings.get(name) ?? prefix + name));
  for (const [name, tensor] of graph.initializers) b.initializer(rename(name), tensor);
  for (const node of graph.nodes) b.append(renamed(node, rename, prefix));
  return new Map(wanted.map((name) => [name, rename(name)]));
}

function renamed(node: Node, rename: (name: string) => string, prefix: string): Node {
  const attributes: Record<string, Attribute> = {};
  for (const [key, attribute] of Object.entries(node.attributes)) {
    attributes[key] =
      attribute.kind === 'graph' ? { kind: 'graph', value: renamedGraph(attribute.value, rename, prefix) } : attribute;
  }
  return {
    ...node,
    name: node.name && prefix + node.name,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes,
  };
}

/** A subgraph sees the outer scope: all its names are renamed alike. */
function renamedGraph(graph: Graph, rename: (name: string) => string, prefix: string): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, name: rename(input.name) })),
    outputs: graph.outputs.map((output) => ({ ...output, name: rename(output.name) })),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor])),
    nodes: graph.nodes.map((node) => renamed(node, rename, prefix)),
  };
}
