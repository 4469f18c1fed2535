/** Feature networks, the maps that are taken of them, and Gaussians of such maps, against computations written out by hand. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { greedyCentres } from '../../src/features/coreset.ts';
import { openExtractor } from '../../src/features/extraction.ts';
import { appendDistances, gaussianOf, inverseCholesky, withLevels } from '../../src/features/gaussian.ts';
import { noMoments, togetherOf, withMaps } from '../../src/features/moments.ts';
import { coarserLayers, openFeatureNetwork } from '../../src/features/network.ts';
import { rangeCorrelations, rangeDoubt } from '../../src/features/range.ts';
import type { Image } from '../../src/images/image.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph, Model } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const SIDE = 16;

function modelOf(graph: Graph, features?: object): Model {
  const metadata = new Map(features ? [['rgi.features', JSON.stringify(features)]] : []);
  return { graph, metadata, sourceOpset: 20, producer: '', notes: [] };
}

/** Two maps: the picture itself through a 1 x 1 convolution, and the same at half the size. */
function tinyNetwork(normalised = false): Graph {
  const b = new GraphBuilder();
  b.reserve('picture');
  const kernel = float32([1, 0, 0, 0, 1, 0, 0.5, -0.5, 0.25], [3, 3, 1, 1]);
  let x = b.node('Conv', ['picture', b.initializer('kernel', kernel)], { kernel_shape: [1, 1] }, ['first'])[0];
  if (normalised) {
    const [one, mean] = [b.floats([1, 1, 1]), b.floats([0.5, 0.4, 0.15])];
    x = b.node('BatchNormalization', [x, one, b.floats([0, 0, 0]), mean, one], {}, ['normalised'])[0];
  }
  b.node('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] }, ['second']);
  return b.graph(
    'tiny',
    [{ name: 'picture', type: 'float32', dims: ['N', 3, 'H', 'W'] }],
    [{ name: 'second', type: 'float32', dims: ['N', 3, 'H2', 'W2'] }],
  );
}

function pictures(count: number, seed: number, channels = 3): Image {
  const random = randomFrom(seed);
  const size = channels * SIDE * SIDE;
  return float32(
    Float32Array.from({ length: count * size }, () => Math.tanh(random.normal())),
    [count, channels, SIDE, SIDE],
  );
}

describe('a feature network', () => {
  test('has the layers, the range and the size that its metadata name', async () => {
    const stated = { range: '0..1', size: SIDE, layers: ['first', 'second'] };
    const network = await openFeatureNetwork(modelOf(tinyNetwork(), stated), runtime);
    expect(network).toMatchObject({
      input: 'picture',
      inputLayout: 'NCHW',
      inputChannels: 3,
      range: '0..1',
      size: SIDE,
    });
    expect(network.layers).toEqual([
      { name: 'first', form: 'map', channels: 3, height: SIDE, width: SIDE },
      { name: 'second', form: 'map', channels: 3, height: SIDE / 2, width: SIDE / 2 },
    ]);
    expect(coarserLayers(network, 2).layers.map(({ name }) => name)).toEqual(['second']);
  });

  test('needs its range to be given where its file does not say it', async () => {
    await expect(openFeatureNetwork(modelOf(tinyNetwork()), runtime, { name: 'net.onnx' })).rejects.toThrow(
      "net.onnx does not say which range of values its input takes: give it with --feature-range (0..1, -1..1, 0..255, imagenet). PyTorch's networks take imagenet, most of Keras' -1..1.",
    );
  });

  test('has its layers chosen where none are named: the last one at each stride', async () => {
    const network = await openFeatureNetwork(modelOf(tinyNetwork(true)), runtime, { range: '0..1', size: SIDE });
    expect(network.layers.map(({ name }) => name)).toEqual(['second']);
  });

  test('names its last layers where a wanted one is not there', async () => {
    const opening = openFeatureNetwork(modelOf(tinyNetwork()), runtime, {
      range: '0..1',
      layers: ['third'],
      size: SIDE,
    });
    await expect(opening).rejects.toThrow(
      "The feature network has no layer 'third'; its last ones are 'first', 'second'.",
    );
  });

  test('tells by its first running means that another range than the stated one was meant', async () => {
    const model = modelOf(tinyNetwork(true));
    // Redder than green: in 0..1 the means are about .7, .5 and .2.
    const shown = pictures(4, 3);
    const plane = SIDE * SIDE;
    shown.data.forEach((v, i) => {
      shown.data[i] = 0.1 * v + [0.1, -0.1, -0.2][Math.floor(i / plane) % 3];
    });
    const right = await openFeatureNetwork(model, runtime, { range: '0..1', size: SIDE });
    const wrong = await openFeatureNetwork(model, runtime, { range: '-1..1', size: SIDE });
    const found = await rangeCorrelations(right, shown, runtime);
    expect(found!.get('0..1')).toBeGreaterThan(0.95);
    expect(found!.get('-1..1')).toBeLessThan(found!.get('0..1')! - 0.1);
    expect(await rangeDoubt(right, shown, runtime)).toBeUndefined();
    expect(await rangeDoubt(wrong, shown, runtime)).toMatch(
      /^The feature network's input is taken to be -1\.\.1, but the statistics of its first layer go with (0\.\.1|0\.\.255) /,
    );
    const folded = await openFeatureNetwork(modelOf(tinyNetwork()), runtime, { range: '0..1', size: SIDE });
    expect(await rangeCorrelations(folded, shown, runtime)).toBeUndefined();
  });
});

describe('extracted features', () => {
  test('are local means of the layers on one grid, of pictures in the range of the network', async () => {
    const stated = { range: '0..1', size: SIDE, layers: ['first', 'second'] };
    const network = await openFeatureNetwork(modelOf(tinyNetwork(), stated), runtime);
    const shown = pictures(3, 1);
    const extractor = await openExtractor(network, { channels: 3, height: SIDE, width: SIDE }, runtime, SIDE);
    const { dims, data } = await extractor.extract(shown);
    await extractor.dispose();
    expect(dims).toEqual([3, 6, SIDE, SIDE]);
    // The first channel of the first layer is red in 0..1; borders are continued.
    const plane = SIDE * SIDE;
    const red = (y: number, x: number) => {
      const within = (v: number) => Math.min(SIDE - 1, Math.max(0, v));
      return shown.data[2 * 3 * plane + within(y) * SIDE + within(x)] / 2 + 0.5;
    };
    for (const [y, x] of [
      [0, 0],
      [5, 7],
      [15, 3],
    ]) {
      let sum = 0;
      for (const dy of [-1, 0, 1]) for (const dx of [-1, 0, 1]) sum += red(y + dy, x + dx) / 9;
      expect(data[2 * 6 * plane + y * SIDE + x]).toBeCloseTo(sum, 5);
    }
  });

  test('of grey pictures are those of the same pictures in three equal channels', async () => {
    const network = await openFeatureNetwork(modelOf(tinyNetwork(), { range: '-1..1', size: SIDE }), runtime);
    const grey = pictures(2, 2, 1);
    const plane = SIDE * SIDE;
    const coloured = float32(
      Float32Array.from({ length: 6 * plane }, (_, i) => grey.data[Math.floor(i / (3 * plane)) * plane + (i % plane)]),
      [2, 3, SIDE, SIDE],
    );
    const of = async (images: Image, channels: number) => {
      const extractor = await openExtractor(network, { channels, height: SIDE, width: SIDE }, runtime, 4);
      const { data } = await extractor.extract(images);
      await extractor.dispose();
      return data;
    };
    expect(await of(grey, 1)).toEqual(await of(coloured, 3));
  });
});

describe('the Gaussian of features', () => {
  const GRID = 2;
  const POSITIONS = GRID * GRID;
  const maps = (count: number, channels: number, seed: number) =>
    float32(randomFrom(seed).normals(count * channels * POSITIONS), [count, channels, GRID, GRID]);

  async function distancesOf(gaussian: Parameters<typeof appendDistances>[1], features: Image): Promise<Float32Array> {
    const b = new GraphBuilder();
    b.reserve('features');
    b.node('Identity', [appendDistances(b, gaussian, 'features')], {}, ['distances']);
    const info = (name: string, channels: number) => ({
      name,
      type: 'float32' as const,
      dims: ['N', channels, GRID, GRID],
    });
    const graph = b.graph('distances', [info('features', features.dims[1])], [info('distances', 1)]);
    const session = await runtime.session(encodeModel(graph));
    const made = (await session.run(new Map([['features', features]]))).get('distances')!;
    await session.dispose();
    return made.data as Float32Array;
  }

  /** Mahalanobis' distance with the covariance of two channels inverted by its closed form. */
  function expected(good: Image, shown: Image, n: number, p: number, ridge: number): number {
    const at = (image: Image, k: number, c: number) => image.data[(k * 2 + c) * POSITIONS + p];
    const count = good.dims[0];
    const all = (c: number) =>
      Array.from(
        { length: count * POSITIONS },
        (_, i) => good.data[(Math.floor(i / POSITIONS) * 2 + c) * POSITIONS + (i % POSITIONS)],
      );
    const variance = (v: readonly number[]) => {
      const mean = v.reduce((s, x) => s + x, 0) / v.length;
      return v.reduce((s, x) => s + (x - mean) ** 2, 0) / v.length;
    };
    const mean = [0, 1].map(
      (c) => Array.from({ length: count }, (_, k) => at(good, k, c)).reduce((s, v) => s + v, 0) / count,
    );
    const s = (i: number, j: number) =>
      Array.from({ length: count }, (_, k) => (at(good, k, i) - mean[i]) * (at(good, k, j) - mean[j])).reduce(
        (a, v) => a + v,
        0,
      ) /
        (count - 1) +
      (i === j ? ridge * variance(all(i)) : 0);
    const [a, b, d] = [s(0, 0), s(0, 1), s(1, 1)];
    const [u, v] = [0, 1].map((c) => at(shown, n, c) - mean[c]);
    return Math.sqrt((d * u * u - 2 * b * u * v + a * v * v) / (a * d - b * b) / 2);
  }

  test('gives the Mahalanobis distance at each position, per square root of a channel', async () => {
    const [good, shown] = [maps(9, 2, 1), maps(3, 2, 2)];
    const gaussian = gaussianOf(withMaps(noMoments(maps(1, 2, 3), [2]), good), { ridge: 0.1 });
    const found = await distancesOf(gaussian, shown);
    for (let n = 0; n < 3; n++)
      for (let p = 0; p < POSITIONS; p++)
        expect(found[n * POSITIONS + p]).toBeCloseTo(expected(good, shown, n, p, 0.1), 4);
    const halved = await distancesOf(withLevels(gaussian, new Float32Array(POSITIONS).fill(2)), shown);
    expect([...halved]).toEqual([...found].map((v) => expect.closeTo(v / 2, 4)));
  });

  test('of groups is the root mean square of the distances of each', async () => {
    const [good, shown] = [maps(12, 5, 4), maps(2, 5, 5)];
    const channels = (image: Image, from: number, to: number) =>
      float32(
        Float32Array.from({ length: image.dims[0] * (to - from) * POSITIONS }, (_, i) => {
          const [n, rest] = [Math.floor(i / ((to - from) * POSITIONS)), i % ((to - from) * POSITIONS)];
          return image.data[n * 5 * POSITIONS + from * POSITIONS + rest];
        }),
        [image.dims[0], to - from, GRID, GRID],
      );
    const both = await distancesOf(gaussianOf(withMaps(noMoments(maps(1, 5, 6), [2, 3]), good)), shown);
    const each = await Promise.all(
      [
        [0, 2],
        [2, 5],
      ].map(([from, to]) =>
        distancesOf(
          gaussianOf(withMaps(noMoments(channels(maps(1, 5, 6), from, to), [to - from]), channels(good, from, to))),
          channels(shown, from, to),
        ),
      ),
    );
    both.forEach((v, i) => {
      expect(v).toBeCloseTo(Math.sqrt((each[0][i] ** 2 + each[1][i] ** 2) / 2), 4);
    });
  });

  test('of two parts together is that of all their maps', () => {
    const good = maps(10, 3, 7);
    const origin = maps(1, 3, 8);
    const part = (from: number, to: number) =>
      float32(good.data.slice(from * 3 * POSITIONS, to * 3 * POSITIONS), [to - from, 3, GRID, GRID]);
    const whole = gaussianOf(withMaps(noMoments(origin, [3]), good), { pooled: 0.2 });
    const parts = [part(0, 4), part(4, 10)].map((maps) => withMaps(noMoments(origin, [3]), maps));
    const joined = gaussianOf(togetherOf(parts), { pooled: 0.2 });
    whole.whitening.data.forEach((v, i) => {
      expect(joined.whitening.data[i]).toBeCloseTo(v, 3);
    });
  });

  test('has the same covariance at all positions where all of it is pooled', () => {
    const gaussian = gaussianOf(withMaps(noMoments(maps(1, 3, 8), [3]), maps(10, 3, 7)), { pooled: 1 });
    const { dims, data } = gaussian.whitening;
    for (let p = 1; p < dims[0]; p++)
      expect([...data.subarray(p * dims[1], (p + 1) * dims[1])]).toEqual([...data.subarray(0, dims[1])]);
  });

  test('is whitened by the inverse of the Cholesky factor', () => {
    // [[4,2],[2,5]] = L L' with L = [[2,0],[1,2]]; L^-1 = [[1/2,0],[-1/4,1/2]].
    expect([...inverseCholesky(Float64Array.from([4, 2, 5]), 2)]).toEqual([0.5, -0.25, 0.5]);
  });
});

describe('a coreset', () => {
  test('takes the vector that is farthest from all taken so far', () => {
    const points = Float32Array.from([0, 1, 2, 3, 10]);
    const chosen = greedyCentres(points, 1, { count: 3, seed: 2 });
    const left = new Set(points);
    const first = points[chosen[0]];
    expect(points[chosen[1]]).toBe(first < 5 ? 10 : 0);
    for (const i of chosen) left.delete(points[i]);
    const radius = Math.max(...[...left].map((v) => Math.min(...chosen.map((i) => Math.abs(points[i] - v)))));
    expect(radius).toBeLessThanOrEqual(2);
    expect(greedyCentres(points, 1, { count: 9 })).toEqual([0, 1, 2, 3, 4]);
  });
});
