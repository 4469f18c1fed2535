/**
 * Residuals of intact pixels: Student's t about 0 with variance v_p K, where v_p = rounding + theta . features and K is a covariance of the
 * channels of trace C. theta is fitted by multiplicative updates (those of the Itakura-Saito divergence: Fevotte, Bertin, Durrieu 2009), K by
 * the weighted covariance.
 */
import { choleskyFactor } from '../../../arrays/cholesky.ts';
import type { Planes } from './planes.ts';

/** The fitted law of intact pixels' residuals. */
export interface Inliers {
  /** Weights of the features, in units of [-1,1] squared. */
  readonly theta: Float64Array;
  /** Covariance of the channels, row by row; its trace is C. */
  readonly covariance: Float64Array;
  /** Degrees of freedom; infinite for a Gaussian. */
  readonly freedom: number;
}

/** What the law says of each pixel. */
export interface InlierTerms {
  /** Variance v_p. */
  readonly variance: Float64Array;
  /** r' K^-1 r / C, [H,W]. */
  readonly energy: Float64Array;
  /** log p(r_p | intact). */
  readonly logDensity: Float64Array;
}

/** Variance that is always there: a grey level's square, about what 8 bits round by. */
export const ROUNDING = 127.5 ** -2;

export function inlierTerms({ theta, covariance, freedom }: Inliers, planes: Planes): InlierTerms {
  const { channels, size, features } = planes;
  const lower = lowerOf(covariance, channels);
  let logDeterminant = 0;
  for (let a = 0; a < channels; a++) logDeterminant += 2 * Math.log(lower[a * channels + a]);
  const variance = new Float64Array(size).fill(ROUNDING);
  features.forEach((feature, j) => {
    for (let p = 0; p < size; p++) variance[p] += theta[j] * feature[p];
  });
  const energy = whitenedEnergy(planes, lower);
  const logDensity = new Float64Array(size);
  const constant = normaliser(freedom, channels) - 0.5 * logDeterminant;
  const isGaussian = !Number.isFinite(freedom);
  for (let p = 0; p < size; p++) {
    const distance = (channels * energy[p]) / variance[p];
    const tail = isGaussian ? distance : (freedom + channels) * Math.log(1 + distance / freedom);
    logDensity[p] = constant - 0.5 * (channels * Math.log(variance[p]) + tail);
  }
  return { variance, energy, logDensity };
}

/** The logarithm of the density at 0 for variance 1. */
function normaliser(freedom: number, channels: number): number {
  if (!Number.isFinite(freedom)) return -0.5 * channels * Math.log(2 * Math.PI);
  return logGamma(0.5 * (freedom + channels)) - logGamma(0.5 * freedom) - 0.5 * channels * Math.log(freedom * Math.PI);
}

/** E[1/scale] of Student's t at each pixel: large residuals count less. */
export function tailWeights({ variance, energy }: InlierTerms, { freedom }: Inliers, channels: number): Float64Array {
  if (!Number.isFinite(freedom)) return new Float64Array(energy.length).fill(1);
  return energy.map((e, p) => (freedom + channels) / (freedom + (channels * e) / variance[p]));
}

/** Updates of theta in an M-step; each raises the likelihood. */
const UPDATES = 3;

/** The law after one M-step; `weights`: the probability that a pixel is intact, 0 without data. */
export function fitInliers(
  before: Inliers,
  terms: InlierTerms,
  planes: Planes,
  weights: Float64Array,
  correlated: boolean,
): Inliers {
  const { channels, size, features } = planes;
  const tails = tailWeights(terms, before, channels);
  const isFitted = correlated && channels > 1;
  const covariance = isFitted ? channelCovariance(before, terms, tails, planes, weights) : before.covariance;
  const energy = isFitted ? whitenedEnergy(planes, lowerOf(covariance, channels)) : terms.energy;
  const squares = energy.map((e, p) => e * tails[p]);
  const theta = before.theta.slice();
  const variance = terms.variance.slice();
  for (let update = 0; update < UPDATES; update++) {
    features.forEach((feature, j) => {
      let [up, down] = [0, 0];
      for (let p = 0; p < size; p++) {
        const inverse = 1 / variance[p];
        const share = weights[p] * feature[p] * inverse;
        up += share * squares[p] * inverse;
        down += share;
      }
      const change = down > 0 ? theta[j] * (Math.sqrt(up / down) - 1) : 0;
      theta[j] += change;
      for (let p = 0; p < size; p++) variance[p] += change * feature[p];
    });
  }
  return { theta, covariance, freedom: before.freedom };
}

/**
 * Residuals' covariance over the channels, each pixel in units of its own variance, of trace C. It is drawn towards the identity by what is
 * rounded, which in one channel says nothing of the others, and as if C + 2 pixels had been seen to be independent: the least prior of an inverse
 * Wishart law that has a mean.
 */
function channelCovariance(
  { covariance: before }: Inliers,
  { variance }: InlierTerms,
  tails: Float64Array,
  { channels, size, residual }: Planes,
  weights: Float64Array,
): Float64Array {
  if (channels === 1) return before;
  const sums = new Float64Array(channels * channels);
  let [rounding, total] = [0, 0];
  for (let p = 0; p < size; p++) {
    const w = (weights[p] * tails[p]) / variance[p];
    if (w === 0) continue;
    rounding += (weights[p] * ROUNDING) / variance[p];
    total += weights[p];
    for (let a = 0; a < channels; a++)
      for (let b = 0; b <= a; b++) sums[a * channels + b] += w * residual[a * size + p] * residual[b * size + p];
  }
  let trace = 0;
  for (let a = 0; a < channels; a++) trace += sums[a * channels + a];
  if (!(trace > 0)) return before;
  const prior = channels + 2;
  const shrinkage = (rounding + prior) / (total + prior);
  return sums.map((_, i) => {
    const [a, b] = [Math.floor(i / channels), i % channels];
    const own = (channels * sums[Math.max(a, b) * channels + Math.min(a, b)]) / trace;
    return (1 - shrinkage) * own + (a === b ? shrinkage : 0);
  });
}

function whitenedEnergy({ channels, size, residual }: Planes, lower: Float64Array): Float64Array {
  const energy = new Float64Array(size);
  if (channels === 1) {
    const scale = 1 / lower[0] ** 2;
    for (let p = 0; p < size; p++) energy[p] = scale * residual[p] * residual[p];
    return energy;
  }
  const u = new Float64Array(channels);
  for (let p = 0; p < size; p++) {
    let sum = 0;
    for (let a = 0; a < channels; a++) {
      let rest = residual[a * size + p];
      for (let b = 0; b < a; b++) rest -= lower[a * channels + b] * u[b];
      u[a] = rest / lower[a * channels + a];
      sum += u[a] * u[a];
    }
    energy[p] = sum / channels;
  }
  return energy;
}

/** The lower triangle L of `matrix` = L L', [n,n]; not numbers where the residuals are none, as after a search that diverged. */
function lowerOf(matrix: Float64Array, n: number): Float64Array {
  return choleskyFactor(matrix, n) ?? new Float64Array(n * n).fill(Number.NaN);
}

/** log Gamma, by its recurrence and Stirling's series. */
function logGamma(x: number): number {
  if (x < 8) return logGamma(x + 1) - Math.log(x);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3);
}
