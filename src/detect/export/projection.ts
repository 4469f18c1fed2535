/**
 * Inversion in closed form in a graph, a fixed number of rounds: of pictures x, with M what the last round masks,
 *     u = (A^T A + s^2 I)^-1 A^T (x' - b),    x' = M G(u) + (1 - M) x,    M = [mean square of the residual's channels > t^2].
 */
import type { Size } from '../../images/image.ts';
import type { AffineMap } from '../../inversion/generator/affine-map.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';

/** What the rounds are made with. */
export interface ProjectionRounds {
  /** (A^T A + s^2 I)^-1, [unknowns, unknowns]. */
  readonly shrinkage: Tensor<'float32'>;
  /** t^2: the mean square of a pixel's channels above which it is masked. */
  readonly limit: number;
  /** Times that the mask is found; 0: the projection of the picture as it is. */
  readonly rounds: number;
  /** By how much a round goes beyond its own answer; 1: not at all. */
  readonly relaxation: number;
}

/** G(u) of pictures [N,C,H,W], not clipped. */
export function emitProjection(
  b: GraphBuilder,
  image: Value,
  { matrix, offset, values, unknowns }: Pick<AffineMap, 'matrix' | 'offset' | 'values' | 'unknowns'>,
  { channels, height, width }: Size & { readonly channels: number },
  { shrinkage, limit, rounds, relaxation }: ProjectionRounds,
): Value {
  const a = b.constant(float32(matrix, [values, unknowns]), 'matrix');
  const base = b.constant(float32(offset, [1, values]), 'offset');
  const shrunk = b.constant(shrinkage, 'shrinkage');
  const planes = (x: Value) => b.Reshape(x, [-1, channels, height * width]);
  const fitted = (x: Value) => b.Gemm(b.MatMul(b.MatMul(x, a), shrunk), a, undefined, { transB: true });
  const centred = b.Sub(b.Reshape(image, [-1, values]), base);
  let made = fitted(centred);
  for (let round = 0; round < rounds; round++) {
    const residual = planes(b.Sub(centred, made));
    const masked = b.Greater(b.ReduceMean(b.Mul(residual, residual), [1]), b.scalar(limit));
    const next = fitted(b.Reshape(b.Where(masked, planes(made), planes(centred)), [-1, values]));
    made = b.Add(made, b.Mul(b.scalar(relaxation), b.Sub(next, made)));
  }
  return b.Reshape(b.Add(made, base), [-1, channels, height, width]);
}
