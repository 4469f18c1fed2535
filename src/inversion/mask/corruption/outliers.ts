/**
 * Values of corrupted pixels: flat over the range of values, plus what this picture's outliers show: one Gaussian, and a few values that come
 * again and again (filled bars, letters, dead pixels), each as wide as the noise of intact pixels.
 */
import { cholesky } from './inliers.ts';
import type { Planes } from './planes.ts';

/** The fitted law of corrupted pixels' values. */
export interface Outliers {
  /** log of the density of the flat part. */
  readonly logFlat: number;
  /** Weights of the flat part, the Gaussian and the values, summing to 1. */
  readonly weights: Float64Array;
  readonly gaussian?: { readonly mean: Float64Array; readonly lower: Float64Array; readonly logDeterminant: number };
  /** Values that repeat, [C] each. */
  readonly values: readonly Float64Array[];
  /** Variance about a value that repeats. */
  readonly width: number;
}

/** Which parts the law may have. */
export interface OutlierTerms {
  readonly gaussian: boolean;
  /** Number of values at most. */
  readonly values: number;
}

export function flatOutliers({ x, size, channels, seen }: Planes): Outliers {
  let logVolume = 0;
  for (let c = 0; c < channels; c++) {
    let [low, high] = [-1, 1];
    for (let p = 0; p < size; p++) {
      if (seen[p] === 0) continue;
      low = Math.min(low, x[c * size + p]);
      high = Math.max(high, x[c * size + p]);
    }
    logVolume += Math.log(high - low);
  }
  return { logFlat: -logVolume, weights: Float64Array.of(1), values: [], width: 1 };
}

/** log p(x_p | corrupted), and with `shares` the posterior share of each part, [parts][H,W]. */
export function outlierDensity(law: Outliers, { x, size, channels }: Planes, shares?: Float64Array[]): Float64Array {
  const { logFlat, weights, gaussian, values, width } = law;
  const logDensity = new Float64Array(size);
  const u = new Float64Array(channels);
  const norm = -0.5 * channels * Math.log(2 * Math.PI);
  const valueNorm = norm - 0.5 * channels * Math.log(width);
  const flat = weights[0] * Math.exp(logFlat);
  for (let p = 0; p < size; p++) {
    let sum = flat;
    if (shares) shares[0][p] = flat;
    let part = 1;
    if (gaussian) {
      let distance = 0;
      for (let a = 0; a < channels; a++) {
        let v = x[a * size + p] - gaussian.mean[a];
        for (let b = 0; b < a; b++) v -= gaussian.lower[a * channels + b] * u[b];
        u[a] = v / gaussian.lower[a * channels + a];
        distance += u[a] * u[a];
      }
      const own = weights[part] * Math.exp(norm - 0.5 * (gaussian.logDeterminant + distance));
      if (shares) shares[part][p] = own;
      sum += own;
      part++;
    }
    for (const value of values) {
      let distance = 0;
      for (let c = 0; c < channels; c++) distance += (x[c * size + p] - value[c]) ** 2;
      const own = weights[part] * Math.exp(valueNorm - (0.5 * distance) / width);
      if (shares) shares[part][p] = own;
      sum += own;
      part++;
    }
    if (shares) for (let k = 0; k < part; k++) shares[k][p] /= sum;
    logDensity[p] = Math.log(sum);
  }
  return logDensity;
}

/** The law after one M-step; `corrupted`: the probability that a pixel is. */
export function fitOutliers(
  before: Outliers,
  planes: Planes,
  corrupted: Float64Array,
  misfit: Float64Array,
  terms: OutlierTerms,
  width: number,
): Outliers {
  const { size } = planes;
  let total = 0;
  for (let p = 0; p < size; p++) total += corrupted[p];
  const values = terms.values > 0 ? repeatedValues(planes, misfit, terms.values) : [];
  const isKnown = before.values.length === values.length && !!before.gaussian === terms.gaussian;
  const parts = 1 + (terms.gaussian ? 1 : 0) + values.length;
  const begun: Outliers = {
    ...before,
    values,
    width,
    gaussian: terms.gaussian ? (before.gaussian ?? gaussianOf(planes, corrupted, total)) : undefined,
    weights: isKnown ? before.weights : new Float64Array(parts).fill(1 / parts),
  };
  const shares = Array.from({ length: parts }, () => new Float64Array(size));
  outlierDensity(begun, planes, shares);
  const sums = shares.map((share) => share.reduce((sum, s, p) => sum + corrupted[p] * s, 0));
  const gaussian = terms.gaussian
    ? gaussianOf(
        planes,
        corrupted.map((q, p) => q * shares[1][p]),
        sums[1],
      )
    : undefined;
  // One pixel of each part as a prior, so that no weight is 0.
  const weights = Float64Array.from(sums, (sum) => (sum + 1) / (total + parts));
  return { ...begun, gaussian, weights };
}

/** Mean and covariance of weighted pixels' values; a few pixels as wide as the range keep it from collapsing. */
function gaussianOf({ x, size, channels }: Planes, weights: Float64Array, total: number) {
  const mean = new Float64Array(channels);
  const prior = 2 * channels;
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < size; p++) mean[c] += weights[p] * x[c * size + p];
    mean[c] /= total + prior;
  }
  const covariance = new Float64Array(channels * channels);
  for (let a = 0; a < channels; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = a === b ? prior : 0;
      for (let p = 0; p < size; p++) sum += weights[p] * (x[a * size + p] - mean[a]) * (x[b * size + p] - mean[b]);
      covariance[a * channels + b] = sum / (total + prior);
    }
  }
  return { mean, ...cholesky(covariance, channels) };
}

/**
 * Values, in 8 bits, that at least `MIN_SHARE` of the surely corrupted pixels have, and at least `MIN_COUNT` of them; most pixels of such a value
 * have to be corrupted, so that no value is taken that the picture has by nature. `misfit`: the probability of corruption by the flat law.
 */
function repeatedValues(
  { x, size, channels, seen }: Planes,
  misfit: Float64Array,
  most: number,
): Float64Array[] {
  const counts = new Map<number, { mass: number; count: number; pixel: number }>();
  let total = 0;
  for (let p = 0; p < size; p++) {
    if (seen[p] === 0) continue;
    total += misfit[p];
    let key = 0;
    for (let c = 0; c < channels; c++) key = 1024 * key + Math.round(127.5 * x[c * size + p] + 512);
    const entry = counts.get(key);
    if (entry) {
      entry.mass += misfit[p];
      entry.count++;
    } else counts.set(key, { mass: misfit[p], count: 1, pixel: p });
  }
  return [...counts.values()]
    .filter(({ mass, count }) => mass >= Math.max(MIN_COUNT, MIN_SHARE * total, 0.5 * count))
    .sort((a, b) => b.mass - a.mass)
    .slice(0, most)
    .map(({ pixel }) => Float64Array.from({ length: channels }, (_, c) => x[c * size + pixel]));
}

const MIN_COUNT = 8;
const MIN_SHARE = 0.1;
