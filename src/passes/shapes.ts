/** Shapes of every value of a graph, without shape inference of ours: one run that asks only for `Shape` of each value. */
import type { Evaluate, Graph, Node } from '../onnx/graph.ts';
import { numbersOf, type Tensor, zeros } from '../onnx/tensor.ts';

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
  const values = graph.nodes.flatMap((node) => node.outputs.filter((output) => output));
  const shapeName = (value: string) => `shape-of/${value}`;
  const shapeNodes = values.map(
    (value): Node => ({
      operator: 'Shape',
      domain: '',
      name: shapeName(value),
      inputs: [value],
      outputs: [shapeName(value)],
      attributes: {},
    }),
  );
  const wanted = values.map(shapeName);
  const shapes = await evaluate({ ...graph, nodes: [...graph.nodes, ...shapeNodes], outputs: [] }, feeds, wanted);
  for (const value of values) dims.set(value, numbersOf(shapes.get(shapeName(value))!));
  return dims;
}
