/** Numbers of maps, files and batches of detection, each in closed form. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { limitsAtRates } from '../../src/detect/calibration-facts.ts';
import { detectorMetadata } from '../../src/detect/export/facts.ts';
import { featureSmoothing } from '../../src/detect/feature-space.ts';
import { openInverter } from '../../src/detect/inverter.ts';
import { joinUnits } from '../../src/detect/joining.ts';
import { residualScale } from '../../src/detect/scale.ts';
import { imageAt } from '../../src/images/image.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const SIDE = 8;
const PLANE = SIDE ** 2;

const inspection = readFileSync(path.join(import.meta.dirname, '../../docs/inspection.md'), 'utf8').replaceAll(
  /\s+/g,
  ' ',
);

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
