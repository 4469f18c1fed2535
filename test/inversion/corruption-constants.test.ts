/** The numbers of the model of corruption: densities in closed form, and toy pictures on either side of its thresholds. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fitIsing } from '../../src/inversion/mask/corruption/contiguity.ts';
import { CORRUPTION_DEFAULTS, inferCorruption } from '../../src/inversion/mask/corruption/infer-corruption.ts';
import { fitInliers, inlierTerms } from '../../src/inversion/mask/corruption/inliers.ts';
import { latticeOf } from '../../src/inversion/mask/corruption/lattice.ts';
import { fitOutliers, flatOutliers, outlierDensity } from '../../src/inversion/mask/corruption/outliers.ts';
import { planesOf } from '../../src/inversion/mask/corruption/planes.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const CONSTANT = { displacement: false, brightness: false };

/** Planes of a picture of one row, about a reconstruction of zeros: `channels` of values. */
function planes(...channels: readonly (readonly number[])[]) {
  const dims = [1, channels.length, 1, channels[0].length];
  const picture = float32(channels.flat(), dims);
  return planesOf(picture, float32(new Float32Array(picture.data.length), dims), {}, CONSTANT);
}

it('the defaults are those that docs/method.md states', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/method.md'), 'utf8').replaceAll(/\s+/g, ' ');
  const words = ['zero', 'one', 'two', 'three', 'four', 'five'];
  const stated = (sentence: RegExp) => {
    const number = sentence.exec(text)?.[1] ?? 'nowhere';
    return words.includes(number) ? words.indexOf(number) : Number(number);
  };
  expect(CORRUPTION_DEFAULTS).toMatchObject({
    freedom: stated(/Student's t with (\d+) degrees of freedom/),
    values: stated(/one of up to (\w+) values/),
    maxCoupling: stated(/large for a block, and (\d+) at most/),
    intactShare: stated(/rounds, (\d+)% of the picture's pixels/) / 100,
    rounds: stated(/by (\d+) rounds of expectation-maximisation/),
  });
});

describe('the density of intact residuals', () => {
  const identity = (channels: number) =>
    Float64Array.from({ length: channels ** 2 }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0));

  it('is at least as wide as a grey level', () => {
    const { variance } = inlierTerms({ theta: Float64Array.of(0), covariance: identity(1), freedom: 3 }, planes([0]));
    expect(127.5 * Math.sqrt(variance[0])).toBeCloseTo(1, 10);
  });

  it.each([-0.7, 0, 0.2])(
    "of one channel, Student's t with 3 degrees: 2 / (pi sqrt(3 v) (1 + r^2 / 3v)^2) at %d",
    (r) => {
      const v = 0.09 + 127.5 ** -2;
      const law = { theta: Float64Array.of(0.09), covariance: identity(1), freedom: 3 };
      const { logDensity } = inlierTerms(law, planes([r]));
      expect(Math.exp(logDensity[0])).toBeCloseTo(2 / (Math.PI * Math.sqrt(3 * v) * (1 + r ** 2 / (3 * v)) ** 2), 6);
    },
  );

  it.each([3, Number.POSITIVE_INFINITY])(
    'of two channels that go together, with %d degrees: by the inverse of a 2 x 2',
    (freedom) => {
      const [a, b, c] = [1.3, 0.4, 0.7];
      const [r, s] = [0.3, -0.1];
      const v = 0.04 + 127.5 ** -2;
      const law = { theta: Float64Array.of(0.04), covariance: Float64Array.of(a, b, b, c), freedom };
      const { logDensity, energy } = inlierTerms(law, planes([r], [s]));
      const determinant = a * c - b * b;
      const square = (c * r * r - 2 * b * r * s + a * s * s) / determinant;
      // The residuals are those of float32.
      expect(energy[0]).toBeCloseTo(square / 2, 5);
      const fall = Number.isFinite(freedom)
        ? (1 + square / (freedom * v)) ** (-(freedom + 2) / 2)
        : Math.exp((-0.5 * square) / v);
      expect(Math.exp(logDensity[0])).toBeCloseTo(fall / (2 * Math.PI * v * Math.sqrt(determinant)), 5);
    },
  );

  it('of one channel of variance K: r^2 / K', () => {
    const law = { theta: Float64Array.of(0.04), covariance: Float64Array.of(4), freedom: 3 };
    expect(inlierTerms(law, planes([0.6])).energy[0]).toBeCloseTo(0.36 / 4, 6);
  });

  it('the covariance of the channels is drawn towards the identity by the share of rounding in the variance, and as by four pixels', () => {
    const random = randomFrom(3);
    const values = Array.from({ length: 200 }, () => 0.2 * random.normal());
    const data = planes(values, values);
    const before = { theta: Float64Array.of(0.04), covariance: identity(2), freedom: 3 };
    const fitted = fitInliers(before, inlierTerms(before, data), data, new Float64Array(200).fill(1), true);
    const share = ((200 * 127.5 ** -2) / (0.04 + 127.5 ** -2) + 4) / 204;
    [1, 1 - share, 1 - share, 1].forEach((v, i) => {
      expect(fitted.covariance[i]).toBeCloseTo(v, 10);
    });
  });
});

