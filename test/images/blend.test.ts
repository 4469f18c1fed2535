/** Morphology against brute force, Laplace's equation against closed forms, composites by what they must leave alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { squaredDistances } from '../../src/arrays/distance.ts';
import { composite } from '../../src/images/blend.ts';
import { type Image, type Mask, unionOf } from '../../src/images/image.ts';
import { harmonicFill } from '../../src/images/laplace.ts';
import { close, dilate, erode, fillHoles, invert, open, removeSmall } from '../../src/images/morphology.ts';
import { drawRegion } from '../../src/images/regions.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const [H, W] = [9, 11];
const maskFrom = (values: ArrayLike<number>, height = H, width = W): Mask =>
  float32(Float32Array.from(values), [1, 1, height, width]);
const drawn = (...rows: string[]) =>
  maskFrom(
    rows
      .join('')
      .split('')
      .map((c) => (c === '#' ? 1 : 0)),
    rows.length,
    rows[0].length,
  );
const text = (mask: Mask) =>
  Array.from({ length: mask.dims[2] }, (_, y) =>
    Array.from(mask.data.subarray(y * mask.dims[3], (y + 1) * mask.dims[3]), (v) => (v ? '#' : '.')).join(''),
  );
const anyMask = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: H * W, maxLength: H * W });
const within = (a: Mask, b: Mask) => a.data.every((v, i) => v <= b.data[i]);

describe('morphology', () => {
  it('distances are those of the nearest masked pixel', () => {
    fc.assert(
      fc.property(anyMask, (m) => {
        const wanted = m.map((_, i) => {
          let best = Number.POSITIVE_INFINITY;
          m.forEach((v, j) => {
            const d = (Math.floor(i / W) - Math.floor(j / W)) ** 2 + ((i % W) - (j % W)) ** 2;
            if (v) best = Math.min(best, d);
          });
          return best;
        });
        expect(Array.from(squaredDistances(m, H, W))).toEqual(wanted);
      }),
    );
  });

  it('growing by 1 is a cross, by 1.5 a square, by 2 a disc', () => {
    const dot = drawn('.......', '.......', '.......', '...#...', '.......', '.......', '.......');
    expect(text(dilate(dot, 1)).slice(2, 5)).toEqual(['...#...', '..###..', '...#...']);
    expect(text(dilate(dot, 1.5)).slice(2, 5)).toEqual(['..###..', '..###..', '..###..']);
    expect(text(dilate(dot, 2))[1]).toBe('...#...');
  });

  it('erosion undoes dilation of large shapes; the border does not erode', () => {
    expect(text(erode(drawn('####', '####', '####'), 1))).toEqual(['####', '####', '####']);
    expect(text(erode(drawn('.....', '.###.', '.###.', '.###.', '.....'), 1))[2]).toBe('..#..');
  });

  it('opening shrinks, closing grows, both are idempotent, and they are dual', () => {
    fc.assert(
      fc.property(anyMask, fc.constantFrom(1, 1.5, 2), (values, radius) => {
        const m = maskFrom(values);
        const [opened, closed] = [open(m, radius), close(m, radius)];
        expect(within(opened, m) && within(m, closed)).toBe(true);
        expect(open(opened, radius)).toEqual(opened);
        expect(close(closed, radius)).toEqual(closed);
        expect(invert(close(invert(m), radius))).toEqual(opened);
        expect(unionOf(m, invert(m)).data.every((v) => v === 1)).toBe(true);
      }),
    );
  });

  it('small regions go, holes fill, bays stay', () => {
    const m = drawn('#....####', '....#...#', '....#.#.#', '....#...#', '#.#.####.');
    expect(text(removeSmall(m, 3))).toEqual(['.....####', '....#...#', '....#...#', '....#...#', '....####.']);
    expect(text(fillHoles(m))[2]).toBe('....#####');
    expect(text(fillHoles(m, 3))).toEqual(text(m));
    expect(text(fillHoles(drawn('###', '#..', '###')))).toEqual(['###', '#..', '###']);
  });
});

describe("Laplace's equation", () => {
  it('harmonic functions come back from their surroundings', () => {
    const [h, w] = [61, 70];
    const functions = [
      (x: number, y: number) => 2 * x - y + 3,
      (x: number, y: number) => (x * x - y * y) / 500,
      (x: number, y: number) => (x * y) / 400,
    ];
    for (const [k, f] of functions.entries()) {
      const truth = Float64Array.from({ length: h * w }, (_, i) => f(i % w, Math.floor(i / w)));
      const inside = Uint8Array.from(
        drawRegion({ kind: 'irregular', coverage: [0.4, 0.5] }, { height: h, width: w }, randomFrom(k)),
      );
      // Away from the border, where the equation is another (nothing flows out).
      inside.forEach((_, i) => {
        if (i % w === 0 || i % w === w - 1 || i < w || i >= w * (h - 1)) inside[i] = 0;
      });
      const values = truth.map((v, i) => (inside[i] ? 1e6 : v));
      harmonicFill(values, inside, h, w);
      values.forEach((v, i) => {
        if (Math.abs(v - truth[i]) > 1e-3) expect.fail(`function ${k} at ${i}: ${v} instead of ${truth[i]}`);
      });
    }
  });

  it('stays between the smallest and largest known value, also at the border of the picture', () => {
    const random = randomFrom(4);
    const inside = Uint8Array.from({ length: 40 * 40 }, (_, i) => (i % 40 < 25 ? 1 : 0));
    const values = Float64Array.from({ length: 1600 }, () => random.uniform());
    harmonicFill(values, inside, 40, 40);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
  });
});

describe('composites', () => {
  const [height, width] = [40, 48];
  const noise = (seed: number): Image =>
    float32(randomFrom(seed).normals(2 * 3 * height * width), [2, 3, height, width]);
  const mask = float32(
    Float32Array.from({ length: 2 * height * width }, (_, i) => (i % width > 12 && i % width < 30 ? 1 : 0)),
    [2, 1, height, width],
  );
  const masked = (i: number) =>
    mask.data[Math.floor(i / (3 * height * width)) * height * width + (i % (height * width))] === 1;

  it('leave every pixel outside the mask as it is (Poisson, pasted)', () => {
    const [image, restored] = [noise(1), noise(2)];
    for (const blend of ['poisson', 'none'] as const) {
      const out = composite(image, restored, mask, { blend });
      image.data.forEach((v, i) => {
        if (!masked(i) && out.data[i] !== v) expect.fail(`${blend} changed value ${i}`);
        if (masked(i) && blend === 'none') expect(out.data[i]).toBeCloseTo(restored.data[i], 6);
      });
    }
  });

  it('Poisson undoes an offset and a ramp of brightness in the restoration', () => {
    const clean = noise(1);
    const damaged = { ...clean, data: clean.data.map((v, i) => (masked(i) ? 5 : v)) };
    const ramp = (i: number) => 0.3 + 0.01 * (i % width);
    const restored = { ...clean, data: clean.data.map((v, i) => v + ramp(i)) };
    const out = composite(damaged, restored, mask);
    const worst = Math.max(...out.data.map((v, i) => Math.abs(v - clean.data[i])));
    expect(worst).toBeLessThan(1e-3);
  });

  it('feathering fades outside the mask only, over its width', () => {
    const black = float32(new Float32Array(6 * height * width).fill(-1), [2, 3, height, width]);
    const white = { ...black, data: black.data.map(() => 1) };
    const row = composite(black, white, mask, { blend: 'feather', feather: 3 }).data.subarray(0, width);
    expect(Array.from(row.subarray(13, 30)).every((v) => v === 1)).toBe(true);
    expect(row[9]).toBe(-1);
    for (let x = 10; x < 13; x++) expect(row[x]).toBeGreaterThan(row[x - 1]);
  });

  it('a grown mask fills more; everything masked is the restoration; nothing masked is the picture', () => {
    const [image, restored] = [noise(1), noise(2)];
    const out = composite(image, restored, mask, { blend: 'none', grow: 1 });
    expect(out.data[12]).toBeCloseTo(restored.data[12], 6);
    const all = { ...mask, data: mask.data.map(() => 1) };
    expect(composite(image, restored, all)).toEqual(restored);
    expect(composite(image, restored, { ...mask, data: mask.data.map(() => 0) })).toEqual(image);
  });

  it('refuses shapes that do not fit together', () => {
    expect(() => composite(noise(1), noise(2), float32([1], [1, 1, 1, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Picture [2, 3, 40, 48], restoration [2, 3, 40, 48] and mask [1, 1, 1, 1] do not fit together.]`,
    );
  });
});
