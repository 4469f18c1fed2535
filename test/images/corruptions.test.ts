/** Corruptions: masks of the stated shape and size, values of the stated law, everything else untouched. */
import { describe, expect, it } from 'vitest';
import { corrupt, FILLS, type Fill, fillMasked, PAPER_CORRUPTIONS } from '../../src/images/corruptions.ts';
import { coverage, type Image, imageAt, imagesOf } from '../../src/images/image.ts';
import { REGIONS, type Region } from '../../src/images/regions.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const batch = (count: number, channels: number, height: number, width = height): Image =>
  float32(randomFrom(9).normals(count * channels * height * width), [count, channels, height, width]);
const maskOf = (region: Region, size = 128, seed = 3) => corrupt(batch(1, 1, size), { region }, seed).mask.data;
const at = (mask: ArrayLike<number>, size: number) => (y: number, x: number) => mask[y * size + x];

describe.each(Object.keys(REGIONS) as Region['kind'][])('region %s', (kind) => {
  const image = batch(3, 3, 40, 48);
  // The paper's block is given in pixels of 128.
  const region: Region = kind === 'paper-block' ? { kind, half: 10 } : REGIONS[kind];
  const corruption = { region };
  const { image: damaged, mask } = corrupt(image, corruption, 11);

  it('is binary, damages something and leaves something', () => {
    expect(mask.dims).toEqual([3, 1, 40, 48]);
    expect(Array.from(new Set(mask.data)).sort()).toEqual([0, 1]);
    for (const one of imagesOf(mask)) expect(coverage(one.data)).toBeGreaterThan(0.001);
  });

  it('changes every channel of every masked pixel and no other', () => {
    const plane = 40 * 48;
    damaged.data.forEach((v, i) => {
      const pixel = Math.floor(i / (3 * plane)) * plane + (i % plane);
      if ((v !== image.data[i]) !== (mask.data[pixel] === 1)) expect.fail(`value ${i}, mask ${mask.data[pixel]}`);
    });
  });

  it('repeats for a seed, image by image, and differs for another seed', () => {
    expect(corrupt(image, corruption, 11)).toEqual({ image: damaged, mask });
    const second = corrupt(imageAt(image, 1), corruption, 11, 1);
    expect(second.image).toEqual({ ...imageAt(damaged, 1), data: imageAt(damaged, 1).data.slice() });
    expect(corrupt(image, corruption, 12).image).not.toEqual(damaged);
  });

  it('has a mask that does not depend on the fill', () => {
    expect(corrupt(image, { ...corruption, fill: FILLS.smooth }, 11).mask).toEqual(mask);
  });
});

