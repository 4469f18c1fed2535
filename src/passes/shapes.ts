/** Shapes of every value of a graph: inferred where they can be, else from one run that asks only for `Shape` of each value. */
import type { Evaluate, Graph } from '../onnx/graph.ts';
import { type Tensor, type TensorType, zeros } from '../onnx/tensor.ts';
import { inferredTypes } from './inferred.ts';
import { dimsOf, withShapeProbes } from './probes.ts';
import { withoutWeights } from './without-weights.ts';

/** The shape of a value, and its element type where that is known without a run. */
export interface KnownType {
  readonly type?: TensorType['type'];
  readonly dims: readonly number[];
}

/** Dimensions by value name; every graph input must be of static shape (a run feeds zeros). */
export async function shapesOf(graph: Graph, evaluate: Evaluate): Promise<Map<string, readonly number[]>> {
  return new Map([...(await typesOf(graph, evaluate))].map(([name, { dims }]) => [name, dims]));
}

/** As `shapesOf`, with element types. */
export async function typesOf(graph: Graph, evaluate: Evaluate): Promise<Map<string, KnownType>> {
  const types = new Map<string, KnownType>();
  const feeds = new Map<string, Tensor>();
  for (const { name, type, dims } of graph.inputs) {
    const tensor = zeros(type, dims as readonly number[]);
    types.set(name, { type, dims: tensor.dims });
    feeds.set(name, tensor);
  }
  for (const [name, { type, dims }] of graph.initializers) types.set(name, { type, dims });
  const inferred = await inferredTypes(graph, feeds, evaluate);
  if (inferred) {
    for (const [name, type] of inferred) if (!types.has(name)) types.set(name, type);
    return types;
  }
  const { graph: probed, values, wanted } = withShapeProbes(withoutWeights(graph));
  const found = await evaluate({ ...probed, outputs: [] }, feeds, wanted);
  for (const value of values) types.set(value, { ...types.get(value), dims: dimsOf(value, found) });
  return types;
}
