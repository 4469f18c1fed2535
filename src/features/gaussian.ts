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
  const own = new Float64Array(pairs);
  for (let p = 0; p < positions; p++) {
    covarianceAt(moments, p, scale, own);
    if (shared) for (let t = 0; t < pairs; t++) own[t] += pooled * (shared[t] - own[t]);
    let [first, at] = [0, 0];
    for (const group of groups) {
      const matrix = own.subarray(at, at + (group * (group + 1)) / 2);
      for (let i = 0, t = 0; i < group; t += ++i + 1) matrix[t] += ridge;
      const factor = inverseCholesky(matrix, group);
      for (let i = 0, t = 0; i < group; i++)
        for (let j = 0; j <= i; j++, t++) whitening[p * pairs + at + t] = factor[t] / scale[first + j];
      first += group;
      at += matrix.length;
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

/** Writes the covariances at position p, in units of the channels' deviations, to `into`: the groups' lower triangles one after the other. */
function covarianceAt(
  { counts, groups, sums, products }: Moments,
  p: number,
  scale: Float64Array,
  into: Float64Array,
): void {
  const channels = scale.length;
  const count = Math.max(1, counts[p]);
  const unit = 1 / Math.max(1, count - 1);
  let [first, t] = [0, 0];
  for (const group of groups) {
    for (let i = first; i < first + group; i++) {
      const mean = sums[p * channels + i] / count;
      const factor = unit / scale[i];
      for (let j = first; j <= i; j++, t++)
        into[t] = ((products[p * into.length + t] - mean * sums[p * channels + j]) * factor) / scale[j];
    }
    first += group;
  }
}

/** The mean of all positions' covariances, as `covarianceAt` writes them. */
function pooledCovariance(moments: Moments, scale: Float64Array): Float64Array {
  const positions = moments.grid ** 2;
  const own = new Float64Array(pairsOf(moments.groups));
  const pooled = new Float64Array(own.length);
  for (let p = 0; p < positions; p++) {
    covarianceAt(moments, p, scale, own);
    for (let t = 0; t < own.length; t++) pooled[t] += own[t] / positions;
  }
  return pooled;
}

/** The inverse of the Cholesky factor of a symmetric matrix; both as lower triangles, row by row. */
export function inverseCholesky(matrix: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(matrix.length);
  for (let i = 0, ri = 0; i < n; ri += ++i) {
    for (let j = 0, rj = 0; j <= i; rj += ++j) {
      // Four sums side by side, none of which waits for the others.
      let a = matrix[ri + j];
      let b = 0;
      let c = 0;
      let d = 0;
      let k = 0;
      for (; k + 3 < j; k += 4) {
        a -= factor[ri + k] * factor[rj + k];
        b -= factor[ri + k + 1] * factor[rj + k + 1];
        c -= factor[ri + k + 2] * factor[rj + k + 2];
        d -= factor[ri + k + 3] * factor[rj + k + 3];
      }
      for (; k < j; k++) a -= factor[ri + k] * factor[rj + k];
      const sum = a + b + (c + d);
      factor[ri + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[rj + j];
    }
  }
  return inverseOfTriangle(factor, n);
}

/** Row i of the inverse by forward substitution on the rows before it, four at a time, so that the inner loop runs along whole rows. */
function inverseOfTriangle(factor: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(factor.length);
  for (let i = 0, ri = 0; i < n; ri += ++i) {
    let [k, rk] = [0, 0];
    for (; k + 3 < i; k += 4) {
      const [ra, rb, rc] = [rk, rk + k + 1, rk + 2 * k + 3];
      const rd = rk + 3 * k + 6;
      const [fa, fb, fc, fd] = [factor[ri + k], factor[ri + k + 1], factor[ri + k + 2], factor[ri + k + 3]];
      for (let j = 0; j <= k; j++)
        inverse[ri + j] -= fa * inverse[ra + j] + fb * inverse[rb + j] + (fc * inverse[rc + j] + fd * inverse[rd + j]);
      // The ends of the longer rows.
      inverse[ri + k + 1] -= fb * inverse[rb + k + 1] + fc * inverse[rc + k + 1] + fd * inverse[rd + k + 1];
      inverse[ri + k + 2] -= fc * inverse[rc + k + 2] + fd * inverse[rd + k + 2];
      inverse[ri + k + 3] -= fd * inverse[rd + k + 3];
      rk += 4 * k + 10;
    }
    for (; k < i; rk += ++k) {
      const f = factor[ri + k];
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
