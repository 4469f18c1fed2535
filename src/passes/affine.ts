/**
 * Is a value an affine function of others, A z + b? Read from the graph: each operator on the path says which of its inputs may depend on
 * z for its output to stay affine. The answer 'yes' is a proof but for rounding; 'no' may be a map that happens to be affine.
 */
import { entryOf, type Graph, intAttribute, type Node, readsOf, stringAttribute } from '../onnx/graph.ts';

/** What `firstObstacle` needs to know of a node: for each input, does it depend on z? */
type Rule = (depends: readonly boolean[], node: Node) => boolean;

const countOf = (depends: readonly boolean[]) => depends.filter(Boolean).length;

/** Affine in all inputs together. */
const sum: Rule = () => true;
/** Affine in input `at` while the others are constant: data that is moved, weighed or summed. */
const dataOf =
  (...at: readonly number[]): Rule =>
  (depends) =>
    depends.every((yes, i) => !yes || at.includes(i));
const data = dataOf(0);
/** Multilinear in the inputs `at`, so that one of them may depend on z; affine in all others. */
const productOf =
  (...at: readonly number[]): Rule =>
  (depends) =>
    countOf(depends.filter((_, i) => at.includes(i))) <= 1;
const product: Rule = (depends) => countOf(depends) <= 1;
/** What is written is added, or replaces what was there. */
const scattered: Rule = (depends, node) =>
  ['none', 'add'].includes(stringAttribute(node, 'reduction', 'none')) && dataOf(0, 2)(depends, node);

/** ONNX codes of float16, float32, float64 and bfloat16: a cast to one of them keeps values. */
const FLOAT_CODES = [1, 10, 11, 16];

/** Every operator that is not in this table ends an affine path. */
const RULES: Readonly<Record<string, Rule>> = {
  Identity: data,
  Neg: data,
  Add: sum,
  Sub: sum,
  Sum: sum,
  Mean: sum,
  Concat: sum,
  Mul: product,
  Div: data,
  MatMul: product,
  Einsum: product,
  Gemm: productOf(0, 1),
  Conv: productOf(0, 1),
  ConvTranspose: productOf(0, 1),
  // At inference: scale (x - mean) / sqrt(var) + bias.
  BatchNormalization: (depends, node) => intAttribute(node, 'training_mode', 0) === 0 && data(depends, node),
  Cast: (_, node) => FLOAT_CODES.includes(intAttribute(node, 'to', 0)),
  Reshape: data,
  Flatten: data,
  Squeeze: data,
  Unsqueeze: data,
  Transpose: data,
  Expand: data,
  Tile: data,
  Slice: data,
  Split: data,
  Gather: data,
  GatherElements: data,
  GatherND: data,
  DepthToSpace: data,
  SpaceToDepth: data,
  ReverseSequence: data,
  Trilu: data,
  CumSum: data,
  ReduceSum: data,
  ReduceMean: data,
  AveragePool: data,
  GlobalAveragePool: data,
  Resize: data,
  GridSample: data,
  Pad: dataOf(0, 2),
  // Where a constant condition chooses.
  Where: dataOf(1, 2),
  ScatterElements: scattered,
  ScatterND: scattered,
};

/** Operators whose result depends on their input's shape only. */
const SHAPE_ONLY = new Set(['Shape', 'Size']);

/**
 * The first node that is in the way of `output` being affine in `inputs` (together), or undefined where it is. What does not lie between
 * them does not matter.
 */
export function firstObstacle(graph: Graph, inputs: Iterable<string>, output: string): Node | undefined {
  const needed = ancestorsOf(graph, output);
  const depends = new Set(inputs);
  for (const node of graph.nodes) {
    if (SHAPE_ONLY.has(node.operator) || !node.outputs.some((name) => needed.has(name))) continue;
    if (!readsOf(node).some((name) => depends.has(name))) continue;
    const rule = node.domain === '' ? entryOf(RULES, node.operator) : undefined;
    if (
      !rule?.(
        node.inputs.map((name) => depends.has(name)),
        node,
      )
    )
      return node;
    for (const name of node.outputs) if (name) depends.add(name);
  }
  return undefined;
}

/** Everything that `output` is made of, itself included. */
function ancestorsOf({ nodes }: Graph, output: string): Set<string> {
  const needed = new Set([output]);
  for (const node of [...nodes].reverse()) {
    if (node.outputs.some((name) => needed.has(name))) for (const name of readsOf(node)) needed.add(name);
  }
  return needed;
}