describe('the density of corrupted values', () => {
  it.each([0, 1, 6])('is flat, plus a Gaussian about each value that repeats: %d deviations from it', (deviations) => {
    const [flat, deviation] = [1e-12, 0.01];
    const law = {
      logFlat: -2 * Math.log(2),
      shares: Float64Array.of(flat, 1 - flat),
      values: [Float64Array.of(0.5, 0.25)],
      variance: deviation ** 2,
    };
    const x = 0.5 + deviations * deviation;
    const data = planes([x], [0.25]);
    // The pixel as float32 holds it.
    const distance = (data.x[0] - 0.5) / deviation;
    const gaussian = Math.exp(-0.5 * distance ** 2) / (2 * Math.PI * deviation ** 2);
    const expected = Math.log(flat / 4 + (1 - flat) * gaussian);
    expect(outlierDensity(law, data)[0]).toBeCloseTo(expected, 8);
  });

  /** Of a row of misfits: the values that `counts` of its pixels have, and other pixels that are all different. */
  function repeated(counts: readonly number[], others = 0, misfits = 1) {
    const values = counts.flatMap((count, i) => new Array<number>(count).fill((20 * i - 100) / 127.5));
    const data = planes([...values, ...Array.from({ length: others }, (_, i) => (10 + i) / 127.5)]);
    const whole = new Float64Array(data.size).fill(1);
    const misfit = whole.map((_, p) => (p < values.length ? misfits : 1));
    return fitOutliers(flatOutliers(data), data, whole, misfit, { most: 4, variance: 1e-8 });
  }

  it('a value of seven pixels does not repeat, of eight it does', () => {
    expect([7, 8].map((count) => repeated([count]).values.length)).toEqual([0, 1]);
  });

  it('a value repeats where a tenth of all misfits have it', () => {
    expect([90, 92].map((others) => repeated([10], others).values.length)).toEqual([1, 0]);
  });

  it('and where a quarter of its pixels are misfits', () => {
    expect([0.24, 0.26].map((misfits) => repeated([80], 0, misfits).values.length)).toEqual([0, 1]);
  });

  it('there are as many as the rule allows, and each has its share, with one pixel of each beforehand', () => {
    const { shares, values } = repeated([20, 20, 20, 20, 20]);
    expect(values.length).toBe(4);
    // The fifth value is flat: 20 pixels. The Gaussians of the others are all that their pixels are.
    expect(shares.length).toBe(5);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
    for (const share of shares) expect(share).toBeCloseTo(21 / 105, 3);
  });
});

it('a mask is where it is above one half', () => {
  const picture = float32(new Float32Array(4).fill(0.1), [1, 1, 1, 4]);
  const soft = float32([0.3, 0.49, 0.51, 1], [1, 1, 1, 4]);
  const { given } = planesOf(picture, picture, { hide: soft }, CONSTANT);
  expect([...given]).toEqual([0, 0, 1, 1]);
});

