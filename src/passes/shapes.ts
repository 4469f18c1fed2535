/** Shapes of every value of a graph, without shape inference of ours: one run that asks only for `Shape` of each value. */
import type { Evaluate, Graph, Node } from '../onnx/graph.ts';
import { ints, type Tensor, zeros } from '../onnx/tensor.ts';
import { dimsOf, withShapeProbes } from './probes.ts';

/** Dimensions by value name; every graph input must be of static shape (they are fed zeros). */
export async function shapesOf(graph: Graph, evaluate: Evaluate): Promise<Map<string, readonly number[]>> {
  const dims = new Map<string, readonly number[]>();
  const feeds = new Map<string, Tensor>();
  for (const input of graph.inputs) {
    const tensor = zeros(input.type, input.dims as readonly number[]);
    dims.set(input.name, tensor.dims);
    feeds.set(input.name, tensor);
  }
  for (const [name, tensor] of graph.initializers) dims.set(name, tensor.dims);
  const { graph: probed, values, wanted } = withShapeProbes(withoutWeights(graph));
  const found = await evaluate({ ...probed, outputs: [] }, feeds, wanted);
  for (const value of values) dims.set(value, dimsOf(value, found));
  return dims;
}

/** Constants with more elements than this are weights: no shape depends on their values. */
const MAX_ELEMENTS = 4096;

/** Large float32 constants made as zeros when the graph runs, rather than written into its bytes (twice 100 MB and more). */
function withoutWeights(graph: Graph): Graph {
  if (graph.nodes.some((node) => node.operator === 'NonZero' || node.operator === 'Unique')) return graph;
  const initializers = new Map<string, Tensor>();
  const zeroNodes: Node[] = [];
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type !== 'float32' || tensor.data.length <= MAX_ELEMENTS) {
      initializers.set(name, tensor);
      continue;
    }
    const dims = `dims-of/${name}`;
    initializers.set(dims, ints(tensor.dims));
    zeroNodes.push({
      operator: 'ConstantOfShape',
      domain: '',
      name: dims,
      inputs: [dims],
      outputs: [name],
      attributes: {},
    });
  }
  return { ...graph, initializers, nodes: [...zeroNodes, ...graph.nodes] };
}
