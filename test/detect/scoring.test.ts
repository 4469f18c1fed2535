/** What residuals count for: white noise of known covariance, thresholds of known laws, regions drawn by hand. */
import { describe, expect, test } from 'vitest';
import { findDefects } from '../../src/detect/defects.ts';
import { crossFitted, foldsOf } from '../../src/detect/folds.ts';
import { localContrastOf, normaliseContrast } from '../../src/detect/local-contrast.ts';
import { anomalyMap, residualStatistics, standardised } from '../../src/detect/scoring.ts';
import { pixelThreshold, scoreThreshold } from '../../src/detect/thresholds.ts';
import type { Image } from '../../src/images/image.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 12;
const PLANE = SIDE * SIDE;

/** Residuals of two channels that go together, four times as large in the left half. */
function residuals(count: number, seed: number): Image[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const data = new Float32Array(2 * PLANE);
    for (let p = 0; p < PLANE; p++) {
      const size = p % SIDE < SIDE / 2 ? 0.4 : 0.1;
      const [a, b] = [random.normal(), random.normal()];
      data[p] = size * a + 0.05;
      data[PLANE + p] = size * (0.8 * a + 0.6 * b);
    }
    return float32(data, [1, 2, SIDE, SIDE]);
  });
}

const meanSquare = (maps: readonly Image[], of: (p: number) => boolean) => {
  const values = maps.flatMap((map) => [...map.data].filter((_, p) => of(p)));
  return values.reduce((sum, v) => sum + v * v, 0) / values.length;
};
const left = (p: number) => p % SIDE < SIDE / 2 - 2;
const right = (p: number) => p % SIDE > SIDE / 2 + 1;

describe('residuals', () => {
  test('of good pictures are about 1 everywhere, by statistics of each pixel', () => {
    const statistics = residualStatistics(residuals(400, 1), true);
    const maps = residuals(50, 2).map((residual) => standardised(residual, statistics));
    expect(meanSquare(maps, left)).toBeCloseTo(1, 0);
    // A tenth of the covariance is that of all pixels, whose is larger here: (0.16 + 0.01) / 2.
    expect(meanSquare(maps, right)).toBeCloseTo(0.01 / (0.9 * 0.01 + 0.1 * 0.085), 1);
  });

  test('by statistics of all pixels are 1 on average, and larger where they are larger', () => {
    const statistics = residualStatistics(residuals(100, 1), false);
    expect(statistics.location.dims).toEqual([1, 2, 1, 1]);
    const maps = residuals(50, 2).map((residual) => standardised(residual, statistics));
    expect(meanSquare(maps, () => true)).toBeCloseTo(1, 1);
    expect(meanSquare(maps, left) / meanSquare(maps, right)).toBeGreaterThan(10);
  });

  test('that go against what their channels do together count for more', () => {
    const statistics = residualStatistics(residuals(400, 1), false);
    const one = (a: number, b: number) => {
      const data = new Float32Array(2 * PLANE).map((_, i) => (i < PLANE ? a : b));
      return standardised(float32(data, [1, 2, SIDE, SIDE]), statistics).data[0];
    };
    expect(one(0.3, -0.3)).toBeGreaterThan(2 * one(0.3, 0.3));
  });

  test('make no map where a picture is as it should be', () => {
    const x = residuals(1, 5)[0];
    const statistics = { ...residualStatistics(residuals(100, 1), false) };
    const map = anomalyMap(x, x, statistics, { blur: 1, smoothing: 1 });
    expect(Math.max(...map.data)).toBe(0);
  });
});

