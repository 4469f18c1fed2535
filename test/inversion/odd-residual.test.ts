/** Colour counts the more, the less of a picture's own misfit is colour. */
import { expect, test } from 'vitest';
import { residualMap } from '../../src/images/image.ts';
import { oddResidual } from '../../src/inversion/odd-residual.ts';
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

const of = (data: Float32Array) => oddResidual(float32(data, DIMS), none, 60).data;

test('where misfit is brightness, a change of colour alone is odder, and one of brightness alone a tenth less odd', () => {
  const data = residuals(12, 2);
  // One channel is wrong by 60 grey levels in pixel 0, all by 60 / sqrt(3) in pixel 1.
  for (const p of [0, 1])
    for (let c = 0; c < 3; c++) data[c * PLANE + p] = p === 1 ? 60 / Math.sqrt(3) / 127.5 : c === 0 ? 60 / 127.5 : 0;
  const plain = residualMap(float32(data, DIMS), none).data;
  expect(plain[0]).toBeCloseTo(plain[1], 6);
  const odd = of(data);
  expect(odd[1]).toBeCloseTo(0.9 * plain[1], 6);
  expect(odd[0] / plain[0]).toBeGreaterThan(1.5);
  // 1 / sqrt(.1) at most
  expect(odd[0] / plain[0]).toBeLessThan(Math.sqrt(10));
});

test('is the root mean square where no direction of colour is less common than another, and of grey pictures', () => {
  const data = residuals(0, 12);
  const odd = of(data);
  const plain = residualMap(float32(data, DIMS), none).data;
  expect(odd.reduce((most, r, p) => Math.max(most, r / plain[p]), 0)).toBeLessThan(1.05);
  expect(odd.reduce((least, r, p) => Math.min(least, r / plain[p]), 1)).toBeGreaterThan(0.95);
  const grey = float32(data.slice(0, PLANE), [1, 1, SIDE, SIDE]);
  const black = zeros('float32', grey.dims);
  expect(oddResidual(grey, black, 60).data).toEqual(residualMap(grey, black).data);
});
