/** One loop for many batches gives what a new run for each would. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Generator, openGenerator } from '../../src/inversion/generator.ts';
import { keptSearch } from '../../src/inversion/kept.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyGenerator } from '../support/tiny.ts';

let runtime: Runtime;
let generator: Generator;
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
  generator = await openGenerator(tinyGenerator(1, 8, 3), runtime);
});
afterAll(() => runtime.dispose());

const drawn = (seed: number, dims: readonly number[]) =>
  float32(
    randomFrom(seed)
      .normals(dims.reduce((a, d) => a * d))
      .map((v) => 0.4 * v),
    dims,
  );

test('a kept search forgets the batch before, and lowers the loss', async () => {
  const method = rgi({ preset: 'fast', channels: 1, thresholdGrey: 60, steps: 30, starts: 1 });
  const images = [1, 2].map((seed) => drawn(seed, [2, 1, 8, 8]));
  const starts = [3, 4].map((seed) => new Map([['z', drawn(seed, [2, 3])]]));
  const search = await keptSearch(generator, method, 2, runtime);
  const first = await search.run(images[0], starts[0]);
  const second = await search.run(images[1], starts[1]);
  expect(await search.run(images[0], starts[0])).toEqual(first);
  await search.dispose();
  const fresh = await keptSearch(generator, method, 2, runtime);
  expect(await fresh.run(images[1], starts[1])).toEqual(second);
  await fresh.dispose();

  // A picture that the generator makes is reached.
  const session = await runtime.session(encodeModel(generator.graph));
  const z = drawn(9, [2, 3]);
  const target = (await session.run(new Map([['z', z]]))).get('image')!;
  await session.dispose();
  const again = await keptSearch(
    generator,
    rgi({ preset: 'fast', channels: 1, thresholdGrey: 60, steps: 120, starts: 1 }),
    2,
    runtime,
  );
  const near = new Map([
    [
      'z',
      float32(
        float32Data(z).map((v) => v + 0.1),
        [2, 3],
      ),
    ],
  ]);
  const reached = float32Data(await again.run(target, near));
  await again.dispose();
  reached.forEach((v, i) => {
    expect(Math.abs(v - float32Data(target)[i])).toBeLessThan(0.02);
  });
});

test('stages of several starts are refused', async () => {
  const method = rgi({ preset: 'fast', channels: 1, steps: 8, starts: 4 });
  await expect(keptSearch(generator, method, 1, runtime)).rejects.toThrow(/one start each/);
});