describe('parts', () => {
  test('are blocks of consecutive pictures, or whole groups of about one size', () => {
    expect(foldsOf(8)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(foldsOf(2)).toEqual([0, 1]);
    const groups = [0, 0, 0, 5, 5, 7, 7, 8, 8, 9];
    const folds = foldsOf(groups.length, groups);
    groups.forEach((group, i) => {
      expect(folds[i]).toBe(folds[groups.indexOf(group)]);
    });
    expect(new Set(folds).size).toBe(4);
  });

  test('keep a picture out of the statistics that it is compared with', () => {
    const unseen = residuals(8, 1).map((residual, i) =>
      i < 2 ? { ...residual, data: residual.data.map((v) => 10 * v) } : residual,
    );
    const maps = crossFitted({ unseen, seen: [], folds: foldsOf(8) }, false)(unseen);
    const own = residualStatistics(unseen, false);
    expect(meanSquare([maps[0]], () => true)).toBeGreaterThan(
      20 * meanSquare([standardised(unseen[0], own)], () => true),
    );
  });
});

describe('surroundings', () => {
  /** Maps of one channel, ten times as large in the lower half. */
  const maps = (count: number, seed: number): Image[] => {
    const random = randomFrom(seed);
    const side = 48;
    return Array.from({ length: count }, () => {
      const data = Float32Array.from({ length: side * side }, (_, p) =>
        Math.abs(random.normal() * (p < (side * side) / 2 ? 0.3 : 3)),
      );
      return float32(data, [1, 1, side, side]);
    });
  };
  const calm = (p: number) => p < 48 * 16;
  const busy = (p: number) => p > 48 * 32;

  test('make calm and busy places alike, wherever they are', () => {
    const contrast = localContrastOf(maps(6, 1), 3);
    const turned = maps(6, 2).map((map) => ({ ...map, data: map.data.slice().reverse() }));
    const made = turned.map((map) => normaliseContrast(map, contrast));
    expect(meanSquare(made, calm)).toBeCloseTo(1, 0);
    expect(meanSquare(made, busy)).toBeCloseTo(1, 0);
  });

  test('let what is odd in a calm place count for more than the same in a busy one', () => {
    const contrast = localContrastOf(maps(6, 1), 3);
    const [map] = maps(1, 5);
    const at = { calm: 48 * 8 + 24, busy: 48 * 40 + 24 };
    map.data[at.calm] = map.data[at.busy] = 3;
    const { data } = normaliseContrast(map, contrast);
    expect(data[at.calm]).toBeGreaterThan(3 * data[at.busy]);
  });

  test('busier than any good one are not taken for oddness of every pixel', () => {
    const contrast = localContrastOf(maps(6, 1), 3);
    const louder = maps(1, 3).map((map) => ({ ...map, data: map.data.map((v) => 10 * v) }));
    const made = louder.map((map) => normaliseContrast(map, contrast));
    expect(meanSquare(made, busy)).toBeLessThan(2);
  });
});

describe('thresholds', () => {
  test('of pixels are exceeded at the rate asked for', () => {
    const uniform = Float32Array.from({ length: 10001 }, (_, i) => i / 10000);
    expect(pixelThreshold([uniform.subarray(0, 5000), uniform.subarray(5000)], 0.01)).toBeCloseTo(0.99, 6);
  });

  test('of pictures are the order statistic that new good ones exceed at the rate asked for', () => {
    const scores = Array.from({ length: 99 }, (_, i) => 99 - i);
    expect(scoreThreshold(scores, 0.1)).toBe(90);
    expect(scoreThreshold(scores, 0.01)).toBe(99);
    const random = randomFrom(4);
    let above = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const drawn = Array.from({ length: 19 }, () => random.normal());
      if (random.normal() > scoreThreshold(drawn, 0.1)) above++;
    }
    expect(above / 2000).toBeCloseTo(0.1, 1);
  });

  test("of pictures go beyond the largest score by Gumbel's law where there are too few", () => {
    const random = randomFrom(9);
    const gumbel = () => 5 - 0.5 * Math.log(-Math.log(random.uniform()));
    const scores = Array.from({ length: 400 }, gumbel);
    const truth = 5 - 0.5 * Math.log(-Math.log(1 - 0.0001));
    expect(scoreThreshold(scores, 0.0001)).toBeGreaterThan(0.85 * truth);
    expect(scoreThreshold(scores, 0.0001)).toBeLessThan(1.15 * truth);
    expect(scoreThreshold([3, 3, 3], 0.01)).toBe(3);
  });
});

describe('defects', () => {
  const map = float32(new Float32Array(PLANE), [1, 1, SIDE, SIDE]);
  for (let y = 2; y < 5; y++) for (let x = 3; x < 8; x++) map.data[y * SIDE + x] = 4;
  map.data[3 * SIDE + 5] = 0;
  map.data[4 * SIDE + 6] = 9;
  map.data[10 * SIDE + 10] = 20;
  map.data[8 * SIDE + 1] = map.data[9 * SIDE + 2] = map.data[10 * SIDE + 1] = 12;

  test('are boxes with areas and peaks, oddest first; specks left out, small holes filled', () => {
    const { mask, defects } = findDefects(map, 3, 3);
    expect(defects).toEqual([
      { top: 8, left: 1, height: 3, width: 2, area: 3, peak: 12, at: { y: 8, x: 1 } },
      { top: 2, left: 3, height: 3, width: 5, area: 15, peak: 9, at: { y: 4, x: 6 } },
    ]);
    expect(mask.data.reduce((sum, v) => sum + v, 0)).toBe(18);
  });

  test('are none where nothing is above the threshold', () => {
    const { mask, defects } = findDefects(map, 30, 1);
    expect(defects).toEqual([]);
    expect(Math.max(...mask.data)).toBe(0);
  });
});
