/** The statistics of features that a calibration stores, made again of their parts. */
import { expect, it } from 'vitest';
import { fitFeatures, openFeatureScorer } from '../../src/detect/feature-space.ts';
import { featureChannels, openExtractor } from '../../src/features/extraction.ts';
import { gaussianOf } from '../../src/features/gaussian.ts';
import { noMoments, withMaps } from '../../src/features/moments.ts';
import { type Image, shapeOf, stackImages } from '../../src/images/image.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyFeatures } from '../features/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const SIDE = 16;

/** A map convolved with a Gaussian of one position, mirrored at its border. */
function smoothed(map: readonly number[], side: number): number[] {
  const bell = Array.from({ length: 9 }, (_, i) => Math.exp(-0.5 * (i - 4) ** 2));
  const total = bell.reduce((sum, v) => sum + v, 0);
  const at = (y: number, x: number) => {
    const inside = (v: number) => (v < 0 ? -1 - v : v >= side ? 2 * side - 1 - v : v);
    return map[inside(y) * side + inside(x)];
  };
  return map.map((_, p) => {
    let sum = 0;
    bell.forEach((wy, i) => {
      bell.forEach((wx, j) => {
        sum += wy * wx * at(Math.floor(p / side) + i - 4, (p % side) + j - 4);
      });
    });
    return sum / total ** 2;
  });
}

it('levels: the root of the mean fourth power of distances to others, at one of 32 pictures beside those at hand that of all positions', async () => {
  const random = randomFrom(3);
  // Pictures that differ more on the left.
  const unseen: Image[] = Array.from({ length: 8 }, () =>
    float32(
      Float32Array.from({ length: SIDE ** 2 }, (_, p) => (p % SIDE < 6 ? 0.3 : 0.1) * random.normal()),
      [1, 1, SIDE, SIDE],
    ),
  );
  const network = await tinyFeatures(runtime, SIDE);
  const folds = [0, 0, 0, 0, 1, 1, 1, 1];
  const { gaussian } = await fitFeatures({ network, unseen, folds, seen: [], drawn: [], drawnFolds: [] }, runtime);

  const extractor = await openExtractor(network, shapeOf(unseen[0]), runtime);
  const origin = await extractor.extract(unseen[0]);
  const fitted = async (images: readonly Image[]) => {
    const moments = withMaps(
      noMoments(origin, [featureChannels(network)]),
      await extractor.extract(stackImages(images)),
    );
    // A tenth of each position's covariance is that of all positions.
    return gaussianOf(moments, { pooled: 0.1 });
  };
  const raw: number[][] = [];
  for (const [i, others] of [unseen.slice(4), unseen.slice(0, 4)].entries()) {
    const scorer = await openFeatureScorer(network, await fitted(others), shapeOf(unseen[0]), runtime);
    for (const { data } of await scorer.score(unseen.slice(4 * i, 4 * i + 4))) raw.push([...data]);
    await scorer.dispose();
  }
  const whole = await fitted(unseen);
  await extractor.dispose();

  const root = (values: readonly number[]) => (values.reduce((sum, v) => sum + v ** 4, 0) / values.length) ** 0.25;
  const common = root(raw.flat());
  const levels = raw[0].map((_, p) => (8 * root(raw.map((map) => map[p])) + 32 * common) / (8 + 32));
  expect(gaussian.mean.data).toEqual(whole.mean.data);
  smoothed(levels, gaussian.grid).forEach((level, p) => {
    expect((gaussian.whitening.data[p] * level) / whole.whitening.data[p]).toBeCloseTo(1, 4);
  });
});
