/** The examples of `restoreFiles` and `detectFiles`, run as they stand in their documentation: no option that has a default is given. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createRuntime,
  detectFiles,
  openGenerator,
  openModel,
  type Runtime,
  readPolicy,
  restoreFiles,
  writePolicy,
} from '../../src/node.ts';
import { type Bench, makeBench } from '../cli/bench.ts';
import { handmadePolicy } from '../cli/policy.ts';

let bench: Bench;
let runtime: Runtime;
beforeAll(async () => {
  bench = await makeBench();
  runtime = await createRuntime();
  mkdirSync(bench.file('photos'));
  copyFileSync(bench.file('a.png'), bench.file('photos/a.png'));
});
afterAll(async () => {
  await runtime.dispose();
  bench.remove();
});

test('restoreFiles', async () => {
  const { graph } = await openModel(bench.file('g.onnx'));
  const generator = await openGenerator(graph, runtime);
  const options = { files: [bench.file('photos')], out: bench.file('restored'), generator };
  expect(await restoreFiles(options, runtime)).toMatchObject({ done: 1, failed: 0, kept: 0, interrupted: false });
  expect(existsSync(bench.file('restored/a.composite.png'))).toBe(true);
  expect(await restoreFiles({ ...options, resume: true }, runtime)).toMatchObject({ done: 1, kept: 1 });
  await expect(restoreFiles({ ...options, grow: 2 }, runtime)).rejects.toThrow(
    "holds results of 'rgi restore' with other settings or networks",
  );
});

test('detectFiles', async () => {
  copyFileSync(bench.file('g.onnx'), bench.file('part.onnx'));
  await writePolicy(bench.file('part.onnx'), handmadePolicy());
  const model = await openModel(bench.file('part.onnx'));
  const generator = await openGenerator(model.graph, runtime);
  const policy = await readPolicy(bench.file('part.onnx'), model);
  const seen: string[] = [];
  const options = { files: [bench.file('photos')], out: bench.file('found'), generator, policy };
  const { done, defective } = await detectFiles({ ...options, onEvent: ({ kind }) => seen.push(kind) }, runtime);
  expect([done, defective <= 1]).toEqual([1, true]);
  expect(seen.filter((kind) => kind !== 'progress')).toEqual(['begin', 'record', 'end']);
  expect(existsSync(bench.file('found/a.map.npy'))).toBe(true);
});
