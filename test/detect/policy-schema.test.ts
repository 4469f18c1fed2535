/** Settings of a policy that a file may claim, and that would hang or exhaust what inspects by them. */
import { expect, it } from 'vitest';
import { statisticsFrom } from '../../src/detect/policy.ts';
import { parseSettings } from '../../src/detect/policy-schema.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';

const settings = {
  format: 1,
  form: 'object',
  scale: 1,
  stride: 4,
  inversion: { thresholdGrey: 32, prior: 0.1, steps: 10, starts: 2 },
  evidence: { blur: 0.7, smoothing: 1.5, surround: { width: 2, activity: [0, 1], scale: [0.5, 1] } },
  thresholds: { pixel: 3, image: 5 },
  falseAlarms: { pixel: 0.01, image: 0.1 },
  leastArea: 4,
  scorePixels: 3,
  displayHigh: 9,
  calibration: { pictures: 24, unseen: 24 },
};
const { inversion, evidence } = settings;

const closed = { thresholdGrey: 20, noiseGrey: 3, rounds: 8 };

it('are read as they were written, of a search and in closed form', () => {
  expect(parseSettings(settings)).toEqual(settings);
  const other = { ...settings, inversion: closed, falseAlarms: { image: 0.05 } };
  expect(parseSettings(other)).toEqual(other);
});

it.each([
  { scale: 1e9 },
  { stride: 2 ** 31 },
  { inversion: { ...inversion, steps: 1e9 } },
  { inversion: { ...inversion, starts: 1e9 } },
  { inversion: { ...closed, rounds: 1e9 } },
  { evidence: { ...evidence, blur: 1e9 } },
  { evidence: { ...evidence, smoothing: 1e308 } },
  { evidence: { ...evidence, surround: { ...evidence.surround, width: 1e9 } } },
  { evidence: { ...evidence, surround: { ...evidence.surround, activity: [-1, 1] } } },
])('%j is beyond what any product needs', (change) => {
  expect(parseSettings({ ...settings, ...change })).toBeUndefined();
});

it('statistics are finite, of one picture, and have their factor for each pair of channels', () => {
  const arrays = (location: Tensor, whitening: Tensor) => new Map(Object.entries({ location, whitening }));
  const sound = arrays(float32([0, 0], [1, 2, 1, 1]), float32([1, 0, 1], [1, 3, 1, 1]));
  expect(statisticsFrom(sound)?.whitening.data).toEqual(Float32Array.of(1, 0, 1));
  const infinite = arrays(float32([0, Number.NaN], [1, 2, 1, 1]), float32([1, 0, 1], [1, 3, 1, 1]));
  const several = arrays(float32([0, 0], [2, 1, 1, 1]), float32([1, 1], [2, 1, 1, 1]));
  const lacking = arrays(float32([0, 0], [1, 2, 1, 1]), float32([1, 0], [1, 2, 1, 1]));
  expect([infinite, several, lacking].map(statisticsFrom)).toEqual([undefined, undefined, undefined]);
});
