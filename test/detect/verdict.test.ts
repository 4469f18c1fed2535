/** Thresholds of regions, limits at other rates, and the one story of a picture. */
import { describe, expect, it } from 'vitest';
import { limitsAtRates } from '../../src/detect/calibration-facts.ts';
import { findDefects } from '../../src/detect/defects.ts';
import { regionScore, scoreThreshold } from '../../src/detect/thresholds.ts';
import { verdictOf } from '../../src/detect/verdict.ts';
import { gaussianBlur } from '../../src/images/resize.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 24;
const random = randomFrom(2);
const map = () => gaussianBlur(float32(random.normals(SIDE * SIDE), [1, 1, SIDE, SIDE]), 1.5);

describe("a picture's threshold of regions", () => {
  it.each([1, 2, 7, 40])('is the least at which no region of %i pixels is left', (area) => {
    for (let trial = 0; trial < 20; trial++) {
      const one = map();
      const threshold = regionScore(one, area);
      expect(findDefects(one, threshold, area).defects).toEqual([]);
      const below = Math.max(...one.data.filter((v) => v < threshold));
      expect(findDefects(one, below, area).defects.length).toBeGreaterThan(0);
    }
  });

  it('of good pictures gives the rate of new good pictures with any region', () => {
    const scores = Array.from({ length: 400 }, () => regionScore(map(), 7));
    let marked = 0;
    const limit = scoreThreshold(scores, 0.1);
    for (let trial = 0; trial < 400; trial++) if (findDefects(map(), limit, 7).defects.length > 0) marked++;
    expect(marked / 400).toBeGreaterThan(0.05);
    expect(marked / 400).toBeLessThan(0.16);
  });
});

it('limits are shown at the rates that so many good pictures can tell', () => {
  const scores = Array.from({ length: 59 }, (_, i) => i + 1);
  expect(limitsAtRates(scores)).toEqual([
    { rate: 0.02, limit: 59 },
    { rate: 0.05, limit: 57 },
    { rate: 0.1, limit: 54 },
    { rate: 0.2, limit: 48 },
  ]);
});

it('a picture is good, marked or defective', () => {
  expect([verdictOf(false, 0), verdictOf(false, 2), verdictOf(true, 2), verdictOf(true, 0)]).toEqual([
    'good',
    'marked',
    'defective',
    'defective',
  ]);
});
