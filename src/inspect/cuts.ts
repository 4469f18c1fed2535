/** Where a generator can be cut: inner values that alone decide the picture, such as W of a StyleGAN or a feature map. */
import { type Graph, readsOf } from '../onnx/graph.ts';

/** Operators whose result tells the shape of a value, not the value. */
const SHAPES = new Set(['Shape', 'Size']);

/**
 * Names, in order, of the values through which all of `output`'s dependence on the graph's inputs passes: after the node
 * that makes such a value, no other input-dependent value made before is read any more.
 */
export function cutPoints(graph: Graph, output: string): string[] {
  const variable = new Set(graph.inputs.map((input) => input.name));
  const lastRead = new Map<string, number>([[output, graph.nodes.length]]);
  for (const node of graph.nodes) {
    if (!SHAPES.has(node.operator) && readsOf(node).some((name) => variable.has(name))) {
      for (const made of node.outputs) variable.add(made);
    }
  }
  const needed = new Set([output]);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (SHAPES.has(node.operator) || !node.outputs.some((made) => needed.has(made))) continue;
    for (const name of readsOf(node)) {
      needed.add(name);
      if (variable.has(name) && !lastRead.has(name)) lastRead.set(name, i);
    }
  }
  const alive = new Set(
    [...variable].filter((name) => lastRead.has(name) && graph.inputs.some((i) => i.name === name)),
  );
  const cuts: string[] = [];
  graph.nodes.forEach((node, i) => {
    for (const name of [...alive]) if (lastRead.get(name)! <= i) alive.delete(name);
    const made = node.outputs.filter((name) => variable.has(name) && lastRead.has(name));
    for (const name of made) alive.add(name);
    if (alive.size === 1 && made.length === 1 && made[0] !== output) cuts.push(made[0]);
  });
  return cuts;
}
