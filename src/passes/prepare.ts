/** From a graph as read to one that can be differentiated: static shapes, composite operators written out. */
import { decompose } from '../autodiff/decompose.ts';
import type { Value } from '../onnx/builder.ts';
import type { Evaluate, Graph, StaticGraph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { type SpecialiseOptions, specialise } from './specialise.ts';

export interface PrepareOptions extends SpecialiseOptions {
  /** What will be differentiated for: inputs, initialisers, or intermediate values. */
  readonly wrt: readonly Value[];
}

/**
 * The graph at the shapes of `feeds`, constants folded, with every composite operator between `wrt` and an output
 * replaced by primitives that have differentiation rules. Initialisers of `wrt` must be among `variables`.
 */
export async function prepareForGradient(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
  { wrt, ...options }: PrepareOptions,
): Promise<StaticGraph> {
  const primal = await specialise(graph, feeds, evaluate, options);
  const primitive = decompose(primal, wrt);
  return primitive === primal ? primal : specialise(primitive, feeds, evaluate, options);
}
