/** R6: a process killed anywhere while it stores its networks leaves the old set or the new one. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { filesOf, lockRun, writeModels } from '../../src/gan/node/files.ts';
import { companionOf } from '../../src/models/node/companions.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { tinyGenerator } from '../support/tiny.ts';

/** From this renaming on nothing happens any more, as to a process that was killed. */
const killed = vi.hoisted(() => ({ at: Number.POSITIVE_INFINITY, renamed: 0 }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const live = () => {
    if (killed.renamed >= killed.at) throw new Error('killed');
  };
  const rename: typeof real.rename = async (from, to) => {
    // Not those of the cache of known models.
    if (String(to).includes('rgi-commit-')) {
      live();
      killed.renamed++;
    }
    await real.rename(from, to);
  };
  const rm: typeof real.rm = async (file, options) => {
    live();
    await real.rm(file, options);
  };
  return { ...real, rename, rm };
});

const folder = mkdtempSync(path.join(os.tmpdir(), 'rgi-commit-'));
const files = filesOf(path.join(folder, 'part.onnx'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Three networks, told apart by their metadata. */
const store = (step: number) => {
  const graph = tinyGenerator(1, 8);
  return writeModels(
    { generator: graph, discriminator: graph, encoder: graph },
    { channels: 1, size: 8, latent: 4, training: { step } },
    files,
  );
};

/** The steps of the generator on disk and of the companions that are found for it. */
async function stepsOnDisk(): Promise<number[]> {
  const model = await openModel(files.models.generator);
  const companions = await Promise.all(
    (['discriminator', 'encoder'] as const).map((role) => companionOf(role, model, files.models.generator)),
  );
  const all = [model, ...(await Promise.all(companions.map((file) => openModel(file!))))];
  return all.map(({ metadata }) => JSON.parse(metadata.get('rgi.training')!).step);
}

beforeEach(async () => {
  killed.at = Number.POSITIVE_INFINITY;
  await store(1);
  killed.renamed = 0;
});

test.each([
  [0, 1],
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 2],
])('killed before renaming number %i of five: the networks of step %i are found', async (at, step) => {
  killed.at = at;
  const stored = store(2);
  if (at < 5) await expect(stored).rejects.toThrow('killed');
  else await stored;
  expect(await stepsOnDisk()).toEqual([step, step, step]);
  // The next run ends what was begun, and leaves no trace of it.
  killed.at = Number.POSITIVE_INFINITY;
  const release = await lockRun(files);
  expect(readdirSync(folder).filter((name) => name.includes('staged'))).toEqual([]);
  expect(await stepsOnDisk()).toEqual([step, step, step]);
  await release();
});
