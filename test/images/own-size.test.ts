/** Compositing in windows: as in one piece, whatever the size of a window; tiles merged band by band as all at once. */
import { expect, test } from 'vitest';
import { composite } from '../../src/images/blend.ts';
import { fromPixels, type Image, toPixels } from '../../src/images/image.ts';
import { compositeInPlace } from '../../src/images/own-size/composite.ts';
import { framed, frameOf, sampleCubic, sampleRow } from '../../src/images/own-size/frame.ts';
import { drawGrain } from '../../src/images/own-size/grain.ts';
import { type Raster, windowOf } from '../../src/images/own-size/raster.ts';
import { alignedFrame, maskThrough, viewOf } from '../../src/images/own-size/view.ts';
import { regionWindows } from '../../src/images/own-size/windows.ts';
import { crop, placementOf, resize } from '../../src/images/resize.ts';
import { bandMerger, tileBoxes, tileMerger } from '../../src/images/tiles.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const [W, H] = [300, 220];

function pictureOf(value: (x: number, y: number, c: number) => number): Raster {
  const data = new Uint8Array(W * H * 3);
  for (let i = 0; i < data.length; i++) data[i] = value(Math.floor(i / 3) % W, Math.floor(i / 3 / W), i % 3);
  return { data, width: W, height: H, colours: 3, alpha: false };
}

/** A long scratch, a disc, and a spot at the border. */
function masked(): Uint8Array {
  return Uint8Array.from({ length: W * H }, (_, i) => {
    const [x, y] = [i % W, Math.floor(i / W)];
    const onLine = Math.abs(y - 0.6 * x - 10) < 3;
    return onLine || Math.hypot(x - 220, y - 40) < 25 || Math.hypot(x - 2, y - 200) < 9 ? 1 : 0;
  });
}

const smooth = () => pictureOf((x, y, c) => 90 + 50 * Math.sin(x / 40 + c) + 40 * Math.cos(y / 30));
/** The levels of each value of two pictures. */
const differencesOf = (a: ArrayLike<number>, b: ArrayLike<number>): number[] =>
  Array.from(a, (v, i) => Math.abs(v - b[i]));
const largest = (values: readonly number[]) => values.reduce((most, v) => Math.max(most, v), 0);

const fillAt = (box: { top: number; left: number; height: number; width: number }): Image => {
  const fill = pictureOf((x, y, c) => 120 + 50 * Math.sin(x / 40 + c) + 40 * Math.cos(y / 30) + x / 10);
  return windowOf(fill, box);
};
const mask = () => ({ data: masked(), width: W, height: H });

test.each(['poisson', 'feather', 'none'] as const)(
  '%s in windows is what it is in one piece, within a level',
  (blend) => {
    const raster = smooth();
    const image = fromPixels(raster.data, { ...raster, channels: 3 });
    const whole = { top: 0, left: 0, height: H, width: W };
    // Feathering begins at a distance from the mask here, and at the grown mask there, whose rim is made of whole pixels.
    const options = { blend, grow: blend === 'feather' ? 0 : 2, feather: 5 };
    const wanted = toPixels(
      composite(image, fillAt(whole), float32(Float32Array.from(masked()), [1, 1, H, W]), options),
    );
    const touched = compositeInPlace(raster, mask(), fillAt, options);
    expect(largest(differencesOf(raster.data, wanted))).toBeLessThanOrEqual(1);
    expect(touched).toBeGreaterThan(masked().reduce((sum, v) => sum + v, 0));
  },
);

test('regions larger than a window are solved by tiles: nearly the same, and the rest is untouched', () => {
  const [one, other, before] = [smooth(), smooth(), smooth()];
  compositeInPlace(one, mask(), fillAt, { grow: 2 });
  const touched = compositeInPlace(other, mask(), fillAt, { grow: 2, windowPixels: 64 ** 2 });
  const differences = differencesOf(one.data, other.data);
  expect(largest(differences)).toBeLessThanOrEqual(4);
  expect(differences.reduce((sum, v) => sum + v, 0) / (3 * touched)).toBeLessThan(0.5);
  const changed = new Set<number>();
  other.data.forEach((v, i) => {
    if (v !== before.data[i]) changed.add(Math.floor(i / 3));
  });
  expect(changed.size).toBeLessThanOrEqual(touched);
});

