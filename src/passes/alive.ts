/** How long the values of a graph are held, and how many bytes that makes together, if its nodes run in the order in which they are written. */
import type { Value } from '../onnx/builder.ts';
import { type Graph, producersOf, readsOf } from '../onnx/graph.ts';

/** Operators whose result is their first input under another shape. */
const ALIASES = new Set(['Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten']);

/** The value whose memory a value has: its own, or that of the inner value that it is under another shape. */
export function rootsOf(graph: Graph): (name: Value) => Value {
  const producers = producersOf(graph);
  const rootOf = (name: Value): Value => {
    const node = producers.get(name);
    return node && ALIASES.has(node.operator) && producers.has(node.inputs[0]) ? rootOf(node.inputs[0]) : name;
  };
  return rootOf;
}

/** The most bytes of inner values at a time, each held from the node that makes it to the last one that reads it. */
export function peakOf(graph: Graph, bytesOf: (name: Value) => number): number {
  const producers = producersOf(graph);
  const rootOf = rootsOf(graph);
  const lastRead = new Map<Value, number>();
  graph.nodes.forEach((node, at) => {
    for (const name of readsOf(node)) lastRead.set(rootOf(name), at);
  });
  // Results have arrays of their own.
  const results = new Set(graph.outputs.map(({ name }) => name));
  const ending = new Map<number, Value[]>();
  for (const [name, at] of lastRead) ending.set(at, [...(ending.get(at) ?? []), name]);
  let [held, most] = [0, 0];
  graph.nodes.forEach(({ outputs }, at) => {
    for (const name of outputs) if (name && rootOf(name) === name && !results.has(name)) held += bytesOf(name);
    most = Math.max(most, held);
    for (const name of ending.get(at) ?? []) if (producers.has(name) && !results.has(name)) held -= bytesOf(name);
  });
  return most;
}
