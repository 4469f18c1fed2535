/** A graph for whose shapes the values of its weights do not matter: they are zeros, which take no room in its bytes. */
import type { Graph, Node } from '../onnx/graph.ts';
import { ints, type Tensor } from '../onnx/tensor.ts';

/** Constants with more elements than this are weights: no shape depends on their values. */
export const MAX_SHAPE_ELEMENTS = 4096;

/** Large float32 constants made as zeros when the graph runs, rather than written into its bytes (twice 100 MB and more). */
export function withoutWeights(graph: Graph): Graph {
  if (graph.nodes.some((node) => node.operator === 'NonZero' || node.operator === 'Unique')) return graph;
  const initializers = new Map<string, Tensor>();
  const zeroNodes: Node[] = [];
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type !== 'float32' || tensor.data.length <= MAX_SHAPE_ELEMENTS) {
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