test('every masked pixel belongs to exactly one window, which holds its surroundings', () => {
  const { data } = mask();
  const windows = regionWindows({ data, width: W, height: H }, 6);
  expect(windows.length).toBeGreaterThan(1);
  data.forEach((on, i) => {
    if (!on) return;
    const [y, x] = [Math.floor(i / W), i % W];
    const owners = windows.filter(
      (one) => y >= one.top && y < one.top + one.height && x >= one.left && x < one.left + one.width && one.owns(y, x),
    );
    expect(owners).toHaveLength(1);
    const [{ top, left, height, width }] = owners;
    expect(Math.max(0, y - 6)).toBeGreaterThanOrEqual(top);
    expect(Math.min(H - 1, y + 6)).toBeLessThan(top + height);
    expect(Math.max(0, x - 6)).toBeGreaterThanOrEqual(left);
    expect(Math.min(W - 1, x + 6)).toBeLessThan(left + width);
  });
});

test("a picture of the generator's size is sampled as it is; enlarged, straight ramps stay straight", () => {
  const ramp = float32(
    Float32Array.from({ length: 64 }, (_, i) => (i % 8) / 8 + Math.floor(i / 8) / 16),
    [1, 1, 8, 8],
  );
  const size = { height: 8, width: 8 };
  const same = framed(ramp, frameOf(placementOf(size, size, 'contain'), size));
  expect(sampleCubic(same, { top: 0, left: 0, ...size }).data).toEqual(ramp.data);
  const own = { height: 40, width: 40 };
  const larger = framed(ramp, frameOf(placementOf(own, size, 'contain'), size));
  const made = sampleCubic(larger, { top: 10, left: 10, height: 20, width: 20 });
  made.data.forEach((v, i) => {
    const [x, y] = [(10 + (i % 20) + 0.5) / 5 - 0.5, (10 + Math.floor(i / 20) + 0.5) / 5 - 0.5];
    expect(v).toBeCloseTo(x / 8 + y / 16, 5);
  });
  const row = new Float32Array(40);
  sampleRow(larger, 20, row);
  expect(row[20]).toBeCloseTo(((20 + 0.5) / 5 - 0.5) / 8 + ((20 + 0.5) / 5 - 0.5) / 16, 5);
});

test('a mask seen through an upright alignment is its area in each pixel', () => {
  const own = { height: 64, width: 64 };
  const given = zeros('float32', [1, 1, 64, 64]);
  for (let y = 20; y < 37; y++) for (let x = 10; x < 50; x++) given.data[y * 64 + x] = 1;
  const alignment = { x: 32, y: 32, scale: 4, degrees: 0 };
  const seen = maskThrough(viewOf(own, { height: 16, width: 16 }, { alignment }), given);
  const wanted = resize(given, { height: 16, width: 16 }, 'area');
  seen.data.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted.data[i], 5);
  });
});

test('the frame of an alignment puts its centre where it says, turned clockwise', () => {
  const { matrix } = alignedFrame({ x: 100, y: 50, scale: 2, degrees: 90 }, { height: 32, width: 32 });
  const [a, b, e, c, d, f] = matrix;
  const to = (x: number, y: number) => [a * x + b * y + e, c * x + d * y + f];
  const [centre, below] = [to(100, 50), to(100, 60)];
  expect([centre[0], centre[1]]).toEqual([16, 16]);
  // Ten pixels below the centre are five of the generator's to its right.
  expect(below[0]).toBeCloseTo(21, 9);
  expect(below[1]).toBeCloseTo(16, 9);
});

test('grain is a function of the place, of the strength it is asked for', () => {
  const grain = { deviations: [0.05, 0.02], shared: 0.5, width: 0.8 };
  const whole = drawGrain(grain, { top: 0, left: 0, height: 120, width: 150 });
  const part = drawGrain(grain, { top: 30, left: 40, height: 20, width: 10 });
  const same = crop(whole, { top: 30, left: 40, height: 20, width: 10 });
  part.data.forEach((v, i) => {
    expect(v).toBeCloseTo(same.data[i], 6);
  });
  grain.deviations.forEach((wanted, c) => {
    const values = whole.data.subarray(c * 18000, (c + 1) * 18000);
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    expect(deviation / wanted).toBeGreaterThan(0.93);
    expect(deviation / wanted).toBeLessThan(1.07);
  });
});

test('tiles merged band by band are those merged at once', () => {
  const tile = { height: 16, width: 16 };
  const random = randomFrom(5);
  const merger = tileMerger(2, { height: 50, width: 70 }, tile);
  const made = zeros('float32', [1, 2, 50, 70]);
  const bands = bandMerger(2, 70, tile, (c, y, row) => made.data.set(row, (c * 50 + y) * 70));
  for (const box of tileBoxes({ height: 50, width: 70 }, tile, 12)) {
    const part = float32(random.normals(2 * 256), [1, 2, 16, 16]);
    merger.add(part, box);
    bands.finishAbove(box.top);
    bands.add(part, box);
  }
  bands.finishAbove(50);
  const wanted = merger.merged();
  made.data.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted.data[i], 5);
  });
});
