/** The topological order of a graph's nodes. */
import { RgiError } from '../errors.ts';
import { describeNode, type Graph, type Node, producersOf, readsOf } from './graph.ts';

/**
 * The graph with its nodes in topological order: as they are, but that a node which stands after a reader is moved to just before the
 * first one. Throws `model` for cycles.
 */
export function inOrder<G extends Graph>(graph: G): G {
  const producers = producersOf(graph);
  const begun = new Set<Node>();
  const ordered = new Set<Node>();
  for (const wanted of graph.nodes) {
    const path = [wanted];
    while (path.length > 0) {
      const node = path[path.length - 1];
      if (begun.has(node)) {
        ordered.add(node);
        path.pop();
        continue;
      }
      begun.add(node);
      const needed = readsOf(node).flatMap((name) => producers.get(name) ?? []);
      for (const producer of needed.reverse()) {
        if (ordered.has(producer)) continue;
        // What was begun and has not ended waits for this node.
        if (begun.has(producer)) throw circle(producer);
        path.push(producer);
      }
    }
  }
  return { ...graph, nodes: [...ordered] };
}

function circle(node: Node): RgiError {
  return new RgiError(
    'model',
    `The model runs in a circle: ${describeNode(node)} needs a value that is made from its own result.`,
    { node: node.name, operator: node.operator },
  );
}
