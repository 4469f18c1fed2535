import { describe, expect, it, test } from 'vitest';
import { cutPoints } from '../../src/inspect/cuts.ts';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { withWeightChanges } from '../../src/inversion/generator/weight-changes.ts';
import { invert } from '../../src/inversion/methods/invert.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { restoreImages } from '../../src/inversion/solve/restore.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, float32Data, ints, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { expectClose } from '../support/close.ts';
import { hasShared, sharedBytes, withShared } from '../support/shared.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });

/** w = tanh(z), image = (w, 2w, label row) reshaped; the batch size is read from z, as exporters do. */
function mapped(batch: number | string) {
  const b = new GraphBuilder();
  b.node('Tanh', ['z'], {}, ['w']);
  const rows = b.initializer('rows', float32([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]));
  const joined = b.Concat(['w', b.Mul('w', b.scalar(2)), b.Gather(rows, 'label', 0)], 1);
  const [count] = b.node('Shape', ['z'], { start: 0, end: 1 });
  b.node('Reshape', [joined, b.Concat([count, b.ints([3, 2, 2])], 0)], {}, ['image']);
  return b.graph(
    'mapped',
    [
      { name: 'z', type: 'float32', dims: [batch, 4] },
      { name: 'label', type: 'int64', dims: [batch] },
    ],
    [{ name: 'image', type: 'float32', dims: [batch, 3, 2, 2] }],
  );
}

async function imagesOf(generator: Generator, feeds: ReadonlyMap<string, Tensor>): Promise<number[]> {
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    return [...float32Data((await session.run(feeds)).get(generator.output)!)];
  } finally {
    await session.dispose();
  }
}

test('one value of an input beside the latent serves every image of a batch', async () => {
  const generator = await openGenerator(mapped('N'), runtime, { fixed: new Map([['label', ints([1])]]) });
  const images = await imagesOf(generator, new Map([['z', float32(new Float32Array(12), [3, 4])]]));
  expect(images.filter((_, i) => i % 12 >= 8)).toEqual([5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7, 8]);
});

test('an inner value can be the unknown, although the shape of z is asked for behind it', async () => {
  const graph = mapped('N');
  const generator = await openGenerator(graph, runtime, { latents: ['w'], fixed: new Map([['label', ints([0])]]) });
  expect(generator.graph.inputs).toEqual([{ name: 'w', type: 'float32', dims: ['N', 4] }]);
  expect(generator.latents).toEqual([{ name: 'w', dims: [4] }]);
  const drawn = await generator.draw(2, randomFrom(1));
  expect(Math.max(...float32Data(drawn.get('w')!).map(Math.abs))).toBeLessThan(1);
  expect((await imagesOf(generator, drawn)).slice(8, 12)).toEqual([1, 2, 3, 4]);
});

test('a generator of a fixed batch draws inner latents in its batches', async () => {
  const fixed = new Map([['label', ints([0, 1])]]);
  const generator = await openGenerator(mapped(2), runtime, { latents: ['w'], fixed });
  expect(generator.batch).toBe(2);
  const six = (await generator.draw(6, randomFrom(1))).get('w')!;
  expect(six.dims).toEqual([6, 4]);
  expect((await generator.draw(3, randomFrom(1))).get('w')).toEqual(float32(float32Data(six).slice(0, 12), [3, 4]));
});

test('a cut that leaves the image dependent on z is refused', async () => {
  const b = new GraphBuilder();
  b.node('Tanh', ['z'], {}, ['w']);
  b.node('Reshape', [b.Concat(['w', 'z', 'z'], 1), b.ints([-1, 3, 2, 2])], {}, ['image']);
  const graph = b.graph(
    'leaky',
    [{ name: 'z', type: 'float32', dims: ['N', 4] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, 2, 2] }],
  );
  await expect(openGenerator(graph, runtime, { latents: ['w'] })).rejects.toThrow(
    "Cutting at 'w' leaves the image dependent on 'z': add it to --latent, or give its value (--input).",
  );
  expect(cutPoints(graph, 'image')).toEqual(['Concat']);
});

test('cut points are the values through which all of the image passes', () => {
  const graph = { ...mapped('N'), inputs: [mapped('N').inputs[0]] };
  expect(cutPoints(graph, 'image')).toEqual(['w', 'Concat']);
});

test('a generator that was exported for two images inverts any number of them, alike', async () => {
  const fixed = new Map([['label', ints([0, 0])]]);
  const baked = await openGenerator(mapped(2), runtime, { fixed });
  const free = await openGenerator(mapped('N'), runtime, { fixed: new Map([['label', ints([0])]]) });
  const images = float32(randomFrom(3).normals(36), [3, 3, 2, 2]);
  const z = new Map([['z', float32(randomFrom(4).normals(12), [3, 4])]]);
  const results: Tensor[] = [];
  for (const generator of [baked, free]) {
    const solver = createSolver(generator, invert({ steps: 5 }), runtime);
    await solver.init(images, undefined, z);
    while (!solver.terminate()) await solver.step();
    results.push((await solver.finish()).image);
    await solver.dispose();
  }
  expectClose(results[0], results[1], 1e-6, 'images');
});

test('a generator with noise is inverted at one draw of it', async () => {
  const b = new GraphBuilder();
  const noise = b.node('RandomNormalLike', ['z'], { seed: { kind: 'float', value: 7 } })[0];
  const noisy = b.Tanh(b.Add('z', noise));
  b.node('Reshape', [noisy, b.ints([-1, 3, 2, 2])], {}, ['image']);
  const graph = b.graph(
    'noisy',
    [{ name: 'z', type: 'float32', dims: ['N', 12] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, 2, 2] }],
  );
  const generator = await openGenerator(graph, runtime);
  const images = float32(
    randomFrom(3)
      .normals(12)
      .map((v) => Math.tanh(0.5 * v)),
    [1, 3, 2, 2],
  );
  const result = await runMethod(generator, invert({ steps: 400 }), runtime, images);
  // With another draw at each step the loss would stay at about twelve times the variance of the noise.
  expect(result.loss[0]).toBeLessThan(1e-4);
  expectClose(result.image, images, 1e-2, 'image');
});

