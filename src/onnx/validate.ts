/** What the rest relies on: every value is made once, everything read is made, and nodes stand in topological order. */
import { RgiError } from '../errors.ts';
import { type Attribute, describeNode, type Graph, type Node, readsOf } from './graph.ts';
import { inOrder } from './order.ts';

/** The graph with its nodes in order. Throws `model` for values made twice or never, and for cycles. */
export function validateGraph(graph: Graph, outer: ReadonlySet<string> = new Set()): Graph {
  const sources = [...graph.inputs.map((input) => input.name), ...graph.initializers.keys()];
  const made = new Set<string>();
  const known = new Set<string>();
  for (const name of sources) {
    if (known.has(name)) throw twice(name);
    known.add(name);
  }
  for (const output of graph.nodes.flatMap(({ outputs }) => outputs)) {
    if (!output) continue;
    if (known.has(output) || made.has(output)) throw twice(output);
    made.add(output);
  }
  const visible = new Set([...outer, ...known, ...made]);
  const nodes = graph.nodes.map((node) => {
    const entries = Object.entries(node.attributes);
    if (!entries.some(([, attribute]) => attribute.kind === 'graph')) return node;
    const sound = entries.map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: validateGraph(attribute.value, visible) } : attribute,
    ]);
    return { ...node, attributes: Object.fromEntries(sound) };
  });
  for (const node of nodes) {
    for (const name of readsOf(node)) if (!visible.has(name)) throw neverMade(describeNode(node), name, node);
  }
  for (const output of graph.outputs) {
    if (!visible.has(output.name)) throw neverMade("The model's list of outputs", output.name);
  }
  return inOrder({ ...graph, nodes });
}

function twice(name: string): RgiError {
  return new RgiError('model', `The value '${name}' is made twice in the model: it is damaged.`, { tensor: name });
}

function neverMade(reader: string, name: string, node?: Node): RgiError {
  return new RgiError('model', `${reader} names the value '${name}', which nothing in the model makes.`, {
    tensor: name,
    ...(node ? { node: node.name, operator: node.operator } : {}),
  });
}
