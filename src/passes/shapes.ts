/** Shapes of every value of a graph: inferred where they can be, else from one run that asks only for `Shape` of each value. */
import type { Evaluate, Graph } from '../onnx/graph.ts';
import { type Tensor, zeros } from '../onnx/tensor.ts';
import { inferredTypes } from './inferred.ts';
import { dimsOf, withShapeProbes } from './probes.ts';
import { withoutWeights } from './without-weights.ts';

/** Dimensions by value name; every graph input must be of static shape (a run feeds zeros). */
export async function shapesOf(graph: Graph, evaluate: Evaluate): Promise<Map<string, readonly number[]>> {
  const dims = new Map<string, readonly number[]>();
  const feeds = new Map<string, Tensor>();
  for (const input of graph.inputs) {
    const tensor = zeros(input.type, input.dims as readonly number[]);
    dims.set(input.name, tensor.dims);
    feeds.set(input.name, tensor);
  }
  for (const [name, tensor] of graph.initializers) dims.set(name, tensor.dims);
  const inferred = await inferredTypes(graph, feeds, evaluate);
  if (inferred) {
    for (const [name, type] of inferred) if (!dims.has(name)) dims.set(name, type.dims);
    return dims;
  }
  const { graph: probed, values, wanted } = withShapeProbes(withoutWeights(graph));
  const found = await evaluate({ ...probed, outputs: [] }, feeds, wanted);
  for (const value of values) dims.set(value, dimsOf(value, found));
  return dims;
}
