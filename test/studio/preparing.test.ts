/** What the engine makes of a model while nobody waits is all that a first search would make of it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';
import { createGate } from '../../src/studio/worker/gate.ts';
import { createModels } from '../../src/studio/worker/models.ts';
import { prepareSearch } from '../../src/studio/worker/preparing.ts';
import { restorePicture } from '../../src/studio/worker/restoring.ts';
import { type Bench, makeBench } from '../cli/bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

test('the pool of starts and the steps of every stage are there before the first search', async () => {
  const runtime = await createRuntime();
  const models = createModels(runtime);
  const { id } = await models.open([{ name: 'g.onnx', bytes: readFileSync(bench.file('g.onnx')) }]);
  const model = models.get(id);
  await prepareSearch(model, runtime, new AbortController().signal);
  const { steps, pool } = model.reuseFor(rgi({ preset: 'fast', channels: 3 }));
  const made = { steps: [...steps.keys()], pool: [...pool.keys()] };
  expect(made.pool.length).toBeGreaterThan(0);
  const rgba = Uint8ClampedArray.from({ length: 256 }, (_, i) => (i % 4 === 3 ? 255 : (37 * i) % 256));
  const picture = { name: 'noise.png', width: 8, height: 8, rgba };
  const request = { model: id, picture, method: 'rgi', seed: 0, fit: 'contain' } as const;
  await restorePicture('', model, request, { runtime, gate: createGate(), tell: () => {} });
  expect({ steps: [...steps.keys()], pool: [...pool.keys()] }).toEqual(made);
  await runtime.dispose();
});
