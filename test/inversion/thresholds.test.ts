/** The numbers of inversion by what they mean: toys on either side of each threshold, and closed forms. */
import { describe, expect, it } from 'vitest';
import type { RgiError } from '../../src/errors.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { layerGroups } from '../../src/inversion/generator/weight-groups.ts';
import { checkMask } from '../../src/inversion/mask/given.ts';
import { missingPixels } from '../../src/inversion/mask/missing.ts';
import { tuningMasks } from '../../src/inversion/mask/tuning-mask.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { keptPixels } from '../../src/inversion/start/pool.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });

describe('natural flat regions', () => {
  const SIDE = 20;
  const PLANE = SIDE ** 2;

  /** A generator that makes `image` [PLANE] of every z. */
  function constant(image: Float32Array) {
    const b = new GraphBuilder();
    const still = b.MatMul(b.reserve('z'), b.floats(new Float32Array(PLANE), [1, PLANE]));
    b.node('Reshape', [b.Add(still, b.floats(image, [1, PLANE])), b.ints([-1, 1, SIDE, SIDE])], {}, ['image']);
    return openGenerator(
      b.graph(
        'constant',
        [{ name: 'z', type: 'float32', dims: ['N', 1] }],
        [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
      ),
      runtime,
    );
  }

  const texture = randomFrom(2).normals(PLANE);
  /** A bar of three rows at the bottom of a picture of noise. */
  const isBar = (p: number) => p >= 15 * SIDE && p < 18 * SIDE;
  const picture = float32(
    Float32Array.from({ length: PLANE }, (_, p) => (isBar(p) ? 0.8 : 0.3 * texture[p])),
    [1, 1, SIDE, SIDE],
  );
  const missing = async (made: Float32Array) =>
    (await missingPixels(await constant(made), picture, runtime)).data.reduce((sum, m) => sum + m, 0);

  it.each([
    [4, 60],
    [6, 0],
  ])(
    'are those in pictures of which more than a twentieth is flat: %d columns of six pixels',
    async (columns, expected) => {
      // The pixels at the edge of what is black have other neighbours: `columns - 1` times 5 are flat.
      const isFlat = (p: number) => p % SIDE < columns && Math.floor(p / SIDE) < 6;
      expect(await missing(texture.map((v, p) => (isFlat(p) ? 0 : v)))).toBe(expected);
    },
  );

  it.each([
    [1.4, 0],
    [1.6, 60],
  ])('are those in which no two neighbours differ by more than 1.5 grey levels: %d', async (grey, expected) => {
    const board = Float32Array.from({ length: PLANE }, (_, p) => ((p + Math.floor(p / SIDE)) % 2 ? grey / 127.5 : 0));
    expect(await missing(board)).toBe(expected);
  });
});

it('gross outliers, hidden from tuned weights, begin at twice the threshold of outliers: ten medians', () => {
  const data = Float32Array.from({ length: 100 }, (_, p) => (p === 0 ? 0.099 : p === 1 ? 0.101 : 0.01));
  const x = float32(data, [1, 1, 10, 10]);
  const nothing = zeros('float32', [1, 1, 10, 10]);
  const masks = tuningMasks(rgi({ channels: 1 }), nothing, x, zeros('float32', [1, 1, 10, 10]));
  expect([...float32Data(masks)].flatMap((m, p) => (m > 0 ? [p] : []))).toEqual([1]);
});

it('an error about the shape of a mask says which it should be', () => {
  const thrown = (): unknown => {
    try {
      checkMask(zeros('float32', [2, 3, 4, 5]), zeros('float32', [2, 1, 4, 4]));
    } catch (error) {
      return (error as RgiError).details;
    }
    return undefined;
  };
  expect(thrown()).toEqual({ kind: 'shape', of: 'mask', expected: [2, 1, 4, 5], received: [2, 1, 4, 4] });
});

it("DGP's groups are seven, the first of one layer and the others as even as they can be", () => {
  const b = new GraphBuilder();
  let value = b.reserve('z');
  const names = Array.from({ length: 13 }, (_, i) => `w${i}`);
  for (const name of names) value = b.MatMul(value, b.initializer(name, float32([1], [1, 1])));
  b.node('Identity', [value], {}, ['image']);
  const graph = b.graph(
    'layers',
    [{ name: 'z', type: 'float32', dims: [1, 1] }],
    [{ name: 'image', type: 'float32', dims: [1, 1] }],
  );
  expect(layerGroups(graph, names)).toEqual([
    ['w0'],
    ...Array.from({ length: 6 }, (_, i) => [`w${2 * i + 1}`, `w${2 * i + 2}`]),
  ]);
});

describe('a pool of starts', () => {
  it('is kept whole up to 256 MiB', () => {
    const [count, channels] = [1024, 4];
    // Four bytes a number.
    const plane = 2 ** 28 / (4 * count * channels);
    expect(keptPixels(count, channels, plane).pixels).toBeUndefined();
    expect(keptPixels(count, channels, plane + 1).pixels).toBeDefined();
  });

  it('is compared by its kept pixels where a quarter of 1024 of those are known', () => {
    const { pixels, compared } = keptPixels(10_000, 3, 10_000);
    expect(compared(pixels!.slice(0, 256))?.length).toBe(256);
    expect(compared(pixels!.slice(0, 255))).toBeUndefined();
  });
});

describe('inputs that are given', () => {
  /** image = (w, label row), as many of them as z has numbers for: exporters ask for the whole shape of z. */
  function labelled() {
    const b = new GraphBuilder();
    for (const name of ['z', 'label']) b.reserve(name);
    b.node('Tanh', ['z'], {}, ['w']);
    const joined = b.Concat(['w', 'label'], 1);
    const [shape] = b.node('Shape', ['z'], {});
    const [numbers] = b.node('ReduceProd', [shape], { keepdims: 1 });
    const rows = b.Concat([b.Div(numbers, b.ints([4])), b.ints([1, 2, 4])], 0);
    b.node('Reshape', [joined, rows], {}, ['image']);
    return b.graph(
      'labelled',
      [
        { name: 'z', type: 'float32', dims: ['N', 4] },
        { name: 'label', type: 'float32', dims: ['N', 4] },
      ],
      [{ name: 'image', type: 'float32', dims: ['N', 1, 2, 4] }],
    );
  }

  const fixed = new Map([['label', float32([1, 2, 3, 4], [1, 4])]]);

  it('of several numbers are repeated for the batch; z has its own shape where an inner value is the unknown', async () => {
    for (const latents of [undefined, ['w']]) {
      const generator = await openGenerator(labelled(), runtime, { fixed, ...(latents ? { latents } : {}) });
      const session = await runtime.session(encodeModel(generator.graph));
      const feeds = new Map<string, Tensor>([[generator.latents[0].name, zeros('float32', [3, 4])]]);
      const made = float32Data((await session.run(feeds)).get('image')!);
      await session.dispose();
      expect([...made]).toEqual([0, 1, 2].flatMap(() => [0, 0, 0, 0, 1, 2, 3, 4]));
    }
  });
});

it('the law of an inner value is that of 64 draws', async () => {
  const dims = 900;
  const b = new GraphBuilder();
  const z = b.reserve('z');
  b.node('Identity', [z], {}, ['w']);
  b.node('Reshape', [b.Mul('w', b.scalar(0.1)), b.ints([-1, 1, 30, 30])], {}, ['image']);
  const graph = b.graph(
    'inner',
    [{ name: 'z', type: 'float32', dims: ['N', dims] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, 30, 30] }],
  );
  const { moments } = await openGenerator(graph, runtime, { latents: ['w'] });
  const { mean } = moments.get('w')!;
  const deviation = Math.sqrt(float32Data(mean).reduce((sum, m) => sum + m ** 2, 0) / mean.data.length);
  expect(mean.data.length).toBe(dims);
  // The mean of n independent draws deviates by 1 / sqrt(n).
  expect(deviation * Math.sqrt(64)).toBeGreaterThan(0.9);
  expect(deviation * Math.sqrt(64)).toBeLessThan(1.1);
});

it('with means, lambda weighs the mean of a mask: of all its values, whether the channels share them or not', async () => {
  const generator = await openGenerator(tinyGenerator(), runtime);
  const x = float32(new Float32Array(192).fill(0.2), [1, 3, 8, 8]);
  for (const shared of [true, false]) {
    const mask = { form: 'free', shared, initial: 1 } as const;
    const method = rgi({ channels: 3, preset: 'paper', reduction: 'mean', lambda: 0.3, mask, steps: 1, pool: 5 });
    const { history } = await runMethod(generator, method, runtime, x);
    // All is masked: nothing is left of the pixel loss.
    expect(history.loss[0][0]).toBeCloseTo(0.3, 6);
  }
});
