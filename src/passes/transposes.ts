/**
 * Transpositions that move whole rows, as a Gather of rows. ONNX Runtime's CPU Transpose runs in one thread and its Gather
 * in all (512 x 512 x 16 to 512 x 512 x 16, one thread each: 12 and 11 ms); and a Transpose before an optimiser's
 * arithmetic is moved through it, to every moment, while a Gather stays where it is.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { type Graph, intsAttribute } from '../onnx/graph.ts';
import { sizeOf } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';

/** Shorter rows cost more as a list than as a transposition, smaller tensors are not shared between threads. */
const MIN_ROW = 8;
const MIN_ELEMENTS = 32768;

/** Rewrites every large Transpose that keeps its last axes. */
export function gatherRows<G extends Graph>(graph: G, dims: ReadonlyMap<string, readonly number[]>): G {
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  const lists: Lists = new Map();
  for (const node of graph.nodes) {
    const shape = dims.get(node.inputs[0]);
    const permutation = node.operator === 'Transpose' && node.domain === '' ? intsAttribute(node, 'perm') : undefined;
    const rows = shape && permutation ? rowsOf(shape, permutation) : undefined;
    if (rows) b.scope(`${node.outputs[0]}/rows`, () => emitRows(b, node.inputs[0], rows, lists, node.outputs));
    else b.append(node);
  }
  return withoutDeadCode({ ...graph, nodes: b.nodes, initializers: b.initializers });
}

/** The transposition of `value`, of the given shape, in the way that suits it. */
export function transposed(
  b: GraphBuilder,
  value: Value,
  shape: readonly number[],
  permutation: readonly number[],
): Value {
  const rows = rowsOf(shape, permutation);
  return rows ? emitRows(b, value, rows, new Map()) : b.Transpose(value, permutation);
}

/** Lists of rows that the graph has already. */
type Lists = Map<string, Value>;

function emitRows(b: GraphBuilder, value: Value, rows: Rows, lists: Lists, outputs?: readonly string[]): Value {
  const { outer, order, length } = rows;
  const key = `${outer.join()}:${order.join()}`;
  const list = lists.get(key) ?? b.constant({ type: 'int32', dims: [sizeOf(outer)], data: listOf(rows) }, 'list');
  lists.set(key, list);
  const [moved] = b.node('Gather', [b.Reshape(value, [sizeOf(outer), length]), list]);
  return b.node('Reshape', [moved, b.ints(rows.result)], {}, outputs)[0];
}

interface Rows {
  /** The axes that move, their order, and how many elements move with each of their positions. */
  readonly outer: readonly number[];
  readonly order: readonly number[];
  readonly length: number;
  /** The shape of the result. */
  readonly result: readonly number[];
}

function rowsOf(shape: readonly number[], permutation: readonly number[]): Rows | undefined {
  let kept = shape.length;
  while (kept > 0 && permutation[kept - 1] === kept - 1) kept--;
  const length = sizeOf(shape.slice(kept));
  const outer = shape.slice(0, kept);
  if (length < MIN_ROW || sizeOf(shape) < MIN_ELEMENTS) return undefined;
  // Moving axes of length 1 moves nothing.
  if (outer.filter((d) => d > 1).length < 2) return undefined;
  return { outer, order: permutation.slice(0, kept), length, result: permutation.map((axis) => shape[axis]) };
}

/** For every row of the result, its number in the source. */
function listOf({ outer, order }: Rows): Int32Array {
  const strides = outer.map((_, axis) => sizeOf(outer.slice(axis + 1)));
  let list = Int32Array.of(0);
  for (const axis of order) {
    const longer = new Int32Array(list.length * outer[axis]);
    for (let i = 0; i < list.length; i++)
      for (let j = 0; j < outer[axis]; j++) longer[i * outer[axis] + j] = list[i] + j * strides[axis];
    list = longer;
  }
  return list;
}
