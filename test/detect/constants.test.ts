/** The constants of detection by what they mean, on small maps and residuals whose answers are known in closed form. */
import { describe, expect, it } from 'vitest';
import { CALIBRATION_SEARCH } from '../../src/detect/calibration-setup.ts';
import { type Candidate, comparer, MIN_GAIN, searchCandidates } from '../../src/detect/candidates.ts';
import { findDefects } from '../../src/detect/defects.ts';
import { foldsOf, statisticsOf } from '../../src/detect/folds.ts';
import { localContrastOf } from '../../src/detect/local-contrast.ts';
import { checkPolicyFits, type Policy } from '../../src/detect/policy.ts';
import { residualScale } from '../../src/detect/scale.ts';
import { residualStatistics, standardised } from '../../src/detect/scoring.ts';
import { policySearch } from '../../src/detect/search.ts';
import { scoreThreshold } from '../../src/detect/thresholds.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const GREY = 1 / 127.5;

const picture = (side: number, of: (y: number, x: number) => number) =>
  float32(
    Float32Array.from({ length: side * side }, (_, p) => of(Math.floor(p / side), p % side)),
    [1, 1, side, side],
  );
const constant = (value: number, side = 5) => picture(side, () => value);

describe('residuals', () => {
  it('that were never there deviate by one grey level, the rounding of 8 bits', () => {
    const statistics = residualStatistics([constant(0), constant(0)], false);
    expect(standardised(constant(3 * GREY), statistics).data[0]).toBeCloseTo(3, 4);
  });

  it("each pixel's variance is nine tenths of its neighbours' (a Gaussian of 1.5 pixels) and one tenth of all pixels'", () => {
    const [side, middle, size] = [25, 12, 20];
    const hot = (sign: number) => picture(side, (y, x) => (y === middle && x === middle ? sign * size : 0));
    const { whitening } = residualStatistics([hot(1), hot(-1)], true);
    const bell = Array.from({ length: 13 }, (_, i) => Math.exp(-0.5 * ((i - 6) / 1.5) ** 2));
    const total = bell.reduce((sum, v) => sum + v, 0);
    for (const away of [0, 1, 3]) {
      const near = (bell[6] * bell[6 + away]) / total ** 2;
      const variance = size ** 2 * (0.9 * near + 0.1 / side ** 2) + GREY ** 2;
      expect(whitening.data[middle * side + middle + away] * Math.sqrt(variance)).toBeCloseTo(1, 2);
    }
  });

  it('of training pictures are enlarged to the size of the others, by four at most', () => {
    const pair = (size: number) => [1, -1].map((sign) => constant(sign * size));
    const deviation = (seen: number) =>
      1 / statisticsOf({ unseen: pair(1), seen: pair(seen) }, true).whitening.data[12];
    expect(deviation(0.5)).toBeCloseTo(1, 3);
    expect(deviation(0.1)).toBeCloseTo(Math.sqrt((1 + 0.4 ** 2) / 2), 3);
  });

  it('one pixel in a hundred of good pictures may be masked, from 4 to 255 grey levels', () => {
    const scaleOf = (values: ArrayLike<number>) => {
      const image = float32(values, [1, 1, 1, values.length]);
      const restored = float32(new Float32Array(values.length), image.dims);
      return residualScale([{ image, restored }], CALIBRATION_SEARCH.maskedShare);
    };
    const ramp = Float32Array.from({ length: 10_001 }, (_, i) => i / 10_000);
    expect(scaleOf(ramp).outlierGrey).toBeCloseTo(0.99 * 127.5, 3);
    expect(scaleOf([0, 0, 0]).outlierGrey).toBe(4);
    expect(scaleOf([2, 2, 2]).outlierGrey).toBe(255);
  });
});

