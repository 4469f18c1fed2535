/** The weights of a generator by depth, for methods that tune shallow layers before deep ones (DGP). */
import { type Graph, readsOf } from '../../onnx/graph.ts';

/** DGP's generator (BigGAN at 128 pixels) has this many groups: the input layer, five blocks, the output. */
const GROUPS = 7;

/**
 * `weights` in at most seven groups, shallow first: ordered by the first node that uses them, directly or through nodes
 * of constants, and cut into runs of about equal numbers of layers; the first layer is a group of its own.
 */
export function layerGroups(graph: Graph, weights: readonly string[]): string[][] {
  const depths = new Map<string, number>();
  const roots = new Map<string, string[]>(weights.map((name) => [name, [name]]));
  const variable = new Set(graph.inputs.map((input) => input.name));
  graph.nodes.forEach((node, depth) => {
    const reads = readsOf(node);
    const reached = reads.flatMap((name) => roots.get(name) ?? []);
    if (reads.some((name) => variable.has(name))) {
      for (const output of node.outputs) variable.add(output);
      for (const name of reached) if (!depths.has(name)) depths.set(name, depth);
    } else if (reached.length > 0) {
      for (const output of node.outputs) roots.set(output, reached);
    }
  });
  const layers = [...new Set(depths.values())].sort((a, b) => a - b);
  const groupOf = (name: string): number => {
    const layer = layers.indexOf(depths.get(name) ?? layers[layers.length - 1]);
    if (layer <= 0 || layers.length === 1) return 0;
    return 1 + Math.floor(((layer - 1) * (GROUPS - 1)) / (layers.length - 1));
  };
  const groups: string[][] = Array.from({ length: GROUPS }, () => []);
  for (const name of weights) groups[groupOf(name)].push(name);
  return groups.filter((group) => group.length > 0);
}
