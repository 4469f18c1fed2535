/** What calibration does by default, on tiny pictures of an affine generator; the limits of joined maps in closed form. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CalibrationJob, calibrate } from '../../src/detect/calibrate.ts';
import { limitsAtRates } from '../../src/detect/calibration-facts.ts';
import { CALIBRATION_SEARCH } from '../../src/detect/calibration-setup.ts';
import { detectorMetadata } from '../../src/detect/export/facts.ts';
import { featureSmoothing } from '../../src/detect/feature-space.ts';
import { openInverter } from '../../src/detect/inverter.ts';
import { joinUnits } from '../../src/detect/joining.ts';
import type { ProjectionSettings } from '../../src/detect/policy.ts';
import { parseSettings } from '../../src/detect/policy-schema.ts';
import { residualScale } from '../../src/detect/scale.ts';
import { imageAt } from '../../src/images/image.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const SIDE = 8;
const PLANE = SIDE ** 2;

/** G(z) = z times a ramp from left to right. */
async function ramps(): Promise<Generator> {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const ramp = Float32Array.from({ length: PLANE }, (_, p) => 0.05 * ((p % SIDE) - 3.5));
  b.node('Reshape', [b.MatMul(z, b.initializer('ramp', float32(ramp, [1, PLANE]))), b.ints([-1, 1, SIDE, SIDE])], {}, [
    'image',
  ]);
  const graph = b.graph(
    'ramps',
    [{ name: 'z', type: 'float32', dims: ['N', 1] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
  );
  return openGenerator(graph, runtime);
}

/** Ramps with noise. */
function pictures(count: number, noise: number) {
  const random = randomFrom(6);
  return Array.from({ length: count }, () => {
    const slope = 0.05 * random.normal();
    return float32(
      Float32Array.from({ length: PLANE }, (_, p) => slope * ((p % SIDE) - 3.5) + noise * random.normal()),
      [1, 1, SIDE, SIDE],
    );
  });
}

const calibrated = async (count: number, noise = 0.02, more: Partial<CalibrationJob> = {}) =>
  calibrate(
    {
      generator: await ramps(),
      form: 'object',
      unseen: pictures(count, noise),
      ...more,
      search: { comparedOn: 4, maskGreys: [20], ...more.search },
    },
    runtime,
  );

const inspection = readFileSync(path.join(import.meta.dirname, '../../docs/inspection.md'), 'utf8').replaceAll(
  /\s+/g,
  ' ',
);

it('takes one space alone where it is better by what docs/inspection.md states', () => {
  const [, lead] = /by more than ([\d.]+) in the mean of AP, AUPRO and AUROC/.exec(inspection)!;
  expect(CALIBRATION_SEARCH.lead).toBe(Number(lead));
});

describe('a calibration', () => {
  it('needs eight good pictures, and says that the rate is rough below thirty', async () => {
    expect(inspection).toContain('At least 8 held-out pictures are needed; with fewer than 30 the rate');
    await expect(calibrated(7)).rejects.toThrow('7 held-out good pictures are too few');
    const rough = (count: number) =>
      `Only ${count} good pictures were left to set thresholds on, so the rate of false alarms is rough.`;
    expect((await calibrated(8)).notes).toContain(rough(8));
    expect((await calibrated(29)).notes).toContain(rough(29));
    expect((await calibrated(30)).notes).not.toContain(rough(30));
  });

  it('sets the limit of a picture for one false alarm in twenty good ones, and stores format and scale 1', async () => {
    expect(inspection).toContain('`--false-alarms`, default .05');
    const { policy } = await calibrated(39);
    expect(policy).toMatchObject({ format: 1, scale: 1, falseAlarms: { image: 0.05 } });
    expect(parseSettings(policy)).toBeDefined();
    // The conformal limit of 39 scores: the 38th of them exceeds one in twenty of the next ones at most.
    const scores = policy.calibration.goodScores as readonly number[];
    expect(policy.thresholds.image / scores[1]).toBeCloseTo(1, 4);
  });

  it('in closed form tries four limits of residuals, in eight rounds, and takes the noise for half a grey level at least', async () => {
    expect(inspection).toContain('eight rounds of finding the mask');
    const { compared, policy } = await calibrated(8, 0, { search: CALIBRATION_SEARCH });
    const settings = compared.map(({ inversion }) => inversion as ProjectionSettings);
    expect(new Set(settings.map(({ thresholdGrey }) => thresholdGrey))).toEqual(new Set([20, 10, 40, 80]));
    expect(new Set(settings.map(({ rounds }) => rounds))).toEqual(new Set([8]));
    expect((policy.inversion as ProjectionSettings).noiseGrey).toBe(0.5);
  });

  it('keeps the 500 highest scores of good pictures, and the names of the eight oddest', async () => {
    const { policy } = await calibrated(505);
    const { goodScores, oddest } = policy.calibration as unknown as {
      goodScores: readonly number[];
      oddest: readonly { score: number }[];
    };
    expect(goodScores.length).toBe(500);
    expect([...goodScores].sort((a, b) => b - a)).toEqual(goodScores);
    expect(oddest.map(({ score }) => score)).toEqual(goodScores.slice(0, 8));
  });

  it('warns where drawn defects are found with an average precision below one half', async () => {
    const found = async (noise: number) => {
      const { notes, chosen } = await calibrated(12, noise, { search: { comparedOn: 12 } });
      const isWarned = notes.some((note) => note.startsWith('The defects drawn on good pictures were hardly found'));
      return { isWarned, pixelAp: chosen.measured.pixelAp };
    };
    for (const noise of [0.1, 0.2]) {
      const { isWarned, pixelAp } = await found(noise);
      expect(isWarned).toBe(pixelAp < 0.5);
      // Near enough to one half to tell it from other limits.
      expect(Math.abs(pixelAp - 0.5)).toBeLessThan(0.15);
    }
  });
});

it('limits are shown at rates that as many good pictures can tell: above one in n + 1', () => {
  const ratesOf = (count: number) => limitsAtRates(Array.from({ length: count }, (_, i) => i)).map(({ rate }) => rate);
  expect(ratesOf(199)).toEqual([0.01, 0.02, 0.05, 0.1, 0.2]);
  expect(ratesOf(60)).toEqual([0.02, 0.05, 0.1, 0.2]);
  expect(ratesOf(4)).toEqual([0.2]);
});

it('the median of residuals is in grey levels', () => {
  const image = float32([0.1, -0.2, 0.4], [1, 1, 1, 3]);
  const restored = float32(new Float32Array(3), [1, 1, 1, 3]);
  expect(residualScale([{ image, restored }], 0.01).medianGrey).toBeCloseTo(0.2 * 127.5, 4);
});

describe('joined maps', () => {
  const constant = (value: number) => float32(new Float32Array(4).fill(value), [1, 1, 2, 2]);
  // Of 0 to 100 the 95th percentile is 95.
  const pixels = Array.from({ length: 101 }, (_, i) => constant(i));
  const features = pixels.map(({ data }) => constant(2 * data[0] ** 2));

  it('are in units of what the highest of one good picture in twenty exceeds; features weigh .7, and the mean is 1', () => {
    expect(inspection).toContain('features with a weight of .7');
    const units = joinUnits(pixels, features, 'both');
    expect(units.pixels / units.features).toBeCloseTo(95 / 0.3 / ((2 * 95 ** 2) / 0.7), 6);
    const mean = pixels.reduce(
      (sum, { data }, i) => sum + (data[0] / units.pixels + features[i].data[0] / units.features) / 101,
      0,
    );
    expect(mean).toBeCloseTo(1, 6);
  });

  it('of one space alone have no unit of the other', () => {
    expect(joinUnits(pixels, features, 'pixels').features).toBe(0);
    expect(joinUnits(pixels, features, 'features').pixels).toBe(0);
  });

  it('of features are smoothed by two pixels of a picture of 128', () => {
    expect(featureSmoothing({ height: 128, width: 200 })).toBe(2);
    expect(featureSmoothing({ height: 64, width: 64 })).toBe(1);
  });
});

it.each([
  ['uint8', { channels: 3, size: [4, 5], range: [0, 255], layout: 'NHWC' }],
  ['float32', { channels: 3, size: [4, 5], range: [-1, 1], layout: 'NCHW' }],
] as const)('a detector file says which pictures it takes (%s)', (input, image) => {
  const facts = { policy: 'default', thresholds: { pixel: 1, image: 2 }, falseAlarms: { image: 0.05 } };
  const metadata = detectorMetadata({ channels: 3, height: 4, width: 5 }, input, facts);
  expect(JSON.parse(metadata.get('rgi.image')!)).toEqual(image);
});

it('a batch that is not full is inverted as a full one is', async () => {
  const generator = await openGenerator(tinyGenerator(1, SIDE), runtime);
  const settings = { thresholdGrey: 30, prior: 0.01, steps: 4, starts: 1 };
  const inverter = await openInverter({ generator, settings, batch: 3 }, runtime);
  const images = float32(
    Float32Array.from({ length: 3 * PLANE }, (_, i) => 0.5 * Math.sin(i % PLANE)),
    [3, 1, SIDE, SIDE],
  );
  const whole = await inverter.invert(images);
  const two = await inverter.invert({ ...images, dims: [2, 1, SIDE, SIDE], data: images.data.slice(0, 2 * PLANE) });
  await inverter.dispose();
  expect(two.dims).toEqual([2, 1, SIDE, SIDE]);
  for (const i of [0, 1]) expect(imageAt(two, i).data).toEqual(imageAt(whole, i).data);
});
