/** PaDiM and PatchCore against their equations, written out for a network with a single feature. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { padimDetector, patchcoreDetector } from '../../src/evaluate/detect/features.ts';
import { parseDetectors } from '../../src/evaluate/detect/methods.ts';
import { openExtractor } from '../../src/features/extraction.ts';
import type { FeatureNetwork } from '../../src/features/network.ts';
import { type Image, imageAt } from '../../src/images/image.ts';
import { gaussianBlur, resize } from '../../src/images/resize.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyFeatures } from '../features/tiny.ts';

const SIDE = 16;
const GRID = 32;
const POSITIONS = GRID * GRID;

let runtime: Runtime;
let network: FeatureNetwork;
let good: Image;
let shown: Image;
let ofGood: Float32Array;
let ofShown: Float32Array;

const pictures = (count: number, seed: number): Image =>
  float32(
    Float32Array.from(randomFrom(seed).normals(count * SIDE * SIDE), (v) => Math.tanh(v)),
    [count, 1, SIDE, SIDE],
  );

beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
  network = await tinyFeatures(runtime, SIDE);
  [good, shown] = [pictures(4, 1), pictures(2, 2)];
  const extractor = await openExtractor(network, { channels: 1, height: SIDE, width: SIDE }, runtime);
  ofGood = (await extractor.extract(good)).data;
  ofShown = (await extractor.extract(shown)).data;
  await extractor.dispose();
});
afterAll(() => runtime.dispose());

/** As both methods bring their maps to the picture's size: smoothed by 2 pixels of 128 with the 1.5 that all maps have. */
function atPictureSize(distances: readonly number[]): Image {
  const map = float32(distances, [1, 1, GRID, GRID]);
  return gaussianBlur(resize(map, { height: SIDE, width: SIDE }, 'bilinear'), (Math.sqrt(1.75) * SIDE) / 128);
}

function expectClose(found: Image, expected: Image): void {
  found.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected.data[i], 3);
  });
}

describe('padim', () => {
  test('is |f - mean| / sqrt(variance + .05 of the variance over all positions) at each position', async () => {
    const detector = (await padimDetector(good, network, runtime))!;
    const { maps } = (await detector.find(shown))!;
    await detector.dispose();
    const all = [...ofGood];
    const mean = all.reduce((sum, v) => sum + v, 0) / all.length;
    const variance = all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length;
    for (const n of [0, 1]) {
      const distances = Array.from({ length: POSITIONS }, (_, p) => {
        const own = Array.from({ length: 4 }, (_, k) => ofGood[k * POSITIONS + p]);
        const m = own.reduce((sum, v) => sum + v, 0) / 4;
        const s = own.reduce((sum, v) => sum + (v - m) ** 2, 0) / 3;
        return Math.abs(ofShown[n * POSITIONS + p] - m) / Math.sqrt(s + 0.05 * variance);
      });
      expectClose(imageAt(maps, n), atPictureSize(distances));
    }
  });
});

describe('patchcore', () => {
  const options = { bank: 4 * POSITIONS, drawn: 4 * POSITIONS };

  test('is the distance to the nearest good feature, wherever that is from', async () => {
    const detector = (await patchcoreDetector(good, network, runtime, options))!;
    const { maps } = (await detector.find(shown))!;
    await detector.dispose();
    for (const n of [0, 1]) {
      const distances = Array.from({ length: POSITIONS }, (_, p) =>
        ofGood.reduce(
          (least, v) => Math.min(least, Math.abs(v - ofShown[n * POSITIONS + p])),
          Number.POSITIVE_INFINITY,
        ),
      );
      expectClose(imageAt(maps, n), atPictureSize(distances));
    }
  });

  test('weights the largest distance of a picture by how close together the good features are around its nearest one', async () => {
    const detector = (await patchcoreDetector(good, network, runtime, { ...options, neighbours: 3 }))!;
    const odd = float32(
      shown.data.map((v, i) => (i < SIDE * SIDE ? 4 * v : v)),
      shown.dims,
    );
    const { scores } = (await detector.find(imageAt(odd, 0)))!;
    await detector.dispose();
    const extractor = await openExtractor(network, { channels: 1, height: SIDE, width: SIDE }, runtime);
    const features = (await extractor.extract(imageAt(odd, 0))).data;
    await extractor.dispose();
    const nearestOf = (f: number) => ofGood.reduce((best, v) => (Math.abs(v - f) < Math.abs(best - f) ? v : best));
    const [s, f] = [...features].map((v) => [Math.abs(v - nearestOf(v)), v]).reduce((a, b) => (b[0] > a[0] ? b : a));
    const centre = nearestOf(f);
    const around = [...ofGood].sort((a, b) => Math.abs(a - centre) - Math.abs(b - centre)).slice(0, 3);
    const weight = 1 - Math.exp(s) / around.reduce((sum, v) => sum + Math.exp(Math.abs(v - f)), 0);
    expect(scores![0]).toBeCloseTo(weight * s, 3);
  });

  test('has a bank of the size that is asked for', () => {
    expect(parseDetectors(['padim', 'patchcore', 'patchcore:bank=256'])).toEqual([
      { name: 'padim', kind: 'padim' },
      { name: 'patchcore', kind: 'patchcore', bank: 4096 },
      { name: 'patchcore:bank=256', kind: 'patchcore', bank: 256 },
    ]);
    expect(() => parseDetectors(['patchcore:bank=0'])).toThrow(
      "The method 'patchcore:bank=0': write patchcore, or patchcore:bank=COUNT.",
    );
  });
});
