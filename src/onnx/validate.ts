/** What the rest relies on: every value is made once, everything read is made, and nodes stand in topological order. */
import { RgiError } from '../errors.ts';
import { type Attribute, describeNode, type Graph, type Node, readsOf } from './graph.ts';

/** The graph with its nodes in order. Throws `model` for values made twice or never, and for cycles. */
export function validateGraph(graph: Graph, outer: ReadonlySet<string> = new Set()): Graph {
  const sources = [...graph.inputs.map((input) => input.name), ...graph.initializers.keys()];
  const makers = new Map<string, number>();
  const known = new Set<string>();
  for (const name of sources) {
    if (known.has(name)) throw twice(name);
    known.add(name);
  }
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) {
      if (!output) continue;
      if (known.has(output) || makers.has(output)) throw twice(output);
      makers.set(output, i);
    }
  });
  const visible = new Set([...outer, ...known, ...makers.keys()]);
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
  return inOrder({ ...graph, nodes }, makers);
}

/** Kahn's algorithm; a graph already in order is returned as it is. */
function inOrder(graph: Graph, makers: ReadonlyMap<string, number>): Graph {
  const needs = graph.nodes.map((node) => {
    const nodes = readsOf(node).map((name) => makers.get(name));
    return [...new Set(nodes.filter((i): i is number => i !== undefined))];
  });
  if (needs.every((list, i) => list.every((j) => j < i))) return graph;
  const users = graph.nodes.map((): number[] => []);
  needs.forEach((list, i) => {
    for (const j of list) users[j].push(i);
  });
  const open = needs.map((list) => list.length);
  const order = open.flatMap((count, i) => (count === 0 ? [i] : []));
  for (let next = 0; next < order.length; next++) {
    for (const user of users[order[next]]) if (--open[user] === 0) order.push(user);
  }
  if (order.length < graph.nodes.length) {
    const node = graph.nodes[open.findIndex((count) => count > 0)];
    throw new RgiError(
      'model',
      `The model runs in a circle: ${describeNode(node)} needs a value that is made from its own result.`,
      { node: node.name, operator: node.operator },
    );
  }
  return { ...graph, nodes: order.map((i) => graph.nodes[i]) };
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
