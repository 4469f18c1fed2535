/** Models that draw (noise of a StyleGAN exported without fixed noise): one draw made a constant, so that G is a function. */
import type { Evaluate, Graph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';

/** Operators whose result differs from run to run. */
export const DRAWS: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
]);

/** The graph with what its nodes draw at `feeds`, once, in initialisers; the same object if nothing is drawn. */
export async function withFrozenDraws(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
): Promise<Graph> {
  const drawing = new Set(graph.nodes.filter((node) => node.domain === '' && DRAWS.has(node.operator)));
  if (drawing.size === 0) return graph;
  const drawn = await evaluate(
    graph,
    feeds,
    [...drawing].flatMap((node) => node.outputs),
  );
  return {
    ...graph,
    initializers: new Map([...graph.initializers, ...drawn]),
    nodes: graph.nodes.filter((node) => !drawing.has(node)),
  };
}
