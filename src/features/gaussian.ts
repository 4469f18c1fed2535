/**
 * A Gaussian of good pictures' features at each position (PaDiM, Defard et al. 2021). A feature vector f at position p is scored by
 *     |W_p (f - m_p)| / sqrt(D),   W_p'W_p = (S_p + ridge V)^-1,
 * its Mahalanobis distance: m_p and S_p are mean and covariance over good pictures, V is the diagonal of the channels' variances over all
 * positions. The value is about 1 where a picture is good.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import type { Moments } from './moments.ts';

/** The statistics of features, as they are stored. */
export interface FeatureGaussian {
  readonly channels: number;
  readonly grid: number;
  /** [P,D]. */
  readonly mean: Tensor<'float32'>;
  /** The lower triangle of each W_p, row by row: [P,D(D+1)/2]. */
  readonly whitening: Tensor<'float32'>;
}

export interface GaussianOptions {
  /** Share of the channels' variances over all positions that is added to each position's own. Default 0.05. */
  readonly ridge?: number;
  /** Weight of the covariance pooled over all positions in each position's own, 0 to 1. Default 0. */
  readonly pooled?: number;
}

/** Default of `ridge`. */
const RIDGE = 0.05;

/** The Gaussian of maps with these moments. */
export function gaussianOf(moments: Moments, { ridge = RIDGE, pooled = 0 }: GaussianOptions = {}): FeatureGaussian {
  const { channels, grid, count, origin, sums } = moments;
  const positions = grid * grid;
  const pairs = (channels * (channels + 1)) / 2;
  const mean = Float32Array.from(origin, (o, i) => o + sums[i] / count);
  const scale = channelDeviations(moments);
  const shared = pooled > 0 ? pooledCovariance(moments, scale) : undefined;
  const whitening = new Float32Array(positions * pairs);
  const covariance = new Float64Array(pairs);
  for (let p = 0; p < positions; p++) {
    covarianceAt(moments, p, scale, covariance);
    if (shared) for (let t = 0; t < pairs; t++) covariance[t] = (1 - pooled) * covariance[t] + pooled * shared[t];
    for (let i = 0, t = 0; i < channels; t += ++i + 1) covariance[t] += ridge;
    const factor = inverseCholesky(covariance, channels);
    for (let i = 0, t = 0; i < channels; i++)
      for (let j = 0; j <= i; j++, t++) whitening[p * pairs + t] = factor[t] / scale[j];
  }
  return {
    channels,
    grid,
    mean: float32(mean, [positions, channels]),
    whitening: float32(whitening, [positions, pairs]),
  };
}

/** Deviations of the channels over all positions and pictures; a thousandth of the largest at least. */
function channelDeviations({ channels, grid, count, origin, sums, products }: Moments): Float64Array {
  const positions = grid * grid;
  const mean = new Float64Array(channels);
  const square = new Float64Array(channels);
  const pairs = (channels * (channels + 1)) / 2;
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < channels; i++) {
      const o = origin[p * channels + i];
      const s = sums[p * channels + i] / count;
      mean[i] += (o + s) / positions;
      square[i] += (products[p * pairs + (i * (i + 1)) / 2 + i] / count + 2 * o * s + o * o) / positions;
    }
  }
  const deviations = square.map((s, i) => Math.sqrt(Math.max(s - mean[i] ** 2, 0)));
  const least = deviations.reduce((most, v) => Math.max(most, v), 1e-6) / 1000;
  return deviations.map((v) => Math.max(v, least));
}

/** The covariance at position p in units of the channels' deviations, into `into`. */
function covarianceAt(
  { channels, count, sums, products }: Moments,
  p: number,
  scale: Float64Array,
  into: Float64Array,
): void {
  const pairs = into.length;
  for (let i = 0, t = 0; i < channels; i++) {
    const si = sums[p * channels + i];
    for (let j = 0; j <= i; j++, t++) {
      const centred = products[p * pairs + t] - (si * sums[p * channels + j]) / count;
      into[t] = centred / (Math.max(1, count - 1) * scale[i] * scale[j]);
    }
  }
}

function pooledCovariance(moments: Moments, scale: Float64Array): Float64Array {
  const { channels, grid } = moments;
  const pooled = new Float64Array((channels * (channels + 1)) / 2);
  const own = new Float64Array(pooled.length);
  for (let p = 0; p < grid * grid; p++) {
    covarianceAt(moments, p, scale, own);
    for (let t = 0; t < own.length; t++) pooled[t] += own[t] / (grid * grid);
  }
  return pooled;
}

/** The inverse of the Cholesky factor of a symmetric matrix; both as lower triangles, row by row. */
export function inverseCholesky(matrix: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(matrix.length);
  for (let i = 0; i < n; i++) {
    const ri = (i * (i + 1)) / 2;
    for (let j = 0; j <= i; j++) {
      const rj = (j * (j + 1)) / 2;
      let sum = matrix[ri + j];
      for (let k = 0; k < j; k++) sum -= factor[ri + k] * factor[rj + k];
      factor[ri + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[rj + j];
    }
  }
  const inverse = new Float64Array(matrix.length);
  // Row i of the inverse: forward substitution on the rows before it, which keeps the inner loop on whole rows.
  for (let i = 0; i < n; i++) {
    const ri = (i * (i + 1)) / 2;
    for (let k = 0; k < i; k++) {
      const f = factor[ri + k];
      const rk = (k * (k + 1)) / 2;
      for (let j = 0; j <= k; j++) inverse[ri + j] -= f * inverse[rk + j];
    }
    const d = factor[ri + i];
    for (let j = 0; j < i; j++) inverse[ri + j] /= d;
    inverse[ri + i] = 1 / d;
  }
  return inverse;
}

/** Appends the map [N,1,grid,grid] of distances of `features` [N,D,grid,grid]. */
export function appendDistances(b: GraphBuilder, gaussian: FeatureGaussian, features: Value): Value {
  const { channels, grid, mean, whitening } = gaussian;
  const positions = grid * grid;
  const byPosition = b.Transpose(b.Reshape(features, [-1, channels, positions]), [2, 0, 1]);
  const centred = b.Sub(byPosition, b.initializer('gaussian.mean', float32(mean.data, [positions, 1, channels])));
  const white = b.MatMul(centred, b.initializer('gaussian.whitening', squares(whitening, channels)));
  const squared = b.ReduceSumSquare(white, [2], false);
  const distance = b.Sqrt(b.Mul(squared, b.scalar(1 / channels)));
  return b.Reshape(b.Transpose(distance, [1, 0]), [-1, 1, grid, grid]);
}

/** The transposes of lower triangles, as full matrices: [P,D,D]. */
function squares({ dims, data }: Tensor<'float32'>, n: number): Tensor<'float32'> {
  const [positions, pairs] = dims;
  const full = new Float32Array(positions * n * n);
  for (let p = 0; p < positions; p++)
    for (let i = 0, t = 0; i < n; i++)
      for (let j = 0; j <= i; j++, t++) full[(p * n + j) * n + i] = data[p * pairs + t];
  return float32(full, [positions, n, n]);
}
