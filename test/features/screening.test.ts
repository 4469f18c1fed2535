/** Screening of folders that need not be clean: defective pictures among good ones are found, and a clean folder keeps its pictures. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gaussianOf } from '../../src/features/gaussian.ts';
import { noMoments, withMaps } from '../../src/features/moments.ts';
import { type FeatureNetwork, openFeatureNetwork } from '../../src/features/network.ts';
import { distancesOf, screenPictures } from '../../src/features/screening.ts';
import { twoPopulationsOf } from '../../src/features/two-populations.ts';
import type { Image } from '../../src/images/image.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

const SIDE = 16;
let runtime: Runtime;
let network: FeatureNetwork;

/** Its features are the picture itself. */
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
  const b = new GraphBuilder();
  b.reserve('picture');
  const kernel = float32([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3, 1, 1]);
  b.node('Conv', ['picture', b.initializer('kernel', kernel)], { kernel_shape: [1, 1] }, ['map']);
  const graph = b.graph(
    'tiny',
    [{ name: 'picture', type: 'float32', dims: ['N', 3, 'H', 'W'] }],
    [{ name: 'map', type: 'float32', dims: ['N', 3, 'H', 'W'] }],
  );
  const metadata = new Map([['rgi.features', JSON.stringify({ range: '0..1', size: SIDE, layers: ['map'] })]]);
  network = await openFeatureNetwork({ graph, metadata, sourceOpset: 20, producer: '', notes: [] }, runtime);
});
afterAll(() => runtime.dispose());

/** Noise around one pattern; `defective` of them, the last ones, have a bright square, each anywhere. */
function folder(count: number, defective: number, seed = 1, noiseOf = (_: number) => 0.05): Image[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, n) => {
    const [top, left] = [random.integer(SIDE - 4), random.integer(SIDE - 4)];
    const data = Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
      const [y, x] = [Math.floor(i / SIDE) % SIDE, i % SIDE];
      const inSquare = y >= top && y < top + 4 && x >= left && x < left + 4;
      return 0.3 * Math.sin(x) + noiseOf(n) * random.normal() + (n >= count - defective && inSquare ? 0.5 : 0);
    });
    return float32(data, [1, 3, SIDE, SIDE]);
  });
}

describe('a folder is screened', () => {
  test.each([4, 12, 24])('%i of 60 pictures are defective: these, and no others, are suspect', async (bad) => {
    const { suspects, scores, limit } = await screenPictures(folder(60, bad), network, runtime);
    expect(suspects.flatMap((is, i) => (is ? [i] : []))).toEqual(Array.from({ length: bad }, (_, i) => 60 - bad + i));
    suspects.forEach((is, i) => {
      expect(scores[i] > limit).toBe(is);
    });
  });

  test('of a clean folder nothing is suspect, because the scores are of one population', async () => {
    const { suspects, limit } = await screenPictures(folder(60, 0), network, runtime);
    expect(suspects).not.toContain(true);
    expect(limit).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([4, 8, 16])('a clean folder of %i pictures keeps them', async (count) => {
    for (const seed of [1, 2, 3, 4]) {
      const { suspects } = await screenPictures(folder(count, 0, seed), network, runtime);
      expect(suspects).not.toContain(true);
    }
  });

  test('pictures that are more alike than the others, and rank below them, make none of the others suspect', async () => {
    const images = folder(60, 0, 1, (n) => (n === 58 ? 0.08 : n % 5 === 0 ? 0.01 : 0.05));
    const { suspects, scores } = await screenPictures(images, network, runtime);
    expect(twoPopulationsOf(scores.map(Math.log))).toBeDefined();
    expect(suspects).not.toContain(true);
  });

  test('without suspects one round is all, and the progress ends at 1', async () => {
    const shares: number[] = [];
    await screenPictures(folder(12, 0), network, runtime, {}, { onProgress: (share) => shares.push(share) });
    expect(shares).toEqual([0, 1]);
  });

  test('pictures that are all the same are all kept', async () => {
    const one = folder(1, 0)[0];
    const { suspects } = await screenPictures([one, one, one, one, one], network, runtime);
    expect(suspects).toEqual([false, false, false, false, false]);
  });

  test('an abort is heard', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(screenPictures(folder(8, 0), network, runtime, {}, { signal })).rejects.toThrow('enough');
  });
});

describe('two populations', () => {
  test.each([
    ['one normal law', 300, 0, 0, false],
    ['a tenth far above', 300, 30, 6, true],
    ['a half above', 300, 150, 5, true],
    ['a tenth one deviation above', 300, 30, 1, false],
    ['six of 60 far above', 60, 6, 8, true],
    ['a single one of 60 far above', 60, 1, 20, false],
    ['two of 16 far above', 16, 2, 12, true],
  ])('%s', (_, count, others, shift, expected) => {
    const random = randomFrom(5);
    const values = Array.from({ length: count }, (_, i) => random.normal() + (i < others ? shift : 0));
    expect(twoPopulationsOf(values) !== undefined).toBe(expected);
    expect(twoPopulationsOf(values.map((v) => 7 - 3 * v)) !== undefined).toBe(expected);
  });

  test('their laws, the lower one first', () => {
    const random = randomFrom(2);
    const values = Array.from({ length: 1000 }, (_, i) => (i < 250 ? 10 + 2 * random.normal() : random.normal()));
    const [lower, upper] = twoPopulationsOf(values)!;
    expect(lower.share).toBeCloseTo(0.75, 1);
    expect(lower.mean).toBeCloseTo(0, 0);
    expect(lower.deviation).toBeCloseTo(1, 0);
    expect(upper.mean).toBeCloseTo(10, 0);
    expect(upper.deviation).toBeCloseTo(2, 0);
  });

  test.each([4, 8, 16, 60])('%i values of one normal law are hardly ever taken for two', (count) => {
    const random = randomFrom(count);
    const found = Array.from({ length: 100 }, () => twoPopulationsOf([...random.normals(count)]));
    expect(found.filter((laws) => laws !== undefined).length).toBeLessThanOrEqual(3);
  });
});

test('what is hidden of a map does not count in the moments: at that position only', () => {
  const random = randomFrom(3);
  const maps = float32(random.normals(5 * 2 * 4), [5, 2, 2, 2]);
  const origin = float32(new Float32Array(8), [1, 2, 2, 2]);
  const hidden = new Uint8Array(5 * 4);
  // The last two maps at the first position.
  hidden[3 * 4] = 1;
  hidden[4 * 4] = 1;
  const first = float32(maps.data.slice(0, 3 * 8), [3, 2, 2, 2]);
  const partly = gaussianOf(withMaps(noMoments(origin, [2]), maps, hidden));
  const [all, some] = [maps, first].map((given) => gaussianOf(withMaps(noMoments(origin, [2]), given)));
  expect([...partly.mean.data.subarray(0, 2)]).toEqual([...some.mean.data.subarray(0, 2)]);
  expect([...partly.mean.data.subarray(2)]).toEqual([...all.mean.data.subarray(2)]);
});

test('distances are those of the Gaussian, written out for one channel', () => {
  const gaussian = {
    groups: [1],
    grid: 2,
    mean: float32([1, 2, 3, 4], [4, 1]),
    whitening: float32([1, 2, 0.5, 4], [4, 1]),
  };
  expect([...distancesOf(gaussian, float32([2, 2, 5, 3], [1, 1, 2, 2]))]).toEqual([1, 0, 1, 4]);
});