it('pictures are compared in four parts', () => {
  expect(foldsOf(16)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
});

describe('surroundings', () => {
  it('are told apart in twelve classes of equal size', () => {
    const map = picture(48, (y, x) => 0.1 + (48 * y + x) / 48);
    const { activity } = localContrastOf([map], 1);
    expect(activity.length).toBe(12);
    expect([...activity].sort((a, b) => a - b)).toEqual(activity);
  });

  it('never scale a map up by more than twenty', () => {
    expect(localContrastOf([constant(0, 16)], 2).scale).toEqual([0.05]);
  });
});

it('holes of a region up to four times its least area are filled', () => {
  // A ring around a hole of 4 x 4, and one around a hole of 5 x 4.
  const ring = (inner: number) =>
    picture(16, (y, x) =>
      y >= 2 && y < 8 && x >= 2 && x < 4 + inner && !(y >= 3 && y < 7 && x >= 3 && x < 3 + inner) ? 9 : 0,
    );
  const areaOf = (inner: number) => findDefects(ring(inner), 5, 4).defects[0].area;
  expect(areaOf(4)).toBe(6 * 6);
  expect(areaOf(5)).toBe(6 * 7 - 4 * 5);
});

it('the box of a region holds its pixels and no others', () => {
  const [{ top, left, height, width }] = findDefects(
    picture(12, (y, x) => (y >= 3 && y < 5 && x >= 4 && x < 9 ? 9 : 0)),
    5,
    2,
  ).defects;
  expect({ top, left, height, width }).toEqual({ top: 3, left: 4, height: 2, width: 5 });
});

it("beyond the largest score, thresholds are those of Gumbel's law of the same mean and variance", () => {
  // Of mean 1 and variance 2: the scale is sqrt(6 * 2) / pi, and the mean lies Euler's constant times that above the mode.
  const scale = Math.sqrt(12) / Math.PI;
  const mode = 1 - 0.577215664901532 * scale;
  expect(scoreThreshold([0, 2], 0.001)).toBeCloseTo(mode - scale * Math.log(-Math.log(0.999)), 8);
});

describe('the search for a candidate', () => {
  const first: Candidate = { perPixel: false, blur: 0.7, smoothing: 1.5, contrastWidth: 0 };
  const bestBlur = (gain: number) =>
    searchCandidates(first, 'tiles', 1, (candidate) => ({
      candidate,
      measured: { pixelAp: 0, aupro: 0, imageAuroc: 0 },
      scorePixels: 1,
      score: 0.5 + (candidate.blur > 1 ? gain : 0),
    })).best.candidate.blur;

  it('goes to another one where the score is higher by 0.015', () => {
    expect(MIN_GAIN).toBe(0.015);
    expect([bestBlur(0.014), bestBlur(0.016)]).toEqual([0.7, 1.4]);
  });
});

it('a score is the mean of two pixels in a hundred where one alone tells pictures apart worse by more than 0.01', () => {
  const side = 10;
  const pixels = (values: readonly number[]) => picture(side, (y, x) => values[side * y + x] ?? (x % 2 ? 1 : -1));
  const zero = constant(0, side);
  const restored = (image: typeof zero) => ({ image, restored: zero });
  /** One good picture has one pixel that is odder than any of `faint` defective ones: so many of 400 pairs are out of order. */
  const scorePixels = (faint: number) => {
    const twenty = (of: (i: number) => readonly number[]) =>
      Array.from({ length: 20 }, (_, i) => restored(pixels(of(i))));
    const measure = comparer({
      good: twenty((i) => (i === 0 ? [5] : [])),
      bad: twenty((i) => (i < faint ? [4, 4] : [10, 10])),
      truth: Array.from({ length: 20 }, () => picture(side, (y, x) => Number(y === 0 && x < 2))),
      seen: [],
      folds: foldsOf(20),
    });
    return measure({ perPixel: false, blur: 0, smoothing: 0, contrastWidth: 0 }).scorePixels;
  };
  expect([scorePixels(3), scorePixels(6)]).toEqual([1, 2]);
});

describe('the search of a policy', async () => {
  const generator = await openGenerator(tinyGenerator(3), nodeRuntime({ threads: 1 }));
  const { stages } = policySearch(generator, { thresholdGrey: 20, prior: 0.5, steps: 80, starts: 4 }, 4);
  const lambda = (grey: number) => (3 * grey) / 127.5;

  it('lowers lambda from half the range to the threshold in a quarter of the steps, and refines twice', () => {
    expect(stages.map(({ name, steps, starts }) => [name, steps, starts])).toEqual([
      ['lower', 20, 4],
      ['refine', 30, 1],
      ['settle', 30, 1],
    ]);
    expect(stages[0].controls(0).lambda).toBeCloseTo(lambda(127.5), 8);
    expect(stages[0].controls(10).lambda).toBeCloseTo(Math.sqrt(lambda(127.5) * lambda(20)), 8);
    expect(stages[1].controls(0).lambda).toBeCloseTo(lambda(20), 8);
  });

  it('moves z at a rate of 0.1, which falls in each refinement along a cosine, the second time from half of it', () => {
    expect(stages.map(({ controls }) => controls(0).latentRate)).toEqual([0.1, 0.1, 0.05]);
    expect(stages[1].controls(15).latentRate).toBeCloseTo(0.1 * (0.002 + 0.998 / 2), 8);
    expect(stages[1].controls(30).latentRate).toBeCloseTo(0.1 * 0.002, 8);
  });

  it('weighs the prior and one absolute error per channel', () => {
    expect(stages[0].formulation.loss).toEqual([{ kind: 'l1', weight: 1 }]);
    expect(stages[0].formulation.priors).toEqual([{ kind: 'gaussian', weight: 0.5 }]);
  });
});

it('a policy of another generator is refused', () => {
  const statistics = (channels: number, side: number) => ({
    location: float32(new Float32Array(channels * side * side), [1, channels, side, side]),
    whitening: float32([], [1, 0, 1, 1]),
  });
  const policy = (channels: number, side: number, form: 'object' | 'tiles' = 'object') =>
    ({ name: 'default', form, statistics: statistics(channels, side) }) as Policy;
  const generator = { channels: 3, height: 8, width: 8 };
  checkPolicyFits(policy(3, 1), generator);
  checkPolicyFits(policy(3, 8), generator);
  expect(() => checkPolicyFits(policy(1, 1), generator)).toThrow(
    "The policy 'default' was calibrated on pictures of 1 channel(s); the generator makes 3 channel(s) of 8 x 8 pixels. Calibrate again.",
  );
  expect(() => checkPolicyFits(policy(3, 8, 'tiles'), generator)).toThrow('and 8 x 8 pixels; the generator makes');
});
