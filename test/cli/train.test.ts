import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { batchOf } from '../../src/datasets/dataset.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { readModel } from '../../src/onnx/read.ts';
import { randomFrom } from '../../src/random.ts';
import { tinyFeatureFile } from '../features/tiny.ts';
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

/** A small network of one layer in place of the one of the package, which takes its time. */
async function featureFile(): Promise<string> {
  const file = path.join(folder, 'features.onnx');
  await writeFile(file, tinyFeatureFile(32));
  return file;
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
    [['train', good, '--out', 'x.onnx', '--contaminated', '--without', 'y.csv'], /exclude each other/],
    [
      ['train', good, '--out', 'x.onnx', '--features', 'y.onnx'],
      /--features applies with --contaminated and --by folder/,
    ],
    [['train', good, '--out', 'x.onnx', '--contaminated', '--steps', '9'], /applies to the linear architecture/],
    [['train', good, '--out', 'x.onnx', '--contaminated', '--crops'], /does not apply with --crops/],
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

it('train --contaminated keeps the pictures of a clean folder, and shows those least like the others', async () => {
  const clean = path.join(folder, 'clean');
  const random = randomFrom(3);
  const good = stripes(12);
  for (const { name } of good.pictures) {
    const image = batchOf(good, [0]);
    for (let at = 0; at < image.data.length; at++) image.data[at] += 0.1 * random.normal();
    await writePicture(path.join(clean, name), image);
  }
  const out = path.join(folder, 'clean.onnx');
  const train = ['train', clean, '--out', out, '--size', '32'];
  const { code, err } = await rgi(...train, '--contaminated', '--features', await featureFile());
  expect(code).toBe(0);
  const list = path.join(folder, 'clean.training', 'suspects.csv');
  expect(err).toContain(`None of 12 pictures stands apart from the others; ${list} ranks them.`);
  const page = await readFile(path.join(folder, 'clean.training', 'index.html'), 'utf8');
  expect(page).toContain('Pictures least like the others');
  expect(page).toContain('No picture stands apart from the others, and none was left out.');
  expect(page).not.toContain('look defective');
  expect(page).not.toContain(', kept');
});

it('train --contaminated leaves out what looks defective and lists it; --without takes the corrected list; calibrate follows', async () => {
  const mixed = path.join(folder, 'mixed');
  const good = stripes(44);
  const random = randomFrom(7);
  for (const [i, { name }] of good.pictures.entries()) {
    // All are of one pattern; the last four have a chessboard in a corner.
    const image = batchOf(good, [0]);
    for (let at = 0; at < 64; at++)
      image.data[at] = i >= 40 && at < 32 && at % 8 < 4 ? 1 - 2 * (at % 2) : image.data[at] + 0.1 * random.normal();
    await writePicture(path.join(mixed, `${i >= 40 ? 'x' : 'g'}${name}`), image);
  }
  const out = path.join(folder, 'screened.onnx');
  const train = ['train', mixed, '--out', out, '--size', '32'];
  const screened = await rgi(...train, '--contaminated', '--features', await featureFile());
  expect(screened.code).toBe(0);
  const [, left] = /^(\d+) of 44 pictures look defective and were left out/m.exec(screened.err)!;
  const list = path.join(folder, 'screened.training', 'suspects.csv');
  const rows = (await readFile(list, 'utf8')).trim().split('\n');
  expect(rows).toHaveLength(45);
  expect(rows[0]).toBe('name,score,defective');
  expect(Number(left)).toBeGreaterThanOrEqual(4);
  expect(rows.slice(1, 5).map((row) => row[0])).toEqual(['x', 'x', 'x', 'x']);
  expect(rows.filter((row) => row.endsWith(',yes'))).toHaveLength(Number(left));
  const page = await readFile(path.join(folder, 'screened.training', 'index.html'), 'utf8');
  expect(page).toContain('Pictures that look defective');

  const calibrated = await rgi('calibrate', mixed, '-g', out, '--no-features');
  expect(calibrated.err).toContain(
    `note: ${left} pictures that training left out as defective were left out here, too.`,
  );

  const corrected = path.join(folder, 'corrected.csv');
  await writeFile(corrected, 'name,defective\nx40.png,yes\nx41.png,no\nx42.png,yes\n');
  const listed = await rgi(...train, '--without', corrected);
  expect(listed.err).toContain('2 of 44 pictures were left out, as the list says.');

  await writeFile(corrected, 'name,defective\nx40.png,perhaps\n');
  expect((await rgi(...train, '--without', corrected)).err).toContain(
    "says 'perhaps' of x40.png: defective must be yes or no.",
  );

  await writeFile(corrected, 'name\nnone.png\n');
  const unknown = await rgi(...train, '--without', corrected);
  expect([unknown.code, unknown.err]).toEqual([
    2,
    expect.stringContaining("names 'none.png', which is not among the 44 pictures"),
  ]);
}, 120_000);

it('train --by folder makes a model and a policy of each folder, and one page; a folder that cannot be used is named', async () => {
  const tree = path.join(folder, 'tree');
  const dataset = stripes(20);
  for (const product of ['bolts', 'nuts'])
    for (const [i, { name }] of dataset.pictures.entries())
      await writePicture(path.join(tree, product, name), batchOf(dataset, [i]));
  await mkdir(path.join(tree, 'empty'), { recursive: true });
  await mkdir(path.join(tree, 'spoilt'), { recursive: true });
  await writeFile(path.join(tree, 'spoilt', 'a.png'), 'no picture');
  const out = path.join(folder, 'models');
  const { code, err } = await rgi(
    'train',
    tree,
    '--by',
    'folder',
    '--out',
    out,
    '--size',
    '32',
    '--quiet',
    '--features',
    await featureFile(),
  );
  expect(code).toBe(4);
  expect(err).toMatch(/^error: .*spoilt: None of the 1 pictures in .* could be used/m);
  for (const product of ['bolts', 'nuts']) {
    const metadata = readModel(await readFile(path.join(out, `${product}.onnx`))).metadata;
    expect(Object.keys(JSON.parse(metadata.get('rgi.policies')!))).toEqual(['default']);
  }
  const page = await readFile(path.join(out, 'index.html'), 'utf8');
  for (const part of ['<h1>Products of tree</h1>', 'bolts', 'nuts', 'Folders without a model'])
    expect(page).toContain(part);
  expect((await rgi('train', tree, '--by', 'folder', '--out', out, '--minutes', '3')).err).toContain(
    '--minutes applies to one model: leave out --by folder',
  );
  expect((await rgi('train', tree, '--by', 'folder', '--out', 'x.onnx')).err).toMatch(/with --by folder give a folder/);
}, 120_000);