describe('shapes', () => {
  it('the block is the central quarter: rows and columns from size/4 to 3/4', () => {
    const m = at(maskOf({ kind: 'block' }), 128);
    expect([m(32, 32), m(95, 95), m(31, 60), m(96, 60)]).toEqual([1, 1, 0, 0]);
    expect(coverage(maskOf({ kind: 'block' }))).toBe(0.25);
  });

  it("the paper's block has rows and columns 60-s to 60+s of 128", () => {
    const m = at(maskOf(PAPER_CORRUPTIONS['cars-block'].region), 128);
    expect([m(44, 44), m(75, 75), m(43, 60), m(76, 60)]).toEqual([1, 1, 0, 0]);
    expect(coverage(maskOf(PAPER_CORRUPTIONS['celeba-block'].region))).toBe(0.25);
  });

  it('random pixels are as many as said, and spread evenly', () => {
    const mask = maskOf(PAPER_CORRUPTIONS['celeba-random'].region);
    expect(coverage(mask) * 128 * 128).toBe(8100);
    expect(coverage(maskOf({ kind: 'random' }, 64))).toBe(Math.floor(0.49 * 4096) / 4096);
    expect(Math.abs(coverage(mask.subarray(0, 8192)) - 8100 / 16384)).toBeLessThan(0.03);
  });

  it('free-form strokes cover what they should, at any seed, size and range', () => {
    for (const [low, high] of [
      [0.05, 0.06],
      [0.15, 0.3],
      [0.6, 0.65],
    ] as const) {
      for (const size of [32, 128]) {
        for (let seed = 0; seed < 8; seed++) {
          const share = coverage(maskOf({ kind: 'irregular', coverage: [low, high] }, size, seed));
          expect(share).toBeGreaterThanOrEqual(low);
          expect(share).toBeLessThanOrEqual(high);
        }
      }
    }
  });

  it('halves are halves, on the side asked for', () => {
    for (const side of ['left', 'right', 'top', 'bottom'] as const) {
      const mask = maskOf({ kind: 'half', side }, 32);
      const m = at(mask, 32);
      expect(coverage(mask)).toBe(0.5);
      expect([m(16, 0), m(16, 31), m(0, 16), m(31, 16)]).toEqual([
        side === 'left' || side === 'bottom' ? 1 : 0,
        side === 'right' || side === 'bottom' ? 1 : 0,
        side === 'top' || side === 'right' ? 1 : 0,
        side === 'bottom' || side === 'right' ? 1 : 0,
      ]);
    }
  });

  it('missing lines are whole rows or columns, to the share asked for', () => {
    const rows = maskOf({ kind: 'lines', along: 'rows', share: 0.25 }, 64);
    expect(coverage(rows)).toBe(0.25);
    for (let y = 0; y < 64; y++) expect([0, 64]).toContain(rows.subarray(y * 64, y * 64 + 64).reduce((a, b) => a + b));
    const columns = maskOf({ kind: 'lines', along: 'columns', share: 0.25 }, 64);
    expect(columns.subarray(0, 64)).toEqual(columns.subarray(64 * 63));
  });

  it('shares and counts that cannot be are refused', () => {
    expect(() => maskOf({ kind: 'block', share: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The corrupted share of a picture lies between 0 and 1, not at 1.5.]`,
    );
    expect(() => maskOf(REGIONS['paper-block'], 64)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: A block of 64 x 64 pixels leaves nothing of a picture of 64 x 64; give a smaller half.]`,
    );
    expect(() => maskOf({ kind: 'random', count: 99 }, 8)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: 99 random pixels do not fit into a picture of 64.]`,
    );
    expect(() => maskOf({ kind: 'irregular', coverage: [0.4, 0.2] })).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Coverage is a range within 0 to 1, lower bound first, not 0.4 to 0.2.]`,
    );
  });
});

describe('values', () => {
  const image = batch(1, 3, 96);
  const everywhere = float32(new Float32Array(96 * 96).fill(1), [1, 1, 96, 96]);
  const statistics = (fill: Fill, minus = false) => {
    const out = fillMasked(image, everywhere, fill, 5).data.map((v, i) => v - (minus ? image.data[i] : 0));
    const mean = out.reduce((a, b) => a + b, 0) / out.length;
    return { mean, deviation: Math.sqrt(out.reduce((a, b) => a + (b - mean) ** 2, 0) / out.length) };
  };
  const near = (actual: { mean: number; deviation: number }, mean: number, deviation: number, tolerance = 0.03) => {
    expect(Math.abs(actual.mean - mean)).toBeLessThan(tolerance);
    expect(Math.abs(actual.deviation - deviation)).toBeLessThan(tolerance);
  };

  it('follow N(-1,1), N(1,1), x + N(0.5,1), unclipped', () => {
    near(statistics(FILLS.normal), -1, 1);
    near(statistics(FILLS.white), 1, 1);
    near(statistics(FILLS.deviation, true), 0.5, 1);
    expect(Math.min(...fillMasked(image, everywhere, FILLS.normal, 5).data)).toBeLessThan(-3);
  });

  it('a smooth field has its amplitude, and neighbours alike', () => {
    const fill: Fill = { kind: 'smooth', amplitude: 0.7, width: 0.03, noise: 0 };
    near(statistics(fill, true), 0, 0.7, 0.1);
    const field = fillMasked(image, everywhere, fill, 5).data.map((v, i) => v - image.data[i]);
    const step = Math.sqrt(field.slice(1, 96).reduce((sum, v, i) => sum + (v - field[i]) ** 2, 0) / 95);
    // A Gaussian field of kernel width s has correlation exp(-d^2 / 4 s^2): steps of about 0.7 / (s sqrt 2).
    expect(step).toBeLessThan(0.35);
  });

  it('a constant is one value, or one per channel', () => {
    const red = fillMasked(image, everywhere, { kind: 'constant', value: [1, -1, 0] }).data;
    expect([red[0], red[96 * 96], red[2 * 96 * 96]]).toEqual([1, -1, 0]);
    expect(() => fillMasked(image, everywhere, { kind: 'constant', value: [1, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: A constant fill has one value or 3, one per channel, not 2.]`,
    );
  });
});
