/** Products of matrices: MatMul, Gemm, Einsum. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { floatAttribute, intAttribute } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import { type Rule, type RuleTable, sumTo } from '../rule.ts';
import { einsum } from './einsum.ts';

/** Y = A B:  dA = dY B', dB = A' dY, over broadcast batches; a vector stands for a matrix of one row or one column. */
const matMul: Rule = {
  gradient: ({ b, node, cotangents, dims, wants }) => {
    const [aDims, bDims] = [dims(0), dims(1)];
    const left = aDims.length === 1 ? [1, ...aDims] : [...aDims];
    const right = bDims.length === 1 ? [...bDims, 1] : [...bDims];
    const [m, k] = left.slice(-2);
    const n = right[right.length - 1];
    const batch = broadcast(left.slice(0, -2), right.slice(0, -2));
    const as = (value: Value, from: readonly number[], to: readonly number[]) =>
      from.length === to.length && from.every((d, i) => d === to[i]) ? value : b.Reshape(value, to);
    const g = aDims.length === 1 || bDims.length === 1 ? b.Reshape(cotangents[0]!, [...batch, m, n]) : cotangents[0]!;
    const [x, y] = [as(node.inputs[0], aDims, left), as(node.inputs[1], bDims, right)];

    const gradientOfLeft = () => {
      if (right.length === 2) {
        const rows = sizeOf(batch) * m;
        const flat = b.Gemm(as(g, [...batch, m, n], [rows, n]), y, undefined, { transB: true });
        return as(flat, [rows, k], aDims);
      }
      const full = b.MatMul(g, transposed(b, y, right.length));
      return as(sumTo(b, full, [...batch, m, k], left), left, aDims);
    };
    const gradientOfRight = () => {
      if (right.length === 2) {
        const rows = sizeOf(batch) * m;
        const flat = b.Gemm(as(x, left, [rows, k]), as(g, [...batch, m, n], [rows, n]), undefined, { transA: true });
        return as(flat, [k, n], bDims);
      }
      const full = b.MatMul(transposed(b, x, left.length), g);
      return as(sumTo(b, full, [...batch, k, n], right), right, bDims);
    };
    return [wants(0) ? gradientOfLeft() : undefined, wants(1) ? gradientOfRight() : undefined];
  },
};

/** Y = alpha op(A) op(B) + beta C. */
const gemm: Rule = {
  gradient: ({ b, node, cotangents, dims, outputDims, wants, has }) => {
    const g = cotangents[0]!;
    const [x, y] = node.inputs;
    const transA = intAttribute(node, 'transA', 0) === 1;
    const transB = intAttribute(node, 'transB', 0) === 1;
    const alpha = floatAttribute(node, 'alpha', 1);
    const beta = floatAttribute(node, 'beta', 1);
    const product = (left: Value, right: Value, flipLeft: boolean, flipRight: boolean) =>
      b.Gemm(left, right, undefined, { transA: flipLeft, transB: flipRight, alpha });
    const gradientOfLeft = () => (transA ? product(y, g, transB, true) : product(g, y, false, !transB));
    const gradientOfRight = () => (transB ? product(g, x, true, transA) : product(x, g, !transA, false));
    const gradientOfBias = () => {
      const summed = sumTo(b, g, outputDims(0), dims(2));
      return beta === 1 ? summed : b.Mul(summed, b.scalar(beta));
    };
    return [
      wants(0) ? gradientOfLeft() : undefined,
      wants(1) ? gradientOfRight() : undefined,
      has(2) && wants(2) ? gradientOfBias() : undefined,
    ];
  },
};

export const matrix = { MatMul: matMul, Gemm: gemm, Einsum: einsum } satisfies RuleTable;

function transposed(b: GraphBuilder, value: Value, rank: number): Value {
  const perm = Array.from({ length: rank }, (_, i) => i);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return b.Transpose(value, perm);
}

/** The shape two shapes broadcast to. */
function broadcast(a: readonly number[], c: readonly number[]): number[] {
  const rank = Math.max(a.length, c.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, c[i - rank + c.length] ?? 1];
    return p === 1 ? q : p;
  });
}
