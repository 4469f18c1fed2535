/**
 * A Gaussian of good pictures' features at each position (PaDiM, Defard et al. 2021). The channels of a feature vector f come in groups; a
 * group f_g of D_g channels has mean m and covariance S over good pictures, and V is the diagonal of its channels' variances over all
 * positions. With W'W = (S + ridge V)^-1 the distance at a position is
 *     sqrt( mean over the groups of |W (f_g - m)|^2 / D_g ) / level,
 * about 1 where a picture is good. One group of all channels and level 1 is PaDiM; a group for each layer compares each with
 * itself only. The level is what pictures have there that the statistics are not of.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import { channelsOf, type Moments, pairsOf } from './moments.ts';

/** The statistics of features, as they are stored. */
export interface FeatureGaussian {
  /** Channels of each group; D in all. */
  readonly groups: readonly number[];
  /** Positions along each side; P = grid^2. */
  readonly grid: number;
  /** [P,D]. */
  readonly mean: Tensor<'float32'>;
  /** Of each W the lower triangle, row by row, group after group: [P,sum of D_g(D_g+1)/2]. Levels are in it. */
  readonly whitening: Tensor<'float32'>;
}

export interface GaussianOptions {
  /** Share of the channels' variances over all positions that is added to each position's own. Default 0.05. */
  readonly ridge?: number;
  /**
   * Weight of the covariance pooled over all positions in each position's own, 0 to 1: few pictures, or pictures that are not aligned, tell
   * little about a single position. Default 0.
   */
  readonly pooled?: number;
}

/** Weight of the pooled covariance where pictures are compared with good ones. */
export const POOLED = 0.1;

/** Default of `ridge`. */
const RIDGE = 0.05;

/** The Gaussian of maps with these moments. */
export function gaussianOf(moments: Moments, { ridge = RIDGE, pooled = 0 }: GaussianOptions = {}): FeatureGaussian {
  const { groups, grid, counts, origin, sums } = moments;
  const positions = grid * grid;
  const channels = channelsOf(groups);
  const pairs = pairsOf(groups);
  const mean = Float32Array.from(origin, (o, i) => o + sums[i] / Math.max(1, counts[Math.floor(i / channels)]));
  const scale = channelDeviations(moments);
  const shared = pooled > 0 ? pooledCovariance(moments, scale) : undefined;
  const whitening = new Float32Array(positions * pairs);
  for (let p = 0; p < positions; p++) {
    let [first, at] = [0, p * pairs];
    for (const group of groups) {
      const own = covarianceAt(moments, p * channels + first, at, scale.subarray(first, first + group));
      const from = at - p * pairs;
      if (shared) for (let t = 0; t < own.length; t++) own[t] += pooled * (shared[from + t] - own[t]);
      for (let i = 0, t = 0; i < group; t += ++i + 1) own[t] += ridge;
      const factor = inverseCholesky(own, group);
      for (let i = 0, t = 0; i < group; i++)
        for (let j = 0; j <= i; j++, t++) whitening[at + t] = factor[t] / scale[first + j];
      first += group;
      at += own.length;
    }
  }
  return {
    groups,
    grid,
    mean: float32(mean, [positions, channels]),
    whitening: float32(whitening, [positions, pairs]),
  };
}

/** The Gaussian whose distances at each position are divided by `levels` [P]. */
export function withLevels(gaussian: FeatureGaussian, levels: Float32Array): FeatureGaussian {
  const { dims, data } = gaussian.whitening;
  return {
    ...gaussian,
    whitening: float32(
      data.map((v, i) => v / levels[Math.floor(i / dims[1])]),
      dims,
    ),
  };
}

