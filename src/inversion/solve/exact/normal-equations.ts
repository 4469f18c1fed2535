/**
 * Weighted normal equations of an affine generator, A^T W A and A^T W (x - b), in double precision: a hidden part of a picture can be told
 * by directions in which the rest says almost nothing, and what is left of those in single precision is rounding. The products are
 * made by ONNX Runtime. Weights change at few pixels from one mask to the next, so the equations are updated by the rows that changed.
 */
import { GraphBuilder } from '../../../onnx/builder.ts';
import { splitModel } from '../../../onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../../onnx/tensor.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { AffineMap } from '../../generator/affine-map.ts';

/** sum over rows of w a a^T. */
export interface GramProduct {
  /** For rows [rows.length, unknowns] of A by their numbers and as many weights: [unknowns, unknowns]. */
  of(rows: ArrayLike<number>, weights: Float64Array): Promise<Float64Array>;
  /** A V for V [unknowns, columns], in single precision: [values, columns]. */
  picturesOf(v: Float32Array, columns: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Rows that are multiplied at a time: 32 MiB in double precision at 256 unknowns, twice. */
const ROWS = 2 ** 14;

export async function gramProduct({ matrix, values, unknowns }: AffineMap, runtime: Runtime): Promise<GramProduct> {
  const session = await runtime.session(splitModel(gramGraph(unknowns)));
  const forward = await runtime.session(splitModel(forwardGraph(unknowns)));
  return {
    async of(rows, weights) {
      const sum = new Float64Array(unknowns * unknowns);
      for (let from = 0; from < rows.length; from += ROWS) {
        const count = Math.min(ROWS, rows.length - from);
        const picked = new Float32Array(count * unknowns);
        for (let i = 0; i < count; i++) {
          const at = rows[from + i] * unknowns;
          picked.set(matrix.subarray(at, at + unknowns), i * unknowns);
        }
        const feeds = new Map<string, Tensor>([
          ['rows', float32(picked, [count, unknowns])],
          ['weights', { type: 'float64', data: weights.slice(from, from + count), dims: [count, 1] }],
        ]);
        const { data } = (await session.run(feeds)).get('gram')!;
        for (let i = 0; i < sum.length; i++) sum[i] += Number(data[i]);
      }
      return sum;
    },
    async picturesOf(v, columns) {
      const feeds = new Map([
        ['matrix', float32(matrix, [values, unknowns])],
        ['v', float32(v, [unknowns, columns])],
      ]);
      return float32Data((await forward.run(feeds)).get('pictures')!);
    },
    async dispose() {
      await session.dispose();
      await forward.dispose();
    },
  };
}

function forwardGraph(unknowns: number) {
  const b = new GraphBuilder();
  for (const name of ['matrix', 'v']) b.reserve(name);
  b.node('MatMul', ['matrix', 'v'], {}, ['pictures']);
  return b.graph(
    'forward',
    [
      { name: 'matrix', type: 'float32', dims: ['values', unknowns] },
      { name: 'v', type: 'float32', dims: [unknowns, 'columns'] },
    ],
    [{ name: 'pictures', type: 'float32', dims: ['values', 'columns'] }],
  );
}

function gramGraph(unknowns: number) {
  const b = new GraphBuilder();
  for (const name of ['rows', 'weights']) b.reserve(name);
  const rows = b.Cast('rows', 'float64');
  b.node('Gemm', [b.Mul(rows, 'weights'), rows], { transA: 1 }, ['gram']);
  return b.graph(
    'gram',
    [
      { name: 'rows', type: 'float32', dims: ['n', unknowns] },
      { name: 'weights', type: 'float64', dims: ['n', 1] },
    ],
    [{ name: 'gram', type: 'float64', dims: [unknowns, unknowns] }],
  );
}

/** The normal equations at some weights. */
export interface Equations {
  /** W, [values]. */
  readonly weights: Float64Array;
  /** A^T W A, [unknowns, unknowns]. */
  readonly gram: Float64Array;
}

/** What all pictures of a generator share: the equations of a whole picture, at the precision of each value. */
export async function wholeEquations(product: GramProduct, precision: Float64Array): Promise<Equations> {
  return { weights: precision, gram: await product.of([...precision.keys()], precision) };
}

/** The equations at other weights, from those of `known` (or none) that differ at the fewest values. */
export async function equationsAt(
  product: GramProduct,
  known: readonly Equations[],
  weights: Float64Array,
): Promise<Equations> {
  const nothing = { weights: new Float64Array(weights.length), gram: new Float64Array(known[0].gram.length) };
  let best: { readonly from: Equations; readonly rows: number[] } | undefined;
  for (const from of [...known, nothing]) {
    const rows: number[] = [];
    for (let i = 0; i < weights.length; i++) if (weights[i] !== from.weights[i]) rows.push(i);
    if (!best || rows.length < best.rows.length) best = { from, rows };
  }
  const { from, rows } = best!;
  if (rows.length === 0) return from;
  const change = await product.of(
    rows,
    Float64Array.from(rows, (i) => weights[i] - from.weights[i]),
  );
  return { weights, gram: change.map((v, i) => v + from.gram[i]) };
}

/** A u + b, [values]. */
export function pictureOf({ matrix, offset, values, unknowns }: AffineMap, u: Float64Array): Float32Array {
  const y = new Float32Array(values);
  for (let v = 0, at = 0; v < values; v++, at += unknowns) {
    let [s0, s1] = [0, 0];
    let t = 0;
    for (; t + 1 < unknowns; t += 2) {
      s0 += matrix[at + t] * u[t];
      s1 += matrix[at + t + 1] * u[t + 1];
    }
    if (t < unknowns) s0 += matrix[at + t] * u[t];
    y[v] = offset[v] + s0 + s1;
  }
  return y;
}

/** A^T r, [unknowns], for r [values]; values whose r is 0 cost nothing. */
export function transposedOf({ matrix, values, unknowns }: AffineMap, r: Float64Array): Float64Array {
  const sum = new Float64Array(unknowns);
  for (let v = 0, at = 0; v < values; v++, at += unknowns) {
    const factor = r[v];
    if (factor !== 0) for (let t = 0; t < unknowns; t++) sum[t] += matrix[at + t] * factor;
  }
  return sum;
}
