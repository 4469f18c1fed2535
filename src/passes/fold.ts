/** Constant folding: what depends on initialisers alone is evaluated once (flipped frozen weights, scalars, shapes). */
import { type Evaluate, type Graph, type Node, readsOf } from '../onnx/graph.ts';
import { withoutDeadCode } from './dead-code.ts';

/** Operators whose result is larger than what it is made of: folding them costs memory and saves nothing. */
const SPREADS = new Set(['Expand', 'Tile', 'ConstantOfShape', 'Range']);
/** Operators that draw anew at every run. */
const RANDOM = /^(Random|Multinomial|Bernoulli)/;

/** The graph with every node that reads only initialisers replaced by its value, and dead code removed. */
export async function foldConstants<G extends Graph>(graph: G, evaluate: Evaluate): Promise<G> {
  const known = new Set(graph.initializers.keys());
  const folded: Node[] = [];
  const kept: Node[] = [];
  for (const node of graph.nodes) {
    const foldable =
      readsOf(node).every((name) => known.has(name)) && !SPREADS.has(node.operator) && !RANDOM.test(node.operator);
    (foldable ? folded : kept).push(node);
    if (foldable) for (const output of node.outputs) known.add(output);
  }
  if (folded.length === 0) return withoutDeadCode(graph);
  const made = new Set(folded.flatMap((node) => node.outputs));
  const wanted = [
    ...new Set([...kept.flatMap(readsOf), ...graph.outputs.map((output) => output.name)].filter((v) => made.has(v))),
  ];
  const constants = withoutDeadCode({
    ...graph,
    inputs: [],
    nodes: folded,
    outputs: wanted.map((name) => ({ name, type: 'float32' as const, dims: [] })),
  });
  const values = await evaluate({ ...constants, outputs: [] }, new Map(), wanted);
  const initializers = new Map([...graph.initializers, ...values]);
  return withoutDeadCode({ ...graph, nodes: kept, initializers });
}
