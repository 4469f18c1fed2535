/** One loop for many batches gives what a new run for each would. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { type RgiOptions, rgi } from '../../src/inversion/methods/rgi.ts';
import { fixedScheduleSearch } from '../../src/inversion/solve/fixed-schedule.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
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

function searched(options: Partial<RgiOptions>): Method {
  return rgi({ preset: 'fast', channels: 1, ...options });
}

test('a fixed-schedule search is what a run of its own would be, and forgets the batch before', async () => {
  const method = searched({ thresholdGrey: 60, steps: 30, starts: 1 });
  // Without the rule that stops a picture: a fixed-schedule search makes all steps.
  const all = { ...method, stages: method.stages.map(({ terminate: _terminate, ...stage }) => stage) };
  const images = [1, 2].map((seed) => drawn(seed, [2, 1, 8, 8]));
  const starts = [3, 4].map((seed) => new Map([['z', drawn(seed, [2, 3])]]));
  const search = fixedScheduleSearch(generator, all, runtime);
  for (const i of [0, 1, 0]) {
    const made = float32Data(await search.run(images[i], starts[i]));
    const solver = createSolver(generator, all, runtime);
    await solver.init(images[i], undefined, starts[i]);
    do {
      while (!solver.terminate()) await solver.step();
    } while (await solver.advance());
    const { image } = await solver.finish();
    await solver.dispose();
    made.forEach((v, p) => {
      expect(v).toBeCloseTo(float32Data(image)[p], 5);
    });
  }
  await search.dispose();
});

test('a fixed-schedule search stops when it is aborted', async () => {
  const method = searched({ thresholdGrey: 60, steps: 30, starts: 1 });
  const search = fixedScheduleSearch(generator, method, runtime);
  const start = new Map([['z', drawn(3, [1, 3])]]);
  await expect(search.run(drawn(1, [1, 1, 8, 8]), start, AbortSignal.abort())).rejects.toThrow(/abort/);
  await search.dispose();
});

test('stages of several starts are refused', async () => {
  const method = searched({ steps: 8, starts: 4 });
  expect(() => fixedScheduleSearch(generator, method, runtime)).toThrow(/one start each/);
});

test.each([
  ['a threshold that is measured on the picture', {}],
  ['a given mask', { masked: true, thresholdGrey: 60 }],
])('%s is refused', async (_, options) => {
  const method = rgi({ preset: 'fast', channels: 1, steps: 8, starts: 1, ...options });
  expect(() => fixedScheduleSearch(generator, method, runtime)).toThrow(
    /supports neither a given mask nor a measured threshold/,
  );
});
