/**
 * What is said of many pictures: mean, median, and how far chance alone could have moved either (95 % intervals of a
 * seeded percentile bootstrap over the pictures, Efron 1979). Values that are no number (no score there) are left out.
 */
import { quantile } from '../arrays/sort.ts';
import { type Random, randomFrom } from '../random.ts';

export type Interval = readonly [low: number, high: number];

export interface Summary {
  /** Values counted. */
  readonly n: number;
  readonly mean: number;
  readonly median: number;
  /** Intervals of level 0.95; null below two values. */
  readonly meanInterval: Interval | null;
  readonly medianInterval: Interval | null;
}

export interface BootstrapOptions {
  readonly seed?: number;
  /** Default 2000. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly level?: number;
}

/** Undefined where there is no number among the values. */
export function summarise(
  values: readonly (number | null | undefined)[],
  options: BootstrapOptions = {},
): Summary | undefined {
  const sorted = numbersOf(values).sort((a, b) => a - b);
  const n = sorted.length;
  if (n === 0) return undefined;
  const intervals = n < 2 ? undefined : bootstrap(sorted, options);
  return {
    n,
    mean: meanOf(sorted),
    median: quantile(sorted, 0.5),
    meanInterval: intervals?.mean ?? null,
    medianInterval: intervals?.median ?? null,
  };
}

export interface PairedDifference {
  /** Pictures that both have a score of. */
  readonly n: number;
  /** Median of a - b, and its interval (null below two pictures). */
  readonly median: number;
  readonly interval: Interval | null;
}

/** How two methods differ on the same pictures: far surer than comparing two intervals. `a[i]` and `b[i]` are of one picture. */
export function pairedDifference(
  a: readonly (number | null | undefined)[],
  b: readonly (number | null | undefined)[],
  options: BootstrapOptions = {},
): PairedDifference | undefined {
  const summary = summarise(
    a.map((value, i) => (isNumber(value) && isNumber(b[i]) ? value - b[i] : null)),
    options,
  );
  return summary && { n: summary.n, median: summary.median, interval: summary.medianInterval };
}

function bootstrap(sorted: readonly number[], options: BootstrapOptions): { mean: Interval; median: Interval } {
  const { seed = 0, resamples = 2000, level = 0.95 } = options;
  const random = randomFrom(seed);
  const means = new Float64Array(resamples);
  const medians = new Float64Array(resamples);
  const counts = new Uint32Array(sorted.length);
  for (let r = 0; r < resamples; r++) {
    means[r] = drawInto(counts, sorted, random);
    medians[r] = medianOfCounts(counts, sorted);
  }
  const tail = (1 - level) / 2;
  const interval = (values: Float64Array): Interval => {
    values.sort();
    return [quantile(values, tail), quantile(values, 1 - tail)];
  };
  return { mean: interval(means), median: interval(medians) };
}

/** Draws as many values as there are, with replacement: how often each came; returns their mean. */
function drawInto(counts: Uint32Array, sorted: readonly number[], random: Random): number {
  const n = sorted.length;
  counts.fill(0);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const at = random.integer(n);
    counts[at]++;
    sum += sorted[at];
  }
  return sum / n;
}

/** The values being sorted already, the middle of a resample is found by counting. */
function medianOfCounts(counts: Uint32Array, sorted: readonly number[]): number {
  const n = sorted.length;
  const [lower, upper] = [(n - 1) >> 1, n >> 1];
  let seen = 0;
  let low = Number.NaN;
  for (let i = 0; i < n; i++) {
    seen += counts[i];
    if (Number.isNaN(low) && seen > lower) low = sorted[i];
    if (seen > upper) return (low + sorted[i]) / 2;
  }
  return low;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function numbersOf(values: readonly (number | null | undefined)[]): number[] {
  return values.filter(isNumber);
}
