/**
 * Values of corrupted pixels: flat over the range of values, plus a few values that come again and again (filled bars, letters, dead pixels), each
 * as wide as the noise of intact pixels: so they are found also where they are faint.
 */
import type { Planes } from './planes.ts';

/** The law of corrupted pixels' values. */
export interface Outliers {
  /** log of the flat part's density. */
  readonly logFlat: number;
  /** Shares of the flat part and of the values; their sum is 1. */
  readonly shares: Float64Array;
  /** Values that repeat, [C] each. */
  readonly values: readonly Float64Array[];
  /** Variance about a value that repeats. */
  readonly variance: number;
}

/** A value repeats where at least so many corrupted pixels have it, and this share of them. */
const MIN_COUNT = 8;
const MIN_SHARE = 0.1;

/** Share of a value's pixels that have to be misfits: a flat region whose shade G(z) misses a little is none. */
const MIN_MISFITS = 0.25;

/** Deviations beyond which a value's Gaussian counts as 0: it is below 1e-17 of its peak. */
const MAX_DEVIATIONS = 9;

/** Flat over [-1,1], or the picture's own range where that is wider. */
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
  return { logFlat: -logVolume, shares: Float64Array.of(1), values: [], variance: 1 };
}

/** log p(x_p | corrupted), [H,W]. With `sums`, adds to it the pixels of each part, weighted by `weights`. */
export function outlierDensity(
  { logFlat, shares, values, variance }: Outliers,
  { x, size, channels }: Planes,
  count?: { readonly weights: Float64Array; readonly sums: Float64Array },
): Float64Array {
  const logDensity = new Float64Array(size);
  const flat = shares[0] * Math.exp(logFlat);
  const peak = (2 * Math.PI * variance) ** (-0.5 * channels);
  const logOfFlat = Math.log(flat);
  const reach = MAX_DEVIATIONS ** 2 * variance;
  const own = new Float64Array(shares.length);
  own[0] = flat;
  for (let p = 0; p < size; p++) {
    let sum = flat;
    for (let k = 0; k < values.length; k++) {
      let distance = 0;
      for (let c = 0; c < channels; c++) distance += (x[c * size + p] - values[k][c]) ** 2;
      own[k + 1] = distance < reach ? shares[k + 1] * peak * Math.exp((-0.5 * distance) / variance) : 0;
      sum += own[k + 1];
    }
    if (count) for (let k = 0; k < own.length; k++) count.sums[k] += (count.weights[p] * own[k]) / sum;
    logDensity[p] = sum === flat ? logOfFlat : Math.log(sum);
  }
  return logDensity;
}

/** What an M-step is given for the values that repeat. */
export interface ValueRule {
  readonly most: number;
  /** Variance about a value. */
  readonly variance: number;
}

/**
 * The law after one M-step, of pixels that are `corrupted` with a probability, and by the flat law alone are a `misfit` with another.
 */
export function fitOutliers(
  before: Outliers,
  planes: Planes,
  corrupted: Float64Array,
  misfit: Float64Array,
  { most, variance }: ValueRule,
): Outliers {
  const values = most > 0 ? repeatedValues(planes, misfit, most) : [];
  const parts = 1 + values.length;
  const isAsBefore = before.values.length === values.length;
  const begun = {
    ...before,
    values,
    variance,
    shares: isAsBefore ? before.shares : new Float64Array(parts).fill(1 / parts),
  };
  const sums = new Float64Array(parts);
  outlierDensity(begun, planes, { weights: corrupted, sums });
  const total = sums.reduce((sum, s) => sum + s, 0);
  // One pixel of each part beforehand, so that no share is 0.
  return { ...begun, shares: sums.map((sum) => (sum + 1) / (total + parts)) };
}

/** Only values count that are misfits often enough: no value that the picture has by nature is taken. */
function repeatedValues(
  { x, size, channels, seen, values }: Planes,
  misfit: Float64Array,
  most: number,
): Float64Array[] {
  const mass = new Float64Array(values.count);
  const count = new Int32Array(values.count);
  const pixel = new Int32Array(values.count);
  let total = 0;
  for (let p = 0; p < size; p++) {
    if (seen[p] === 0) continue;
    const value = values.of[p];
    total += misfit[p];
    mass[value] += misfit[p];
    count[value]++;
    pixel[value] = p;
  }
  return Array.from(mass.keys())
    .filter((value) => mass[value] >= Math.max(MIN_COUNT, MIN_SHARE * total, MIN_MISFITS * count[value]))
    .sort((a, b) => mass[b] - mass[a])
    .slice(0, most)
    .map((value) => Float64Array.from({ length: channels }, (_, c) => x[c * size + pixel[value]]));
}
