/** The models of the service's processes: a policy that compares features finds its network beside the model, as `rgi detect` does. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { calibrate } from '../../src/detect/calibrate.ts';
import { openInspector } from '../../src/detect/inspector.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { openShelf } from '../../src/service/node/opened.ts';
import { goodPictures, productGraph, SIDE } from '../detect/made.ts';
import { tinyFeatureFile, tinyFeatures } from '../features/tiny.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'rgi-shelf-'));
const file = path.join(folder, 'part.onnx');
let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
});
afterAll(async () => {
  await runtime.dispose();
  rmSync(folder, { recursive: true });
});

it('inspects by a policy of pixels and features as the library does', async () => {
  const bytes = tinyFeatureFile(SIDE);
  writeFileSync(path.join(folder, 'tiny.onnx'), bytes);
  writeFileSync(file, encodeModel(productGraph()));
  const generator = await openGenerator(productGraph(), runtime);
  const network = await tinyFeatures(runtime, SIDE);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { policy } = await calibrate(
    {
      generator,
      form: 'object',
      unseen: await goodPictures(runtime, 16, 1),
      features: { network, file: 'tiny.onnx', sha256 },
      steps: 30,
      search: { comparedOn: 8, priorStrengths: [1], starts: 2 },
    },
    runtime,
  );
  expect(policy.features).toBeDefined();
  await writePolicy(file, policy);

  const opened = await openShelf(runtime).open({ name: 'part', file, stamp: '1' });
  const stored = await opened.policy(policy.name);
  const pictures = await goodPictures(runtime, 2, 5);
  const served = await (await opened.inspector(stored)).inspect(pictures);
  const inspector = await openInspector({ generator, policy: stored, features: network }, runtime);
  expect(served.map(({ map }) => map)).toEqual((await inspector.inspect(pictures)).map(({ map }) => map));
  await inspector.dispose();
});
