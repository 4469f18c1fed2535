/** Impulse noise: told from regions, and separated by the valley between two heaps of residuals. */
import { describe, expect, it } from 'vitest';
import { foundMask } from '../../src/inversion/mask/found-mask.ts';
import { isIndependent, valleyOf } from '../../src/inversion/mask/independent.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 32;
const GREY = 1 / 127.5;
const at = (of: (y: number, x: number) => number) =>
  float32(
    Float32Array.from({ length: SIDE * SIDE }, (_, p) => GREY * of(Math.floor(p / SIDE), p % SIDE)),
    [1, 1, SIDE, SIDE],
  );
const random = randomFrom(9);
const isHit = Array.from({ length: SIDE * SIDE }, () => random.uniform() < 0.49);
const inlying = random.normals(SIDE * SIDE);

describe('corruption of single pixels', () => {
  it('is independent where half of the neighbours differ, not in regions, lines and letters', () => {
    expect(
      isIndependent(
        at((y, x) => (isHit[y * SIDE + x] ? 120 : 5)),
        60 * GREY,
      ),
    ).toBe(true);
    expect(
      isIndependent(
        at((y, x) => (y > 8 && y < 24 && x > 8 ? 120 : 5)),
        60 * GREY,
      ),
    ).toBe(false);
    for (const every of [2, 3, 4]) {
      expect(
        isIndependent(
          at((_, x) => (x % every === 0 ? 120 : 5)),
          60 * GREY,
        ),
      ).toBe(false);
      expect(
        isIndependent(
          at((y) => (y % every === 0 ? 120 : 5)),
          60 * GREY,
        ),
      ).toBe(false);
    }
    // What is missing is left out: here, all but a third.
    const third = at((y, x) => (y < 11 && isHit[y * SIDE + x] ? 120 : 5));
    const rest = float32(
      Float32Array.from({ length: SIDE * SIDE }, (_, p) => (p < 11 * SIDE ? 0 : 1)),
      third.dims,
    );
    expect([isIndependent(third, 60 * GREY), isIndependent(third, 60 * GREY, rest)]).toEqual([false, true]);
    expect(
      isIndependent(
        at(() => 5),
        60 * GREY,
      ),
    ).toBe(false);
  });

  it('is what lies above the valley of the residuals, where there is one', () => {
    // Inliers of 12 grey levels with a tail up to 45, corrupted pixels from 62 on.
    const heaps = at((y, x) => {
      const p = y * SIDE + x;
      return isHit[p] ? 62 + (p % 100) : Math.min(45, Math.abs(12 * inlying[p]));
    });
    const valley = valleyOf(heaps, 30 * GREY, 80 * GREY)!;
    expect([...heaps.data].map((r) => r > valley)).toEqual(isHit);
    // Corrupted values as near as any: the histogram falls to its end.
    const slope = at((y, x) => (isHit[y * SIDE + x] ? (y * SIDE + x) % 255 : Math.abs(25 * inlying[y * SIDE + x])));
    expect(valleyOf(slope, 30 * GREY, 80 * GREY)).toBeUndefined();
  });

  it('leaves a faint detail alone, although gross pixels surround it', () => {
    const detail = (y: number, x: number) => y >= 14 && y < 17 && x >= 14 && x < 17;
    const noisy = at((y, x) => (isHit[y * SIDE + x] ? 80 : detail(y, x) ? 38 : 5));
    const region = at((y, x) => (y >= 4 && y < 14 && x >= 8 && x < 24 ? 120 : detail(y, x) ? 38 : 5));
    const maskedDetail = (mask: Float32Array) =>
      [...mask].filter((m, p) => m > 0 && !isHit[p] && detail(Math.floor(p / SIDE), p % SIDE)).length;
    expect(maskedDetail(foundMask(noisy, 32).mask.data)).toBe(0);
    expect(maskedDetail(foundMask(region, 32).mask.data)).toBeGreaterThan(0);
  });
});
