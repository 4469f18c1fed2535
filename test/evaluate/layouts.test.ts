/** Data sets as they are published, as small made-up trees. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPictures, type Layout } from '../../src/evaluate/node/layouts.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-layouts-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Makes files (empty but for given text) and returns the path of the tree. */
function tree(name: string, files: readonly string[], texts: Record<string, string> = {}): string {
  for (const file of [...files, ...Object.keys(texts)]) {
    const place = path.join(root, name, file);
    mkdirSync(path.dirname(place), { recursive: true });
    writeFileSync(place, texts[file] ?? '');
  }
  return path.join(root, name);
}

const found = async (folder: string, layout?: Layout) => {
  const set = await findPictures(folder, layout);
  return { layout: set.layout, names: set.files.map((file) => file.name) };
};

const refusal = async (folder: string, layout?: Layout) => {
  const error = await findPictures(folder, layout).catch((e: Error) => e);
  return error instanceof Error ? error.message.replaceAll(root, 'ROOT') : 'accepted';
};

test('a plain folder: every picture below it, in natural order, hidden ones left out', async () => {
  const folder = tree('plain', ['b10.png', 'b9.png', 'sub/a.JPG', '.hidden.png', 'notes.txt']);
  expect(await found(folder)).toEqual({ layout: 'plain', names: ['b9.png', 'b10.png', 'sub/a.JPG'] });
});

test('of a folder with train and test, the test part', async () => {
  const folder = tree('split', ['train/a.png', 'test/b.png']);
  expect(await found(folder)).toEqual({ layout: 'plain', names: ['b.png'] });
});

test('CelebA: the test part of its official split', async () => {
  const pictures = ['img_align_celeba/000001.jpg', 'img_align_celeba/000002.jpg', 'img_align_celeba/000003.jpg'];
  const lines = '000001.jpg 0\r\n000002.jpg 2\r\n000003.jpg 1\r\n000004.jpg 2\r\n';
  const folder = tree('celeba', pictures, { 'list_eval_partition.txt': lines });
  expect(await found(folder)).toEqual({ layout: 'celeba', names: ['000002.jpg'] });
  expect(await found(path.join(folder, 'img_align_celeba'))).toEqual({ layout: 'celeba', names: ['000002.jpg'] });
});

test('CelebA as other sites pack it: a CSV file, one folder more', async () => {
  const csv = 'image_id,partition\n000001.jpg,0\n000007.jpg,2\n';
  const folder = tree('kaggle', ['img_align_celeba/img_align_celeba/000007.jpg'], { 'list_eval_partition.csv': csv });
  expect(await found(folder)).toEqual({ layout: 'celeba', names: ['000007.jpg'] });
});

test('Stanford Cars: the test pictures', async () => {
  const folder = tree('cars', ['cars_train/00001.jpg', 'cars_test/00002.jpg', 'devkit/x.txt']);
  expect(await found(folder)).toEqual({ layout: 'cars', names: ['00002.jpg'] });
});

test('LSUN: the validation part, folders in folders', async () => {
  const folder = tree('lsun', ['bedroom_train/0/a.webp', 'bedroom_val/3/f/b.webp']);
  expect(await found(folder)).toEqual({ layout: 'lsun', names: ['3/f/b.webp'] });
});

test('what is not there is said', async () => {
  const empty = tree('empty', ['notes.txt']);
  expect(await refusal(empty)).toMatchInlineSnapshot(
    `"ROOT/empty holds no pictures in the layout 'plain' (All pictures under the folder.)"`,
  );
  expect(await refusal(path.join(root, 'nowhere'))).toMatchInlineSnapshot(`"ROOT/nowhere is not a folder."`);
  expect(await refusal(empty, 'celeba')).toMatchInlineSnapshot(
    `"ROOT/empty holds no pictures in the layout 'celeba' (list_eval_partition.txt (or .csv) is expected in it, in Eval, or beside img_align_celeba.)"`,
  );
  expect(await refusal(tree('lmdb', ['church_val_lmdb/data.mdb']))).toMatchInlineSnapshot(
    `"ROOT/lmdb/church_val_lmdb is an LMDB database; export its pictures to files first (the LSUN tools: data.py export)."`,
  );
  expect(await refusal(tree('two', ['a_val/1.webp', 'b_val/1.webp']))).toMatchInlineSnapshot(
    `"ROOT/two holds several LSUN categories (a_val, b_val); name the folder of one."`,
  );
  expect(
    await refusal(tree('odd', ['img_align_celeba/1.jpg'], { 'list_eval_partition.txt': 'x' })),
  ).toMatchInlineSnapshot(
    `"ROOT/odd/list_eval_partition.txt names no pictures; its lines are expected to be like '000001.jpg 0'."`,
  );
});
