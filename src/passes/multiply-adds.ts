/** What a graph costs to run: its multiplications and additions, counted. The same on every machine, unlike a time that is measured. */
import { type Evaluate, type Graph, intAttribute, type Node } from '../onnx/graph.ts';
import { sizeOf } from '../onnx/tensor.ts';
import { shapesOf } from './shapes.ts';

/** Multiply-adds of the convolutions and matrix products of `graph`, whose inputs have static shapes. */
export async function multiplyAdds(graph: Graph, evaluate: Evaluate): Promise<number> {
  const dims = await shapesOf(graph, evaluate);
  return graph.nodes.reduce((sum, node) => sum + costOf(node, (name) => dims.get(name) ?? []), 0);
}

function costOf(node: Node, dimsOf: (name: string) => readonly number[]): number {
  const [a, b] = node.inputs.map(dimsOf);
  const made = sizeOf(dimsOf(node.outputs[0]));
  switch (node.operator) {
    // Of the weights [out, in / group, ...kernel] each output value takes one filter.
    case 'Conv':
      return made * sizeOf(b.slice(1));
    // Of the weights [in, out / group, ...kernel] each input value gives one filter.
    case 'ConvTranspose':
      return sizeOf(a) * sizeOf(b.slice(1));
    case 'MatMul':
      return made * (a.at(-1) ?? 1);
    case 'Gemm':
      return made * a[intAttribute(node, 'transA', 0) === 0 ? 1 : 0];
    default:
      return 0;
  }
}
