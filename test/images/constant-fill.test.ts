/** What is filled with one value is told from what a camera gives. */
import { describe, expect, test } from 'vitest';
import { constantFills } from '../../src/images/constant-fill.ts';
import type { Image } from '../../src/images/image.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 24;
const PLANE = SIDE * SIDE;

/** A photograph in 8 bits: a slope of brightness from 60 to 180, with noise of 2 grey levels in each channel. */
function photograph(channels: number): Image {
  const noise = randomFrom(8).normals(channels * PLANE);
  return float32(
    noise.map((n, i) => Math.round(60 + (120 * (i % SIDE)) / SIDE + 2 * n) / 127.5 - 1),
    [1, channels, SIDE, SIDE],
  );
}

function painted(image: Image, pixels: readonly number[], grey: number): Image {
  const data = image.data.slice();
  for (const p of pixels) for (let at = p; at < data.length; at += PLANE) data[at] = grey / 127.5 - 1;
  return float32(data, image.dims);
}

const box = (top: number, left: number, height: number, width: number) =>
  Array.from({ length: height * width }, (_, i) => (top + Math.floor(i / width)) * SIDE + left + (i % width));
const sorted = (pixels: readonly number[]) => [...pixels].sort((a, b) => a - b);

describe.each([1, 3])('a photograph of %i channels', (channels) => {
  const clean = photograph(channels);

  test('has no fill; a bar that is drawn over it is one, to the pixel', () => {
    expect(constantFills(clean)).toEqual([]);
    const bar = box(3, 2, 4, 15);
    expect(constantFills(painted(clean, bar, 255)).map(sorted)).toEqual([bar]);
    // The value does not matter.
    expect(constantFills(painted(clean, bar, 230)).map(sorted)).toEqual([bar]);
    expect(constantFills(painted(clean, bar, 20)).map(sorted)).toEqual([bar]);
  });

  test('two fills are two, and a speck of a fill belongs to it; alone it is nothing', () => {
    const [white, black, speck] = [box(2, 2, 3, 10), box(12, 4, 4, 4), box(20, 20, 1, 2)];
    const both = painted(painted(clean, white, 255), black, 0);
    expect(constantFills(both).map(sorted)).toEqual([white, black]);
    expect(constantFills(painted(both, speck, 0)).map(sorted)).toEqual([white, [...black, ...speck]]);
    expect(constantFills(painted(clean, speck, 0))).toEqual([]);
  });

  test('what is saturated and fades in from its surroundings is no fill', () => {
    const data = clean.data.map((v, i) => {
      const distance = Math.hypot(Math.floor((i % PLANE) / SIDE) - 12, (i % SIDE) - 12);
      return Math.min(1, v + 1.2 - 0.04 * distance);
    });
    const glare = float32(data, clean.dims);
    expect(glare.data.subarray(0, PLANE).filter((v) => v === 1).length).toBeGreaterThan(40);
    expect(constantFills(glare)).toEqual([]);
  });
});

test('margins that repeat a border are no fills, and no border of one', () => {
  const clean = photograph(3);
  // The four columns on either side repeat the fifth from there; two lines are far from those beside them.
  const inside = (p: number) => Math.min(SIDE - 5, Math.max(4, p % SIDE)) + Math.floor(p / SIDE) * SIDE;
  const lines = painted(clean, box(3, 0, 1, SIDE), 250);
  const data = lines.data.map((_, i) => lines.data[i - (i % PLANE) + inside(i % PLANE)]);
  const padded = float32(data, lines.dims);
  const outside = float32(
    Float32Array.from({ length: PLANE }, (_, p) => (inside(p) === p ? 0 : 1)),
    [1, 1, SIDE, SIDE],
  );
  expect(constantFills(padded).flat()).toHaveLength(SIDE);
  expect(constantFills(padded, outside)).toEqual([box(3, 4, 1, SIDE - 8)]);
});

test('a picture of one colour has no border, so no fill', () => {
  expect(constantFills(float32(new Float32Array(PLANE), [1, 1, SIDE, SIDE]))).toEqual([]);
});
