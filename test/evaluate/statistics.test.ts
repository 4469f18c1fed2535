/** Summaries against closed forms. */
import { expect, test } from 'vitest';
import { quantile } from '../../src/arrays/sort.ts';
import { pairedDifference, summarise } from '../../src/evaluate/statistics.ts';
import { randomFrom } from '../../src/random.ts';

test('quantiles are linear between the order statistics, as numpy has them', () => {
  const values = [1, 2, 4, 8];
  expect([0, 0.25, 0.5, 0.9, 1].map((p) => quantile(values, p))).toEqual(
    [1, 1.75, 3, 6.8, 8].map((v) => expect.closeTo(v, 12)),
  );
});

test('mean and median, of odd and even counts, what is no number left out', () => {
  expect(summarise([5, 1, 3])).toMatchObject({ n: 3, mean: 3, median: 3 });
  expect(summarise([4, null, 1, Number.NaN, 2, undefined, 9])).toMatchObject({ n: 4, mean: 4, median: 3 });
  expect(summarise([null, Number.NaN])).toBeUndefined();
  expect(summarise([7])).toEqual({ n: 1, mean: 7, median: 7, meanInterval: null, medianInterval: null });
});

test('of two values a quarter of the resamples are one of them twice: the interval is the two values', () => {
  expect(summarise([10, 20])).toMatchObject({ meanInterval: [10, 20], medianInterval: [10, 20] });
});

test('equal values have an interval of no width', () => {
  expect(summarise(Array(9).fill(0.25))).toMatchObject({ meanInterval: [0.25, 0.25], medianInterval: [0.25, 0.25] });
});

test("the mean's interval is that of the normal law where there are many values", () => {
  const values = [...randomFrom(3).normals(400)];
  const { mean, meanInterval } = summarise(values, { seed: 1, resamples: 40_000 })!;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  const half = (1.96 * deviation) / Math.sqrt(values.length);
  expect(meanInterval![0]).toBeCloseTo(mean - half, 2);
  expect(meanInterval![1]).toBeCloseTo(mean + half, 2);
});

test("the median's interval is that of the order statistics", () => {
  // The median of a resample of 0..n-1 is below k as often as a binomial says: here P(median <= 39) = 1.8 %, <= 40 = 2.8 %.
  const values = Array.from({ length: 101 }, (_, i) => i);
  const { medianInterval } = summarise(values, { seed: 2, resamples: 20_000 })!;
  expect(medianInterval![0]).toBeGreaterThanOrEqual(39);
  expect(medianInterval![0]).toBeLessThanOrEqual(41);
  expect(medianInterval![1]).toBe(100 - medianInterval![0]);
});

test('the same seed gives the same interval, whatever the order of the pictures', () => {
  const values = [...randomFrom(5).normals(50)];
  expect(summarise(values, { seed: 4 })).toEqual(summarise(values.toReversed(), { seed: 4 }));
  expect(summarise(values, { seed: 4 })!.meanInterval).not.toEqual(summarise(values, { seed: 5 })!.meanInterval);
});

test('two methods are compared on the pictures that both have', () => {
  const a = [30, 21, 12, null, 40];
  const b = [29, 20, 11, 50, null];
  expect(pairedDifference(a, b)).toEqual({ n: 3, median: 1, interval: [1, 1] });
});
