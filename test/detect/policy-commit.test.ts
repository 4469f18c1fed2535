/** R6: a process killed anywhere while it stores a policy leaves the old policy or the new one, and others as they were. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { readNpz } from '../../src/arrays/npy.ts';
import { lostPolicies, readPolicy, statisticsFile, writePolicy } from '../../src/detect/node/policy-files.ts';
import { readBytes } from '../../src/images/node/decode.ts';
import { writeFileAtomic } from '../../src/images/node/write.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { handmadePolicy } from '../cli/policy.ts';
import { tinyGenerator } from '../support/tiny.ts';

/** From this renaming on nothing happens any more, as to a process that was killed. */
const killed = vi.hoisted(() => ({ at: Number.POSITIVE_INFINITY, renamed: 0 }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const rename: typeof real.rename = async (from, to) => {
    if (killed.renamed++ >= killed.at) throw new Error('killed');
    await real.rename(from, to);
  };
  return { ...real, rename };
});

const folder = mkdtempSync(path.join(os.tmpdir(), 'rgi-policy-'));
const file = path.join(folder, 'part.onnx');
afterAll(() => rmSync(folder, { recursive: true }));

const changed = (name: string) => {
  const policy = handmadePolicy(name, 9);
  return { ...policy, statistics: { ...policy.statistics, location: float32([0.5, 0.5, 0.5], [1, 3, 1, 1]) } };
};
const policyOf = async (name: string) => readPolicy(file, await openModel(file), name);

beforeEach(async () => {
  killed.at = Number.POSITIVE_INFINITY;
  await writeFileAtomic(file, encodeModel(tinyGenerator(3, 8)));
  await writePolicy(file, handmadePolicy('default'));
  await writePolicy(file, handmadePolicy('other'));
  killed.renamed = 0;
});

test.each([
  [0, 'old'],
  [1, 'old'],
  [2, 'new'],
  [3, 'new'],
])('killed before renaming number %i of three: the %s policy can be read', async (at, which) => {
  killed.at = at;
  const stored = writePolicy(file, changed('default'));
  if (at < 3) await expect(stored).rejects.toThrow('killed');
  else await stored;
  const found = await policyOf('default');
  expect(found).toEqual(which === 'old' ? handmadePolicy('default') : changed('default'));
  expect(await policyOf('other')).toEqual(handmadePolicy('other'));
  // The next one leaves no trace of what was begun.
  killed.at = Number.POSITIVE_INFINITY;
  await writePolicy(file, changed('default'));
  expect(await policyOf('default')).toEqual(changed('default'));
  const arrays = [...readNpz(await readBytes(statisticsFile(file))).keys()].sort();
  expect(arrays).toEqual(['default.location', 'default.whitening', 'other.location', 'other.whitening']);
});

test('where the statistics are lost, a new policy is stored, and the others are named', async () => {
  rmSync(statisticsFile(file));
  expect(await lostPolicies(file)).toEqual(['default', 'other']);
  await writePolicy(file, changed('default'));
  expect(await policyOf('default')).toEqual(changed('default'));
  expect(await lostPolicies(file)).toEqual(['other']);
  await expect(policyOf('other')).rejects.toThrow(
    `${statisticsFile(file)} does not belong to the policy 'other' of ${file}; calibrate again, or copy both files together.`,
  );
});

test('of a model that was copied with its statistics in the midst, the policy goes with the copy', async () => {
  killed.at = 2;
  await expect(writePolicy(file, changed('default'))).rejects.toThrow('killed');
  const copy = path.join(folder, 'copy.onnx');
  copyFileSync(file, copy);
  copyFileSync(statisticsFile(file), statisticsFile(copy));
  expect(await readPolicy(copy, await openModel(copy), 'default')).toEqual(changed('default'));
});
