/**
 * Weights W + L R whose change has a low rank (LoRA, Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022): the factors
 * L and R are tuned, W stays. Of a kernel, the rows are its first axis, the columns all others.
 *
 * At the start L R = 0: the factor of the longer side is zero, the other one has r orthogonal columns (or rows) of entries of variance 1/r. So a
 * first step of Adam at rate eta changes the entries of W by about eta in the root mean square, as it does where W itself is tuned.
 */
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, float32Data, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { type Random, randomFrom } from '../../random.ts';

/** Of the factors that do not begin at zero: the same for every search of a generator. */
const FACTOR_SEED = 8;

/** Names of the factors of a weight, and of the weight as it was. */
const LEFT = 'rgi.left.';
const RIGHT = 'rgi.right.';
const FROZEN = 'rgi.frozen.';

/** A graph whose weights are changed by initialisers that can be tuned. */
export interface LowRankGraph {
  readonly graph: Graph;
  /** By the name of a weight: the initialisers that are tuned for it, its two factors or the weight itself. */
  readonly variables: ReadonlyMap<string, readonly string[]>;
}

/**
 * `graph` with changes of at most `rank` for the initialisers `names`, which are zero yet. A weight whose factors would hold no fewer numbers
 * than it does itself (biases, small kernels) is tuned itself.
 */
export function withLowRankChanges(graph: Graph, names: readonly string[], rank: number): LowRankGraph {
  const factored = names.filter((name) => isFactored(graph.initializers.get(name)!.dims, rank));
  const others = new Map([...graph.initializers].filter(([name]) => !factored.includes(name)));
  const b = new GraphBuilder({ ...graph, nodes: [], initializers: others });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  const random = randomFrom(FACTOR_SEED);
  for (const name of factored) {
    const weight = graph.initializers.get(name)!;
    const { left, right } = startFactors(weight.dims, rank, random);
    const product = b.MatMul(b.initializer(LEFT + name, left), b.initializer(RIGHT + name, right));
    const change = b.Reshape(product, [...weight.dims]);
    b.node('Add', [b.initializer(FROZEN + name, weight), change], {}, [name]);
  }
  const variables = names.map((name): [string, string[]] => [
    name,
    factored.includes(name) ? [LEFT + name, RIGHT + name] : [name],
  ]);
  return {
    graph: { ...graph, nodes: [...b.nodes, ...graph.nodes], initializers: b.initializers },
    variables: new Map(variables),
  };
}

/** Changes by name of the weight, of `tuned` factors; whatever is no factor of `graph`'s weights stays out. */
export function changesOfFactors(graph: Graph, tuned: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const changes = new Map<string, Tensor>();
  for (const [name, { dims }] of graph.initializers) {
    const [left, right] = [tuned.get(LEFT + name), tuned.get(RIGHT + name)];
    if (left && right) changes.set(name, productOf(left, right, dims));
  }
  return changes;
}

function isFactored(dims: readonly number[], rank: number): boolean {
  const [rows, columns] = unfolded(dims);
  return rank * (rows + columns) < rows * columns;
}

/** Rows and columns of a weight as a matrix. */
function unfolded(dims: readonly number[]): readonly [number, number] {
  return [dims[0] ?? 1, sizeOf(dims.slice(1))];
}

function startFactors(dims: readonly number[], rank: number, random: Random) {
  const [rows, columns] = unfolded(dims);
  const short = Math.min(rows, columns);
  const basis = orthonormalRows(rank, short, random).map((row) => row.map((v) => v * Math.sqrt(short / rank)));
  if (rows > columns) return { left: zeros('float32', [rows, rank]), right: float32(basis.flat(), [rank, columns]) };
  const left = Array.from({ length: rows }, (_, i) => basis.map((row) => row[i]));
  return { left: float32(left.flat(), [rows, rank]), right: zeros('float32', [rank, columns]) };
}

/** Random orthonormal rows: Gram-Schmidt, each row twice, so that rounding does not add up. */
function orthonormalRows(count: number, length: number, random: Random): number[][] {
  const rows: number[][] = [];
  while (rows.length < count) {
    const row = [...random.normals(length)];
    for (const before of [...rows, ...rows]) {
      const along = row.reduce((sum, v, i) => sum + v * before[i], 0);
      for (let i = 0; i < length; i++) row[i] -= along * before[i];
    }
    const norm = Math.hypot(...row);
    rows.push(row.map((v) => v / norm));
  }
  return rows;
}

function productOf(left: Tensor, right: Tensor, dims: readonly number[]): Tensor {
  const [rows, rank] = left.dims;
  const columns = right.dims[1];
  const [l, r] = [float32Data(left), float32Data(right)];
  const product = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < rank; k++) {
      const factor = l[i * rank + k];
      for (let j = 0; j < columns; j++) product[i * columns + j] += factor * r[k * columns + j];
    }
  return float32(product, dims);
}
