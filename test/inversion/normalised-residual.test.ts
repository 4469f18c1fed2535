/** Colour counts the more, the less of a picture's own misfit is colour; what a displaced edge explains counts half. */
import { expect, test } from 'vitest';
import { residualMap } from '../../src/images/image.ts';
import { normalisedResidual } from '../../src/inversion/mask/normalised-residual.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 16;
const PLANE = SIDE * SIDE;
const DIMS = [1, 3, SIDE, SIDE];
const none = zeros('float32', DIMS);

/** Residuals whose brightness and whose colours have these deviations, in grey levels. */
function residuals(brightness: number, colour: number): Float32Array {
  const random = randomFrom(5);
  const common = random.normals(PLANE);
  return random.normals(3 * PLANE).map((v, i) => (brightness * common[i % PLANE] + colour * v) / 127.5);
}

const of = (data: Float32Array) => normalisedResidual(float32(data, DIMS), none, 60).data;

test('where misfit is brightness, a change of colour alone is odder, and one of brightness alone less odd', () => {
  const data = residuals(12, 2);
  // One channel is wrong by 60 grey levels in pixel 0, all by 60 / sqrt(3) in pixel 1.
  for (const p of [0, 1])
    for (let c = 0; c < 3; c++) data[c * PLANE + p] = p === 1 ? 60 / Math.sqrt(3) / 127.5 : c === 0 ? 60 / 127.5 : 0;
  const plain = residualMap(float32(data, DIMS), none).data;
  expect(plain[0]).toBeCloseTo(plain[1], 6);
  const odd = of(data);
  // sqrt(t / (.9 b + .1 t)), where b is nearly 3 t
  expect(odd[1] / plain[1]).toBeGreaterThan(1 / Math.sqrt(2.8));
  expect(odd[1] / plain[1]).toBeLessThan(0.65);
  expect(odd[0] / plain[0]).toBeGreaterThan(1.5);
  // 1 / sqrt(.1) at most
  expect(odd[0] / plain[0]).toBeLessThan(Math.sqrt(10));
});

test('is the root mean square where no direction of colour is less common than another', () => {
  const data = residuals(0, 12);
  const odd = of(data);
  const plain = residualMap(float32(data, DIMS), none).data;
  expect(odd.reduce((most, r, p) => Math.max(most, r / plain[p]), 0)).toBeLessThan(1.05);
  expect(odd.reduce((least, r, p) => Math.min(least, r / plain[p]), 1)).toBeGreaterThan(0.95);
});

test('of what lies between the brightnesses that were made for the neighbours, half is forgiven', () => {
  const row = (values: readonly number[]) => float32(values, [1, 1, 1, values.length]);
  const made = row([0, 0, 0, 0.8, 0.8, 0.8]);
  const odd = (values: readonly number[]) =>
    [...normalisedResidual(row(values), made, 60).data].map((v) => Math.round(1e4 * v) / 1e4);
  // The edge is a pixel further to the right.
  expect(odd([0, 0, 0, 0, 0.8, 0.8])).toEqual([0, 0, 0, 0.4, 0, 0]);
  // Brighter than both sides of the edge: half of .8, and all of the .2 beyond.
  expect(odd([0, 0, 1, 0.8, 0.8, 0.8])).toEqual([0, 0, 0.6, 0, 0, 0]);
  // Far from any edge nothing is forgiven.
  expect(odd([0.5, 0, 0, 0.8, 0.8, 0.8])).toEqual([0.5, 0, 0, 0, 0, 0]);
});
