/** Types of inner values without a run: what ONNX Runtime's own shape inference says of them when it opens the graph. */
import { type DeclaredType, type Evaluate, type Graph, intAttribute, type Node, readsOf } from '../onnx/graph.ts';
import { ints, sizeOf, type Tensor, type TensorType } from '../onnx/tensor.ts';
import { DRAWS } from './draws.ts';
import { rankOf, withShapeProbes } from './probes.ts';
import { MAX_SHAPE_ELEMENTS, withoutWeights } from './without-weights.ts';

/**
 * Element type and shape of every inner value of `graph` at the shapes of `feeds`; undefined where one of them is known from a run alone.
 * It costs neither the time nor the memory of a run. Shapes that the graph computes from others are computed in turn, as long as
 * that makes more of them known.
 */
export async function inferredTypes(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
): Promise<Map<string, TensorType> | undefined> {
  const { infer } = evaluate;
  if (!infer || graph.nodes.some(isInferredWrongly)) return undefined;
  const inputs = graph.inputs.map((input) => ({ ...input, dims: feeds.get(input.name)!.dims }));
  const types = new Map<string, TensorType>();
  for (const [name, { type, dims }] of [...graph.initializers, ...feeds]) types.set(name, { type, dims });
  const isComplete = () => graph.nodes.every(({ outputs }) => outputs.every((value) => !value || types.has(value)));
  let current: Graph | undefined = { ...withoutWeights(graph), inputs };
  while (current) {
    const { graph: probed, values, wanted } = withShapeProbes(current);
    const found = await infer(withReadInputs(probed), [...values, ...wanted]);
    for (const value of values) {
      const type = staticType(found.get(value), rankOf(value, found));
      if (type) types.set(value, type);
    }
    if (isComplete()) return types;
    current = await withShapesComputed(current, types, evaluate);
    if (isComplete()) return types;
  }
  return undefined;
}

/** ONNX Runtime computes pools that round up in other sizes than it infers. */
function isInferredWrongly(node: Node): boolean {
  return intAttribute(node, 'ceil_mode', 0) !== 0;
}

/** [] is a scalar, or a shape that is not known: the rank tells. */
function staticType(declared: DeclaredType | undefined, rank: number | undefined): TensorType | undefined {
  if (!declared || declared.dims.length !== rank) return undefined;
  const dims = declared.dims.filter((size) => size !== undefined);
  return dims.length === rank ? { type: declared.type, dims } : undefined;
}

/** What asks for a whole shape that is known becomes an initialiser: what has that shape need not be computed. */
export function withKnownShapes(graph: Graph, types: ReadonlyMap<string, TensorType>): Graph {
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.filter(({ operator, domain, inputs: [name], outputs: [output], attributes }) => {
    const known = types.get(name);
    if (operator !== 'Shape' || domain !== '' || !known || Object.keys(attributes).length > 0) return true;
    initializers.set(output, ints(known.dims));
    return false;
  });
  return { ...graph, nodes, initializers };
}

/** Without inputs that no node reads, which ONNX Runtime may refuse. */
export function withReadInputs(graph: Graph): Graph {
  const read = new Set(graph.nodes.flatMap(readsOf));
  return { ...graph, inputs: graph.inputs.filter(({ name }) => read.has(name)) };
}

/** The graph with what it computes from known shapes as initialisers; undefined where that is nothing. */
async function withShapesComputed(
  graph: Graph,
  types: Map<string, TensorType>,
  evaluate: Evaluate,
): Promise<Graph | undefined> {
  const asked = withKnownShapes(graph, types);
  const known = new Set(asked.initializers.keys());
  const isSmall = (output: string) => {
    const type = types.get(output);
    return !type || sizeOf(type.dims) <= MAX_SHAPE_ELEMENTS;
  };
  const computed: Node[] = [];
  for (const node of asked.nodes) {
    const isComputed =
      readsOf(node).every((name) => known.has(name)) && !DRAWS.has(node.operator) && node.outputs.every(isSmall);
    if (!isComputed) continue;
    computed.push(node);
    for (const output of node.outputs) known.add(output);
  }
  const wanted = computed.flatMap(({ outputs }) => outputs.filter((output) => output));
  const values = wanted.length > 0 ? await evaluate({ ...asked, inputs: [], nodes: computed }, new Map(), wanted) : [];
  const initializers = new Map([...asked.initializers, ...values]);
  for (const [name, { type, dims }] of initializers) types.set(name, { type, dims });
  if (initializers.size === graph.initializers.size) return undefined;
  const isDone = new Set(computed);
  return { ...asked, initializers, nodes: asked.nodes.filter((node) => !isDone.has(node)) };
}
