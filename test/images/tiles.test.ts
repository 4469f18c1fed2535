/** Large pictures by tiles: covered everywhere, merged without seams, nothing changed where nothing was found. */
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/images/image.ts';
import { crop } from '../../src/images/resize.ts';
import { tileBoxes, tileMerger, tileStarts } from '../../src/images/tiles.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const TILE = { height: 8, width: 8 };

function merged(image: Image, stride: number, change: (tile: Image) => Image = (tile) => tile): Image {
  const [, channels, height, width] = image.dims;
  const merger = tileMerger(channels, { height, width }, TILE);
  for (const box of tileBoxes({ height, width }, TILE, stride)) merger.add(change(crop(image, box)), box);
  return merger.merged();
}

function picture(height: number, width: number, value: (y: number, x: number) => number): Image {
  return float32(
    Float32Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width)),
    [1, 1, height, width],
  );
}

describe('tiles', () => {
  test('reach from border to border, at most a stride apart', () => {
    for (let length = 8; length < 60; length++) {
      for (const stride of [1, 3, 4, 8]) {
        const starts = tileStarts(length, 8, stride);
        expect(starts[0]).toBe(0);
        expect(starts[starts.length - 1]).toBe(length - 8);
        starts.slice(1).forEach((start, i) => {
          expect(start - starts[i]).toBeLessThanOrEqual(stride);
          expect(start).toBeGreaterThan(starts[i]);
        });
      }
    }
    expect(tileStarts(5, 8, 4)).toEqual([0]);
  });

  test('put together give the picture they were cut from', () => {
    const random = randomFrom(3);
    const image = picture(19, 30, () => random.normal());
    const { data } = merged(image, 4);
    data.forEach((v, i) => {
      expect(v).toBeCloseTo(image.data[i], 5);
    });
  });

  test('that disagree blend without a seam: no step is larger than the slope of the window allows', () => {
    let count = 0;
    const { data } = merged(
      picture(8, 40, () => 0),
      4,
      (tile) => ({ ...tile, data: tile.data.fill(count++ % 2) }),
    );
    const row = data.subarray(4 * 40, 5 * 40);
    const steps = Array.from(row.subarray(1), (v, i) => Math.abs(v - row[i]));
    // Two windows overlap at half a tile: their share changes from 0 to 1 over four pixels along a cosine.
    expect(Math.max(...steps)).toBeLessThan(0.5);
    expect(Math.max(...row) - Math.min(...row)).toBeGreaterThan(0.8);
  });
});