/** Deviations of the channels over all positions and pictures; a thousandth of the largest at least. */
function channelDeviations({ groups, grid, counts, origin, sums, products }: Moments): Float64Array {
  const positions = grid * grid;
  const channels = channelsOf(groups);
  const pairs = pairsOf(groups);
  const diagonal = diagonalOf(groups);
  const mean = new Float64Array(channels);
  const square = new Float64Array(channels);
  for (let p = 0; p < positions; p++) {
    const count = Math.max(1, counts[p]);
    for (let i = 0; i < channels; i++) {
      const o = origin[p * channels + i];
      const s = sums[p * channels + i] / count;
      mean[i] += (o + s) / positions;
      square[i] += (products[p * pairs + diagonal[i]] / count + 2 * o * s + o * o) / positions;
    }
  }
  const deviations = square.map((s, i) => Math.sqrt(Math.max(s - mean[i] ** 2, 0)));
  const least = deviations.reduce((most, v) => Math.max(most, v), 1e-6) / 1000;
  return deviations.map((v) => Math.max(v, least));
}

/** Where the squares of the channels stand among the products of a position. */
function diagonalOf(groups: readonly number[]): number[] {
  let first = 0;
  return groups.flatMap((group) => {
    const own = Array.from({ length: group }, (_, i) => first + (i * (i + 3)) / 2);
    first += (group * (group + 1)) / 2;
    return own;
  });
}

/** The covariance of a group, in units of its channels' deviations: its sums begin at `first`, its products at `at`. */
function covarianceAt(
  { counts, groups, sums, products }: Moments,
  first: number,
  at: number,
  scale: Float64Array,
): Float64Array {
  const n = scale.length;
  const count = Math.max(1, counts[Math.floor(first / channelsOf(groups))]);
  const covariance = new Float64Array((n * (n + 1)) / 2);
  for (let i = 0, t = 0; i < n; i++) {
    for (let j = 0; j <= i; j++, t++) {
      const centred = products[at + t] - (sums[first + i] * sums[first + j]) / count;
      covariance[t] = centred / (Math.max(1, count - 1) * scale[i] * scale[j]);
    }
  }
  return covariance;
}

/** The mean of all positions' covariances, the groups' lower triangles one after the other. */
function pooledCovariance(moments: Moments, scale: Float64Array): Float64Array {
  const { groups, grid } = moments;
  const positions = grid * grid;
  const channels = channelsOf(groups);
  const pairs = pairsOf(groups);
  const pooled = new Float64Array(pairs);
  for (let p = 0; p < positions; p++) {
    let [first, at] = [0, 0];
    for (const group of groups) {
      const own = covarianceAt(moments, p * channels + first, p * pairs + at, scale.subarray(first, first + group));
      for (let t = 0; t < own.length; t++) pooled[at + t] += own[t] / positions;
      first += group;
      at += own.length;
    }
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
  // Row i of the inverse by forward substitution on the rows before it, so that the inner loop runs along whole rows.
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
  const { groups, grid, mean } = gaussian;
  const positions = grid * grid;
  const channels = channelsOf(groups);
  const byPosition = b.Transpose(b.Reshape(features, [-1, channels, positions]), [2, 0, 1]);
  const centred = b.Sub(byPosition, b.initializer('gaussian.mean', float32(mean.data, [positions, 1, channels])));
  const parts = groups.length === 1 ? [centred] : b.Split(centred, groups, 2);
  const squares = groups.map((group, g) => {
    const white = b.MatMul(parts[g], b.initializer(`gaussian.whitening.${g}`, transposedFactors(gaussian, g)));
    return b.Mul(b.ReduceSumSquare(white, [2], false), b.scalar(1 / (group * groups.length)));
  });
  const distance = b.Sqrt(squares.reduce((sum, one) => b.Add(sum, one)));
  return b.Reshape(b.Transpose(distance, [1, 0]), [-1, 1, grid, grid]);
}

/** The transposed W of one group at each position: [P,D_g,D_g]. */
function transposedFactors({ groups, whitening }: FeatureGaussian, g: number): Tensor<'float32'> {
  const [positions, pairs] = whitening.dims;
  const n = groups[g];
  const first = pairsOf(groups.slice(0, g));
  const full = new Float32Array(positions * n * n);
  for (let p = 0; p < positions; p++)
    for (let i = 0, t = p * pairs + first; i < n; i++)
      for (let j = 0; j <= i; j++, t++) full[(p * n + j) * n + i] = whitening.data[t];
  return float32(full, [positions, n, n]);
}
