/** Models by what they are: a worker has the files that the sender has, also after one of them was replaced. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelFinder, modelIdentity } from '../../src/batch/node/models.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { affineGraph } from '../detect/exported.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);
const MISSING =
  "This worker's --models has no model of the content of part.onnx: copy the generator, its encoder and its policy there.";

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-models-'));
  mkdirSync(at('worker'));
  writeFileSync(at('part.onnx'), encodeModel(affineGraph()));
  writeFileSync(at('part.policy.npz'), 'statistics');
  copyFileSync(at('part.onnx'), at('worker/line3.onnx'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('statistics that come or change beside a generator that stays make another model', async () => {
  const find = await modelFinder(at('worker'));
  const identity = await modelIdentity(at('part.onnx'));
  await expect(find(identity, 'part.onnx')).rejects.toThrow(MISSING);
  copyFileSync(at('part.policy.npz'), at('worker/line3.policy.npz'));
  expect(await find(identity, 'part.onnx')).toMatchObject({ name: 'line3', stamp: identity });
  writeFileSync(at('worker/line3.policy.npz'), 'other statistics');
  await expect(find(identity, 'part.onnx')).rejects.toThrow(MISSING);
});

test('a file that is no model yet is looked at again', async () => {
  const find = await modelFinder(at('worker'));
  const identity = await modelIdentity(at('part.onnx'));
  writeFileSync(at('worker/late.onnx'), 'half of a mod');
  await expect(find(identity, 'part.onnx')).rejects.toThrow(MISSING);
  copyFileSync(at('part.onnx'), at('worker/late.onnx'));
  copyFileSync(at('part.policy.npz'), at('worker/late.policy.npz'));
  expect(await find(identity, 'part.onnx')).toMatchObject({ name: 'late' });
});
