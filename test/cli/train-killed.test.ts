import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { batchOf } from '../../src/datasets/dataset.ts';
import { readCheckpoint } from '../../src/gan/checkpoint.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { stripes } from '../gan/support.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-cli-killed-'));
  const dataset = stripes(20);
  for (const [i, { name }] of dataset.pictures.entries())
    await writePicture(path.join(folder, 'good', name), batchOf(dataset, [i]));
});

afterAll(() => rm(folder, { recursive: true }));

const argvOf = (out: string) => [
  ...[
    'train',
    path.join(folder, 'good'),
    '--out',
    path.join(folder, out, 'model.onnx'),
    '--size',
    '32',
    '--width',
    '2',
  ],
  ...['--latent', '3', '--held', '2', '--steps', '4', '--threads', '1', '--resume'],
];

const checkpointOf = async (out: string) =>
  readCheckpoint(await readFile(path.join(folder, out, 'model.training', 'checkpoint.npz')));

/** The program as a process; killed `delay` ms after it has said what it measured first. */
async function killed(out: string, delay: number): Promise<void> {
  const program = path.join(import.meta.dirname, '../../src/cli/main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...argvOf(out)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.once('data', () => setTimeout(() => child.kill('SIGKILL'), delay));
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
}

async function finished(out: string): Promise<number> {
  const io = {
    out: () => {},
    err: () => {},
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  return run(argvOf(out), io);
}

it('train, killed twice and resumed, ends with the bits and curves of a run that was not, and leaves no rest', async () => {
  expect(await finished('whole')).toBe(0);
  // At once: while pictures and models of the first measurement are being written. Later: in the midst of what follows.
  await killed('killed', 0);
  await killed('killed', 150);
  expect(await finished('killed')).toBe(0);
  const [{ state, record }, whole] = [await checkpointOf('killed'), await checkpointOf('whole')];
  expect({ ...record, seconds: 0 }).toEqual({ ...whole.record, seconds: 0 });
  expect(state.step).toBe(4);
  for (const [name, tensor] of whole.state.tensors) expect(state.tensors.get(name)!.data, name).toEqual(tensor.data);
  const names = await readdir(path.join(folder, 'killed'), { recursive: true });
  expect(names.sort()).toEqual((await readdir(path.join(folder, 'whole'), { recursive: true })).sort());
}, 240_000);