test('the changes that R-RGI made are a delta: with them the generator makes the tuned image', async () => {
  const plain = tinyGenerator();
  const generator = await openGenerator(plain, runtime);
  const images = float32(
    randomFrom(3)
      .normals(192)
      .map((v) => 0.3 * v),
    [1, 3, 8, 8],
  );
  const weights = ['layer.weight'];
  const method = rrgi({ preset: 'best', channels: 3, steps: 20, starts: 1, pool: 25, weights, weightRate: 0.01 });
  for await (const result of restoreImages({ generator, method, images, thresholdGrey: 25 }, runtime)) {
    const tuned = await openGenerator(withWeightChanges(plain, result.weightChanges), runtime);
    expectClose(float32(await imagesOf(tuned, result.latents)), float32(result.restored.data), 1e-5, 'image');
    expect(await imagesOf(generator, result.latents)).not.toEqual(await imagesOf(tuned, result.latents));
  }
  expect(() => withWeightChanges(plain, new Map([['other', float32([1])]]))).toThrow(
    "The changes are of another generator: this one has no weight 'other' of [1].",
  );
});

it('inner values are drawn by what makes them alone, a few at a time, and as the inputs were', async () => {
  const sizes: number[] = [];
  const counted: Runtime = {
    ...runtime,
    async session(model, options) {
      const session = await runtime.session(model, options);
      const run: typeof session.run = async (feeds, wanted) => {
        const made = await session.run(feeds, wanted);
        for (const tensor of made.values()) sizes.push(...(tensor.dims.length === 4 ? [Number.NaN] : [tensor.dims[0]]));
        return made;
      };
      return { ...session, run };
    },
  };
  const b = new GraphBuilder();
  const w = b.Tanh(b.MatMul(b.reserve('z'), b.initializer('mapping', float32(randomFrom(3).normals(12), [3, 4]))));
  const flat = b.MatMul(w, b.initializer('synthesis', float32(randomFrom(4).normals(4 * 64), [4, 64])));
  b.node('Reshape', [flat, b.ints([-1, 1, 8, 8])], {}, ['image']);
  const graph = b.graph(
    'mapped',
    [{ name: 'z', type: 'float32', dims: ['N', 3] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, 8, 8] }],
  );
  const cut = await openGenerator(graph, counted, { latents: [w] });
  sizes.length = 0;
  const drawn = float32Data((await cut.draw(1000, randomFrom(6))).get(w)!);
  // No picture among them.
  expect(sizes.every((size) => size <= 32)).toBe(true);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1000);
  const z = float32Data((await (await openGenerator(graph, runtime)).draw(1000, randomFrom(6))).get('z')!);
  const mapping = float32Data(graph.initializers.get('mapping')!);
  for (const row of [0, 31, 32, 999]) {
    for (let k = 0; k < 4; k++) {
      const sum = [0, 1, 2].reduce((total, i) => total + z[row * 3 + i] * mapping[i * 4 + k], 0);
      expect(drawn[row * 4 + k]).toBeCloseTo(Math.tanh(sum), 5);
    }
  }
});

it('equal formulations are compiled once', async () => {
  const shared = reuse();
  const generator = await openGenerator(tinyGenerator(), runtime);
  const images = float32(randomFrom(2).normals(192), [1, 3, 8, 8]);
  const mask = float32(new Float32Array(64), [1, 1, 8, 8]);
  // Given the mask, all four stages of our preset minimise the same.
  const method = rgi({ channels: 3, masked: true, steps: 20, starts: 1, pool: 25 });
  await runMethod(generator, method, runtime, images, mask, { reuse: shared });
  expect([method.stages.length, shared.steps.size]).toEqual([4, 1]);
});

describe.skipIf(!hasShared)(withShared('W of an exported StyleGAN2 as the unknown'), () => {
  it('is found by its name, drawn by the mapping network, and inverted', async () => {
    const { graph } = readModel(sharedBytes('fixtures', 'generators', 'stylegan2_unfused.legacy17.onnx'));
    const whole = await openGenerator(graph, runtime);
    // W is the last value through which all of the image passes and that has the shape of a latent.
    const names = cutPoints(whole.graph, whole.output);
    let w: Generator | undefined;
    for (const name of names) {
      const cut = await openGenerator(graph, runtime, { latents: [name] });
      if (cut.latents[0].dims.length === 1) w = cut;
    }
    const z = await whole.draw(2, randomFrom(6));
    const drawn = await w!.draw(2, randomFrom(6));
    // The same random numbers, through z and through W, make the same images.
    const images = float32(await imagesOf(whole, z), [2, 3, 64, 64]);
    expectClose(float32(await imagesOf(w!, drawn), [2, 3, 64, 64]), images, 1e-6, 'images');
    const method = invert({ steps: 40 });
    const stages = method.stages.map((stage) => ({
      ...stage,
      controls: () => ({ ...stage.controls(0), latentRate: 0.02 }),
    }));
    const start = { ...method.start, pool: 5, seed: 9 };
    const result = await runMethod(w!, { ...method, start, stages }, runtime, images);
    for (let i = 0; i < 2; i++) expect(result.loss[i]).toBeLessThan(0.5 * result.history.loss[i][0]);
  });
});
