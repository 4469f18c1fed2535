import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { batchOf } from '../../src/datasets/dataset.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { readModel } from '../../src/onnx/read.ts';
import { stripes } from '../gan/support.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-cli-train-'));
  const dataset = stripes(20);
  for (const [i, { name }] of dataset.pictures.entries())
    await writePicture(path.join(folder, 'good', name), batchOf(dataset, [i]));
});

afterAll(() => rm(folder, { recursive: true }));

async function rgi(...argv: string[]) {
  return rgiUntil(new AbortController().signal, ...argv);
}

async function rgiUntil(signal: AbortSignal, ...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    out: (text: string) => out.push(text),
    err: (text: string) => err.push(text),
    terminal: false,
    colour: false,
    signal,
    worker: false,
  };
  const code = await run(argv, io);
  return { code, out: out.join(''), err: err.join('') };
}

it('train --architecture linear writes a generator and its encoder in seconds, and says how good they are', async () => {
  const out = path.join(folder, 'linear.onnx');
  const argv = ['train', path.join(folder, 'good'), '--out', out, '--size', '32', '--architecture', 'linear'];
  const { code, err } = await rgi(...argv, '--latent', '3');
  expect(code).toBe(0);
  expect(err).toMatch(/Held-out pictures: coverage \d\d\.\d dB/);
  // The page that is named is there.
  const [, page] = err.match(/^Samples and spectrum: (.*)$/m)!;
  const text = await readFile(page, 'utf8');
  for (const part of ['<h1>Training linear.onnx</h1>', '<dd>12 for training, 8 held out</dd>', '<figcaption>Spectrum'])
    expect(text).toContain(part);
  const model = readModel(await readFile(out));
  expect(JSON.parse(model.metadata.get('rgi.latent')!)).toEqual({ input: 'z', shape: [3], law: 'normal' });
  expect(Object.keys(JSON.parse(model.metadata.get('rgi.companions')!))).toEqual(['encoder']);

  const picture = path.join(folder, 'good', '0.png');
  const restored = path.join(folder, 'restored');
  const search = ['restore', picture, '--generator', out, '--fit', 'stretch', '--steps', '8', '--out', restored];
  const found = await rgi(...search);
  expect(found.code).toBe(0);
  expect(found.err).toContain(
    'note: The generator is linear in its latents: the best ones are computed, not searched for. --steps has no effect.',
  );
  // It has no starts that an encoder could provide.
  expect(found.err).not.toContain('encoder');
  const told = await rgi('inspect', out);
  expect(told.out).toMatch(/'z' \[3\], N\(0,1\) \(from the file's metadata\)/);
  expect(told.out).toMatch(/trained {5}by rgi train: linear, 12 pictures of 'good', 8 held out/);
}, 120_000);

it('train: wrong uses are one sentence and exit code 2', async () => {
  const good = path.join(folder, 'good');
  const cases: [string[], RegExp][] = [
    [['train', good, '--out', 'x.pt'], /give a file name ending in \.onnx/],
    [['train', good, '--out', 'x.onnx', '--size', '48'], /one of 32, 64, 128, 256/],
    [['train', good, '--out', 'x.onnx', '--scale', '2'], /--scale applies to --crops only/],
    [['train', good, '--out', 'x.onnx', '--architecture', 'linear', '--steps', '9'], /--steps does not apply with/],
    [['train', path.join(folder, 'none'), '--out', 'x.onnx'], /is not a folder/],
    [['train', good], /required option.*--out/i],
  ];
  for (const [argv, message] of cases) {
    const { code, err } = await rgi(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  }
});

it('train, interrupted while it reads the pictures, says that no file was changed, and exits 3', async () => {
  const argv = ['train', path.join(folder, 'good'), '--out', path.join(folder, 'never.onnx')];
  const { code, err } = await rgiUntil(AbortSignal.abort(), ...argv);
  expect(code).toBe(3);
  expect(err).toBe('Stopped before the first step; no file was changed.\n');
});
