/** How many graphs a restoration compiles and opens: one a stage, whatever the number of pictures. */
import { afterAll, expect, test } from 'vitest';
import { generatorGraph } from '../../bench/networks.ts';
import { onManifold } from '../../bench/trials.ts';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { buildMethod } from '../../src/inversion/methods/index.ts';
import { restoreImages } from '../../src/inversion/solve/restore.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

const base = nodeRuntime({ threads: 1 });
const opened = { sessions: 0, loops: 0 };
const runtime: Runtime = {
  ...base,
  session: (...given) => {
    opened.sessions++;
    return base.session(...given);
  },
  loop: (...given) => {
    opened.loops++;
    return base.loop(...given);
  },
};
const generator = await openGenerator(generatorGraph({ z: 4, channels: [4, 4] }), runtime);
const context = { channels: 3, generator: generator.graph, masked: false, critic: false, layers: [] };
const shared = reuse();
afterAll(() => base.dispose());

/** What restoring `count` pictures opens. */
async function openedFor(count: number, method: 'rgi' | 'rrgi') {
  Object.assign(opened, { sessions: 0, loops: 0 });
  const made = buildMethod({ method, steps: 20, pool: 4 }, context);
  const images = await onManifold(generator, count, 7, base);
  const results = [];
  for await (const result of restoreImages({ generator, method: made, images, reuse: shared }, runtime))
    results.push(result);
  expect(results).toHaveLength(count);
  return { ...opened, graphs: shared.steps.size };
}

test('each stage has a graph, which later pictures share; tuned weights are opened once a picture', async () => {
  const first = await openedFor(2, 'rgi');
  expect(first).toMatchObject({ graphs: 4, loops: 4 });
  const second = await openedFor(2, 'rgi');
  expect(second).toMatchObject({ graphs: 4, loops: 4 });
  // What was compiled was compiled with sessions of its own.
  expect(second.sessions).toBeLessThan(first.sessions / 2);
  // The weights' stage comes with a graph of its own, and opens it for each picture.
  expect(await openedFor(2, 'rrgi')).toMatchObject({ graphs: 5, loops: 6 });
});
