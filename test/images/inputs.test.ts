import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandInputs } from '../../src/images/node/inputs.ts';

let root: string;
const put = (name: string, content = '') => {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), content);
};

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-inputs-'));
  for (const file of [
    'train/good/0.png',
    'test/good/0.png',
    'test/crack/0.png',
    'test/crack/1.jfif',
    'ground_truth/crack/0_mask.png',
  ])
    put(`part/${file}`);
  put('part/license.txt');
  for (const file of ['a.png', 'b.JPE', 'c.pgm', 'notes.txt', 'table.csv', 'more.csv', 'README', '.hidden.png'])
    put(`mixed/${file}`);
  put('mixed/deeper/still/d.ppm');
  put('mixed/found/a.composite.png');
  put('mixed/found/manifest.json', '{\n  "format": 1,\n  "versions": {\n    "rgi": "0.1.0" } }');
  put('mixed/data/e.png');
  put('mixed/data/manifest.json', '{ "name": "a data set with a manifest of its own" }');
  put('bare/readme.md');
});
afterAll(() => rmSync(root, { recursive: true }));

async function expanded(name: string, recursive = false) {
  const notes: string[] = [];
  const files = await expandInputs([path.join(root, name)], { recursive, onNote: (note) => notes.push(note) });
  const short = (text: string) => text.replaceAll(`${root}${path.sep}`, '').replaceAll(path.sep, '/');
  return { files: files.map((file) => `${short(file.path)} -> ${file.name}`), notes: notes.map(short) };
}

describe('a folder of pictures', () => {
  test('gives every format that is decoded; the rest is counted and named by its kind', async () => {
    expect(await expanded('mixed')).toEqual({
      files: ['mixed/a.png -> a', 'mixed/b.JPE -> b', 'mixed/c.pgm -> c'],
      notes: [
        'mixed: 4 files are not pictures and were skipped (2 .csv, 1 without an extension, 1 .txt).',
        'mixed: 2 more pictures are in folders in it, which are searched with --recursive only.',
      ],
    });
  });

  test('is searched below where that is asked for, but for results of earlier runs', async () => {
    expect(await expanded('mixed', true)).toEqual({
      files: [
        'mixed/a.png -> a',
        'mixed/b.JPE -> b',
        'mixed/c.pgm -> c',
        'mixed/data/e.png -> e',
        'mixed/deeper/still/d.ppm -> d',
      ],
      notes: [
        'mixed: 5 files are not pictures and were skipped (2 .csv, 1 without an extension, 1 .json, 1 .txt).',
        'mixed/found holds the results of a run and was skipped.',
      ],
    });
  });

  test("of MVTec's layout: the folders of test/; of the whole set, test/ alone", async () => {
    const files = ['part/test/crack/0.png -> crack_0', 'part/test/crack/1.jfif -> 1', 'part/test/good/0.png -> good_0'];
    const below = 'part/test: its 3 pictures are from the folders in it.';
    expect(await expanded('part/test')).toEqual({ files, notes: [below] });
    expect(await expanded('part')).toEqual({
      files,
      notes: ['part is a data set: the pictures of part/test are taken.', below],
    });
  });

  test('without pictures says what it holds instead', async () => {
    await expect(expanded('bare')).rejects.toThrow(
      /bare holds no pictures, nor do the folders in it\. .*bare: 1 file is not a picture and was skipped \(1 \.md\)\.$/,
    );
  });

  test('a pattern of many stars is no slower than one star', async () => {
    put(`stars/${'a'.repeat(60)}.png`);
    const started = performance.now();
    await expect(expanded(`stars/${'*'.repeat(40)}b`)).rejects.toThrow(/^No picture matches/);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
