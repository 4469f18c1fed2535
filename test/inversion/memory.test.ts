/** The memory of a search before it starts: near what is measured, and a refusal that says what takes less. */
import { afterAll, expect, test } from 'vitest';
import { generatorGraph, NETWORKS } from '../../bench/networks.ts';
import { checkMemory, planMemory } from '../../src/inversion/compile/memory.ts';
import { withinMemory } from '../../src/inversion/compile/plan.ts';
import { adaptingReuse, type Reuse, reuse } from '../../src/inversion/compile/reuse.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import { zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(generatorGraph(NETWORKS.small64), runtime);
const plain = rgi({ preset: 'fast', channels: 3 });
const [first] = plain.stages;
afterAll(() => runtime.dispose());

test('the inner values of a step take about as much as planned', async () => {
  const pictures = 16;
  const method = { ...plain, stages: [first] };
  const shared = reuse();
  const { values } = await planMemory(generator, method, pictures, runtime, shared);
  const solver = createSolver(generator, method, runtime, { reuse: shared });
  const latents = await generator.draw(pictures * first.starts, randomFrom(1));
  await solver.init(zeros('float32', [pictures, 3, 64, 64]), undefined, latents);
  const before = process.memoryUsage().rss;
  await solver.step();
  const taken = process.memoryUsage().rss - before;
  await solver.dispose();
  expect(taken / values).toBeGreaterThan(0.6);
  expect(taken / values).toBeLessThan(1.5);
});

test('tuned weights are counted with their moments and the best of them, before and after a step', async () => {
  const names = ['up64.weight', 'conv64.weight'];
  const method = rrgi({ preset: 'best', channels: 3, weights: names });
  const tune = { ...method, stages: method.stages.slice(-1) };
  const { stage, state } = await planMemory(generator, tune, 16, runtime, reuse());
  const numbers = names.reduce((sum, name) => sum + generator.graph.initializers.get(name)!.data.length, 128);
  expect(stage).toBe('tune');
  // theta, m, v and the best theta, of 4 bytes, twice; and the two losses that tell the best.
  expect(state).toBe(2 * 4 * (4 * numbers + 2));
});

test('too much is refused, with what takes less', () => {
  const plan = { stage: 'compete', weights: 1e9, state: 0, values: 2e9, total: 3.2e9, recomputing: [] };
  expect(() => checkMemory(plan, 4e9, plain, 8)).not.toThrow();
  expect(() => checkMemory(plan, 2e9, plain, 8)).toThrow(
    "A step of 'compete' needs about 3.2 GB, more than --memory allows (2.0 GB). It takes less with fewer pictures at a time (--batch 1), or one search a picture (--starts 1).",
  );
  expect(() => checkMemory({ ...plan, recomputing: ['compete'] }, 2e9, plain, 1)).toThrow(
    "A step of 'compete' needs about 3.2 GB, more than --memory allows (2.0 GB), even with inner values computed twice. It takes less with one search a picture (--starts 1).",
  );
  const single = rrgi({ preset: 'best', channels: 3, weights: ['up64.weight'], starts: 1 });
  expect(() => checkMemory(plan, 2e9, single, 1)).toThrow(
    "A step of 'compete' needs about 3.2 GB, more than --memory allows (2.0 GB). It takes less with frozen weights (--method rgi).",
  );
});

test('a step that is planned to take too much computes inner values again, with the same numbers', async () => {
  const pictures = 4;
  const method = { ...plain, stages: [first] };
  const images = zeros('float32', [pictures, 3, 64, 64]);
  const latents = await generator.draw(pictures * first.starts, randomFrom(1));
  const losses = async (shared: Reuse) => {
    const solver = createSolver(generator, method, runtime, { reuse: shared });
    await solver.init(images, undefined, latents);
    const made = [];
    for (let i = 0; i < 2; i++) made.push([...(await solver.step()).loss]);
    await solver.dispose();
    return made;
  };
  const before = reuse();
  const plan = await planMemory(generator, method, pictures, runtime, before);
  // Less than what it takes if memory is given back at once.
  const given = adaptingReuse(withinMemory(plan.total - 1));
  const allowed = (await planMemory(generator, method, pictures, runtime, given)).total - 1;
  const after = adaptingReuse(withinMemory(allowed));
  const less = await planMemory(generator, method, pictures, runtime, after);
  expect(plan.recomputing).toEqual([]);
  expect(less.recomputing).toEqual(['compete']);
  expect(less.total).toBeLessThanOrEqual(allowed);
  expect(await losses(after)).toEqual(await losses(before));
});

test('where giving memory back at once suffices, the graph is the plain one, and its loop is opened so', async () => {
  const kept: unknown[] = [];
  const noting: Runtime = {
    ...runtime,
    loop: (model, state, fixed, options) => {
      kept.push(options?.keepsMemory);
      return runtime.loop(model, state, fixed, options);
    },
  };
  const method = { ...plain, stages: [first] };
  const pictures = 4;
  const images = zeros('float32', [pictures, 3, 64, 64]);
  const latents = await generator.draw(pictures * first.starts, randomFrom(1));
  const { total } = await planMemory(generator, method, pictures, runtime, reuse());
  for (const allowed of [total, total - 1]) {
    const shared = adaptingReuse(withinMemory(allowed));
    const plan = await planMemory(generator, method, pictures, runtime, shared);
    expect(plan.recomputing).toEqual([]);
    const solver = createSolver(generator, method, noting, { reuse: shared });
    await solver.init(images, undefined, latents);
    await solver.dispose();
  }
  expect(kept).toEqual([undefined, false]);
});

test('what fits is left as it is', async () => {
  const shared = adaptingReuse(withinMemory(1e12));
  const { recomputing } = await planMemory(generator, { ...plain, stages: [first] }, 1, runtime, shared);
  expect(recomputing).toEqual([]);
});
