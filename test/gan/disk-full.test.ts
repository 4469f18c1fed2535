import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { batchOf } from '../../src/datasets/dataset.ts';
import { trainFolder } from '../../src/gan/node/run.ts';
import { bestOf } from '../../src/gan/record.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { runtime, stripes, tinySettings } from './support.ts';

/** Files that the disk has no room for; what was begun of them is left behind, as by a full disk. */
const disk = vi.hoisted(() => ({ refuses: (_file: string): boolean => false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (file, ...rest) => {
    const handle = await real.open(file, ...rest);
    if (disk.refuses(String(file)))
      handle.writeFile = () =>
        Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
    return handle;
  };
  return { ...real, open };
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-full-'));
  const dataset = stripes(20);
  for (const [i, picture] of dataset.pictures.entries())
    await writePicture(path.join(folder, 'pictures', picture.name), batchOf(dataset, [i]));
});

afterAll(() => rm(folder, { recursive: true }));

it('a full disk is said and survived; what could be written before stays, and nothing half-written', async () => {
  const { backbone: _, ...settings } = tinySettings({ steps: 6 });
  const out = path.join(folder, 'model.onnx');
  let measurements = 0;
  disk.refuses = (file) => measurements === 2 && file.startsWith(path.join(folder, 'model'));
  const {
    ended,
    record,
    written: models,
  } = await trainFolder(
    {
      folder: path.join(folder, 'pictures'),
      out,
      data: { size: 8 },
      held: 4,
      settings,
      measureEvery: 3,
      onEvent: (event) => {
        if (event.kind === 'coverage') measurements++;
      },
    },
    runtime,
  );
  expect(ended).toBe('done');
  // Whether the second measurement was the better one, the record says.
  expect(models).toBe(bestOf(record.coverage)?.step === 3);
  expect(record.events.length).toBeGreaterThan(0);
  for (const said of record.events)
    expect(said).toMatch(
      /^.*model.* cannot be written \(ENOSPC: no space left on device, write\)\. Training continues; the last complete files remain\.$/,
    );
  const written = await readdir(path.join(folder, 'model.training'));
  expect(written).toContain('checkpoint.npz');
  expect(written).toContain('samples-0000003.png');
  expect([...written, ...(await readdir(folder))].filter((name) => name.endsWith('.tmp'))).toEqual([]);
}, 60_000);

it('models that could not be written are still missing when the run is gone on with', async () => {
  const { backbone: _, ...settings } = tinySettings({ steps: 2 });
  const out = path.join(folder, 'missing.onnx');
  const options = { folder: path.join(folder, 'pictures'), out, data: { size: 8 }, held: 4, settings, measureEvery: 2 };
  disk.refuses = (file) => /missing[^/]*\.onnx[^/]*$/.test(file);
  expect(await trainFolder(options, runtime)).toMatchObject({ ended: 'done', written: false });
  disk.refuses = () => false;
  expect(await trainFolder({ ...options, resume: true }, runtime)).toMatchObject({ ended: 'done', written: false });
  expect(await trainFolder(options, runtime)).toMatchObject({ written: true });
  expect(await trainFolder({ ...options, resume: true }, runtime)).toMatchObject({ written: true });
}, 60_000);
