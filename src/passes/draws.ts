/** Models that draw (noise of a StyleGAN exported without fixed noise): one draw made a constant, so that G is a function. */
import { GraphBuilder } from '../onnx/builder.ts';
import { type Evaluate, floatAttribute, type Graph, type Node } from '../onnx/graph.ts';
import { sizeOf, type Tensor, tensorOf } from '../onnx/tensor.ts';
import { type Random, randomFrom } from '../random.ts';

/** Operators whose result differs from run to run. */
export const DRAWS: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
]);

/**
 * Does the node compute the same from the same inputs wherever it is put, so that two equal ones may be one, and one may be two? Not
 * what draws, nor what has a subgraph, which may draw and reads values that are not among its inputs.
 */
export function isRepeatable({ operator, attributes }: Node): boolean {
  // In training Dropout draws; whether it is in training may be an input.
  if (DRAWS.has(operator) || operator === 'Dropout') return false;
  return Object.values(attributes).every(({ kind }) => kind !== 'graph');
}

/**
 * The graph with what its nodes draw at `feeds`, once, in initialisers; the same object if nothing is drawn. Normal and
 * uniform draws come from a generator of our own with a fixed seed, so that they are the same in every run. With
 * `perImage` a draw of one row, shaped like another value, is repeated where that value has more rows.
 */
export async function withFrozenDraws(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
  perImage = false,
): Promise<Graph> {
  const drawing = graph.nodes.filter((node) => node.domain === '' && DRAWS.has(node.operator));
  if (drawing.length === 0) return graph;
  const drawn = await evaluate(
    graph,
    feeds,
    drawing.map((node) => node.outputs[0]),
  );
  const random = randomFrom(0);
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  for (const node of graph.nodes) {
    if (!drawing.includes(node)) {
      b.append(node);
      continue;
    }
    const [output] = node.outputs;
    const value = own(node, drawn.get(output)!, random);
    if (perImage && node.operator.endsWith('Like') && value.dims[0] === 1) {
      const [count] = b.node('Shape', [node.inputs[0]], { start: 0, end: 1 });
      const row = b.initializer(b.fresh(`${output}/row`), value);
      b.node('Expand', [row, b.Concat([count, b.ints(value.dims.slice(1))], 0)], {}, [output]);
    } else b.initializer(output, value);
  }
  return b.graph(graph.name, graph.inputs, graph.outputs);
}

function own(node: Node, drawn: Tensor, random: Random): Tensor {
  const count = sizeOf(drawn.dims);
  if (/^RandomNormal/.test(node.operator)) {
    const [mean, scale] = [floatAttribute(node, 'mean', 0), floatAttribute(node, 'scale', 1)];
    return tensorOf(
      drawn.type,
      random.normals(count).map((v) => mean + scale * v),
      drawn.dims,
    );
  }
  if (/^RandomUniform/.test(node.operator)) {
    const [low, high] = [floatAttribute(node, 'low', 0), floatAttribute(node, 'high', 1)];
    const values = Array.from({ length: count }, () => low + (high - low) * random.uniform());
    return tensorOf(drawn.type, values, drawn.dims);
  }
  return drawn;
}
