import { describe, expect, test } from 'vitest';
import { DEFECT_KINDS, drawDefects } from '../../src/images/defects.ts';
import { coverage, type Image, imageAt, stackImages } from '../../src/images/image.ts';
import { erode } from '../../src/images/morphology.ts';
import { float32 } from '../../src/onnx/tensor.ts';

/** Mid-grey surfaces. */
function surfaces(count: number, channels = 3, size = 128, value = 0.1): Image {
  return float32(new Float32Array(count * channels * size * size).fill(value), [count, channels, size, size]);
}

describe.each(DEFECT_KINDS)('a %s', (kind) => {
  const clean = surfaces(12);
  const { image, mask } = drawDefects(clean, [kind], 5);

  test('the mask is where the picture changed by eight grey levels or more, small holes filled', () => {
    const plane = 128 * 128;
    for (let n = 0; n < 12; n++) {
      for (let i = 0; i < plane; i++) {
        let change = 0;
        for (let c = 0; c < 3; c++) {
          const at = (3 * n + c) * plane + i;
          change += Math.abs(image.data[at] - clean.data[at]) / 3;
        }
        if (change >= 8.001 / 127.5) expect(mask.data[n * plane + i]).toBe(1);
        else if (mask.data[n * plane + i] > 0) expect(change).toBeLessThan(8 / 127.5);
      }
    }
  });

  test('is small and not too small, each of another size and at another place', () => {
    const shares = Array.from({ length: 12 }, (_, n) => coverage(imageAt(mask, n).data));
    for (const share of shares) {
      expect(share).toBeGreaterThan(0.0005);
      expect(share).toBeLessThan(0.2);
    }
    expect(Math.max(...shares)).toBeGreaterThan(1.5 * Math.min(...shares));
    expect(new Set(shares).size).toBeGreaterThan(8);
  });

  test('has soft edges and keeps within the range', () => {
    const values = new Set(imageAt(image, 0).data.map((v) => Math.round(127.5 * (v + 1))));
    expect(values.size).toBeGreaterThan(20);
    expect(image.data.every((v) => v >= -1 && v <= 1)).toBe(true);
  });

  test('is as thin as its name says', () => {
    const core = coverage(erode(mask, 5).data);
    if (kind === 'scratch' || kind === 'crack') expect(core).toBe(0);
    if (kind === 'stain') expect(core).toBeGreaterThan(0);
  });
});

test('a picture depends on the seed and its place alone: a batch equals its pictures one by one', () => {
  const clean = surfaces(4, 1, 64);
  const all = drawDefects(clean, DEFECT_KINDS, 3);
  const single = [0, 1, 2, 3].map((i) => drawDefects(imageAt(clean, i), DEFECT_KINDS, 3, i));
  expect(stackImages(single.map((one) => one.image)).data).toEqual(all.image.data);
  expect(drawDefects(clean, DEFECT_KINDS, 4).image.data).not.toEqual(all.image.data);
});

test('what would be invisible where it fell is drawn elsewhere', () => {
  // Black but for a white half: dark defects can only be seen there.
  const size = 64;
  const half = surfaces(16, 1, size, -1);
  for (let i = 0; i < half.data.length; i++) if (i % size >= size / 2) half.data[i] = 0.8;
  const { mask } = drawDefects(half, ['pit'], 1);
  for (let n = 0; n < 16; n++) expect(imageAt(mask, n).data.some((v) => v > 0)).toBe(true);
});

test('the picture that was given stays as it is', () => {
  const clean = surfaces(1);
  drawDefects(clean, ['stain'], 1);
  expect(clean.data.every((v) => v === Math.fround(0.1))).toBe(true);
});

test('marks what changed by eight grey levels, or by as many as are asked for', () => {
  const grey = float32(new Float32Array(64 * 64), [1, 1, 64, 64]);
  const areaAt = (visibleGrey?: number) => {
    const { image, mask } = drawDefects(grey, ['stain'], 7, 0, { visibleGrey });
    return { image, area: mask.data.reduce((sum, m) => sum + m, 0) };
  };
  const [usual, eight, strict] = [areaAt(), areaAt(8), areaAt(30)];
  expect(usual).toEqual(eight);
  expect(strict.area).toBeLessThan(usual.area);
});
