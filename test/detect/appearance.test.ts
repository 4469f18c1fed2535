import { describe, expect, it } from 'vitest';
import {
  type Appearance,
  appearanceInWords,
  appearanceScore,
  describe as described,
  emitAppearanceScore,
  fitAppearance,
} from '../../src/detect/appearance.ts';
import type { Image } from '../../src/images/image.ts';
import { gaussianBlur } from '../../src/images/resize.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';

const SIDE = 24;

/** Grey stripes at a random phase, of about the same brightness and contrast, with noise. */
function stripes(count: number, seed: number, channels = 1): Image[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const [phase, level, height] = [6 * random.uniform(), 0.1 * random.normal(), 0.5 + 0.05 * random.normal()];
    const data = Float32Array.from(
      { length: channels * SIDE * SIDE },
      (_, i) => level + height * Math.sin(phase + 0.7 * (i % SIDE)) + 0.1 * random.normal(),
    );
    return float32(data, [1, channels, SIDE, SIDE]);
  });
}

const changed = (image: Image, change: (v: number) => number): Image => ({ ...image, data: image.data.map(change) });
/** Maps' scores 1 to `count`. */
const even = (count: number) => ({ mapScores: Array.from({ length: count }, (_, i) => i + 1), rate: 0.05 });
const folds = (count: number) => Array.from({ length: count }, (_, i) => i % 4);

describe('the appearance of a picture', () => {
  it('is its mean, and the logarithms of its deviation and of the differences along a row, as a share of it', () => {
    // Columns of -1 and 1 by turns: mean 0, deviation 1, every difference 2. One grey level is added before the logarithm.
    const data = Float32Array.from({ length: 4 * 6 }, (_, i) => (i % 2 === 0 ? -1 : 1));
    const [mean, contrast, sharpness] = described(float32(data, [1, 1, 4, 6]));
    expect(mean).toBe(0);
    expect(contrast).toBeCloseTo(Math.log(1 + 1 / 127.5), 12);
    expect(sharpness).toBeCloseTo(Math.log(2 + 1 / 127.5) - Math.log(1 + 1 / 127.5), 12);
  });

  it('of good pictures is beyond the limit for a tenth of those that may be called defective', () => {
    const { appearance, limit, scores } = fitAppearance(stripes(400, 1), [], folds(400), even(400));
    const beyond = stripes(2000, 2).filter((image) => appearanceScore(image, appearance) > limit);
    expect(beyond.length / 2000).toBeLessThan(0.015);
    // Conformal: the limit is the score of rank 0.95 * 401.
    expect(scores.filter((score) => score > limit)).toHaveLength(19);
  });

  it.each([
    ['darker and lower in contrast', 'black', (image: Image) => changed(image, () => -1)],
    ['darker and lower in contrast', 'darkened', (image: Image) => changed(image, (v) => (v + 1) / 2 - 1)],
    ['brighter', 'brightened', (image: Image) => changed(image, (v) => Math.min(1, v + 0.8))],
    ['lower in contrast', 'flat', (image: Image) => changed(image, () => 0)],
    ['less sharp', 'out of focus', (image: Image) => changed(gaussianBlur(image, 1), (v) => 1.27 * v)],
  ])('is odd, and %s than the good pictures, of one that is %s', (words, _, spoil) => {
    const { appearance, limit } = fitAppearance(stripes(60, 3), stripes(40, 4), folds(60), even(60));
    const [picture] = stripes(1, 5).map(spoil);
    expect(appearanceScore(picture, appearance)).toBeGreaterThan(limit);
    expect(appearanceInWords(picture, appearance)).toBe(words);
  });

  it('claims nothing from few pictures: others of their kind pass', () => {
    const { appearance, limit } = fitAppearance(stripes(8, 6, 3), [], folds(8), even(8));
    const others = stripes(50, 7, 3).filter((image) => appearanceScore(image, appearance) > limit);
    expect(others.length).toBeLessThanOrEqual(2);
  });

  it('is the same in a graph', async () => {
    const { appearance } = fitAppearance(stripes(30, 8, 3), [], folds(30), even(30));
    const pictures = [...stripes(2, 9, 3), changed(stripes(1, 10, 3)[0], () => -1)];
    const runtime = await createRuntime();
    try {
      const found = await scoresInGraph(pictures, appearance, runtime);
      pictures.forEach((picture, i) => {
        const own = appearanceScore(picture, appearance);
        expect(Math.abs(found[i] - own) / own).toBeLessThan(1e-5);
      });
    } finally {
      await runtime.dispose();
    }
  });
});

async function scoresInGraph(
  pictures: readonly Image[],
  appearance: Appearance,
  runtime: Awaited<ReturnType<typeof createRuntime>>,
): Promise<Float32Array> {
  const b = new GraphBuilder();
  for (const name of ['image', 'score']) b.reserve(name);
  b.node('Identity', [emitAppearanceScore(b, 'image', 3, appearance)], {}, ['score']);
  const image = { name: 'image', type: 'float32', dims: ['N', 3, SIDE, SIDE] } as const;
  const session = await runtime.session(
    encodeModel(b.graph('scores', [image], [{ name: 'score', type: 'float32', dims: ['N'] }])),
  );
  const data = Float32Array.from(pictures.flatMap((picture) => [...picture.data]));
  const made = await session.run(new Map([['image', float32(data, [pictures.length, 3, SIDE, SIDE])]]));
  await session.dispose();
  return float32Data(made.get('score')!);
}