describe('the fit of contiguity', () => {
  const lattice = latticeOf(8, 8);
  const nothing = new Uint8Array(64);
  const fitFrom = (field: number, intact: number, coupling = 0) =>
    fitIsing({ field, coupling }, new Float64Array(64), nothing, lattice, { maxCoupling: 8, intact });

  it("is a step of Newton's method: from 0.3 towards what is known beforehand, which is 0", () => {
    // sinh(h) - h is what is left of a step from h.
    const { field, coupling } = fitFrom(0.3, 0);
    expect(field).toBeCloseTo(0.3 - Math.sinh(0.3), 10);
    expect(Math.abs(coupling)).toBeLessThan(1e-10);
  });

  it('ends where the pseudo-likelihood has its maximum, intact pixels beforehand included', () => {
    const intact = 3;
    let at = { field: 0, coupling: 0 };
    for (let i = 0; i < 20; i++) at = fitFrom(at.field, intact, at.coupling);
    // Half a pixel of each kind at both ends, and `intact` ones that are 0 at neighbours of -1/2, 0 and 1/2.
    const value = (field: number, coupling: number) => {
      const log = (label: number, n: number) => -Math.log(1 + Math.exp((label ? -1 : 1) * (field + coupling * n)));
      const ends = [-1, 1].flatMap((n) => [0, 1].map((label) => 0.5 * log(label, n)));
      return [...ends, ...[-0.5, 0, 0.5].map((n) => intact * log(0, n))].reduce((sum, v) => sum + v, 0);
    };
    const best = value(at.field, at.coupling);
    for (const [h, beta] of [
      [0.01, 0],
      [-0.01, 0],
      [0, 0.01],
    ])
      expect(value(at.field + h, at.coupling + beta)).toBeLessThan(best);
    expect(at.field).toBeLessThan(-0.5);
  });

  it('moves by two at most', () => {
    // Far out, a step to 0 would be exp(|h|) / 2 long.
    expect(fitFrom(-9, 0).field).toBeCloseTo(-7, 6);
  });
});

it('up to four values that misfits repeat are taken as such', () => {
  const side = 40;
  const random = randomFrom(2);
  const dims = [1, 1, side, side];
  const reconstruction = float32(new Float32Array(side ** 2), dims);
  // Five bars of two rows, each of one value.
  const picture = float32(
    Float32Array.from({ length: side ** 2 }, (_, p) => {
      const row = Math.floor(p / side);
      return row % 8 < 2 ? [-0.9, -0.5, 0.45, 0.7, 0.95][row >> 3] : 0.02 * random.normal();
    }),
    dims,
  );
  expect(inferCorruption({ picture, reconstruction }).parameters.outlierValues.length).toBe(4);
  expect(inferCorruption({ picture, reconstruction }, { values: 8 }).parameters.outlierValues.length).toBe(5);
});

it('the share of pixels that are intact beforehand falls to 0 in two thirds of the rounds', () => {
  // Of a picture without data nothing but what is known beforehand decides.
  const dims = [1, 1, 8, 8];
  const picture = float32(new Float32Array(64).fill(Number.NaN), dims);
  const reconstruction = float32(new Float32Array(64), dims);
  const [rounds, intactShare] = [6, 0.5];
  const { parameters } = inferCorruption({ picture, reconstruction }, { rounds, intactShare });
  let expected = { field: Math.log(1 / 9), coupling: 0 };
  for (const share of [1, 3 / 4, 1 / 2, 1 / 4, 0, 0])
    expected = fitIsing(expected, new Float64Array(64).fill(1), new Uint8Array(64), latticeOf(8, 8), {
      maxCoupling: 8,
      intact: 64 * intactShare * share,
    });
  expect(parameters.field).toBeCloseTo(expected.field, 10);
  expect(parameters.coupling).toBeCloseTo(expected.coupling, 10);
});
