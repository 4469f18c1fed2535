/** Lists of pictures: folders, patterns, manifests and their parts, listed one by one. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  countPictures,
  type ListedPicture,
  openPictureList,
  shardIndex,
  shardOf,
} from '../../src/images/node/listing.ts';

let root: string;
const at = (name: string) => path.join(root, name);
const put = (name: string, content = '') => {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
};
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-list-'));
  for (const name of [
    'a10.png',
    'a2.png',
    'b.png',
    'b.jpg',
    'notes.txt',
    '.hidden.png',
    'sub/a2.png',
    'sub/deep/c.tif',
  ])
    put(`pictures/${name}`);
  put('pictures/run/journal.jsonl');
  put('pictures/run/a2.restored.png');
  put('pictures/out/a2.mask.png');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function listed(named: string, out = at('elsewhere')): Promise<ListedPicture[]> {
  const pictures: ListedPicture[] = [];
  for await (const picture of (await openPictureList(named, out)).pictures()) pictures.push(picture);
  return pictures;
}
const names = async (named: string, out?: string) => (await listed(named, out)).map(({ name }) => name);

describe('a folder', () => {
  test('gives all below it in natural order, without hidden files, results of runs, and --out', async () => {
    expect(await names(at('pictures'), at('pictures/out'))).toEqual([
      'a2',
      'a10',
      'b_jpg',
      'b_png',
      'sub/a2',
      'sub/deep/c',
    ]);
  });

  test('is not its own --out', async () => {
    await expect(openPictureList(at('pictures'), at('pictures'))).rejects.toThrow(
      `--out ${at('pictures')} is the folder of the pictures; take another, or one below it.`,
    );
  });
});

describe('a pattern', () => {
  test.each([
    ['*.png', ['a2', 'a10', 'b_png']],
    ['**/a2.png', ['a2', 'sub/a2']],
    ['*/a2.*', ['sub/a2']],
    ['**/*.{tif,jpg}', ['b_jpg', 'sub/deep/c']],
    ['A?.PNG', ['a2']],
  ])('%s', async (pattern, expected) => {
    expect(await names(path.join(at('pictures'), pattern), at('pictures/out'))).toEqual(expected);
  });

  test('of a folder that is not there says so', async () => {
    await expect(listed(at('nowhere/*.png'))).rejects.toThrow(
      `No picture matches ${at('nowhere/*.png')}: there is no folder ${at('nowhere')}.`,
    );
    await expect(listed(at('nowhere.png'))).rejects.toThrow(`${at('nowhere.png')} does not exist.`);
  });
});

describe('a manifest', () => {
  test('is CSV: a header in any order, quotes, names and masks, paths from its folder on', async () => {
    put(
      'lists/list.csv',
      '\ufeffName, PATH ,mask,comment\r\n,../pictures/a2.png,,x\r\nfaces/"one",b.png,m.png,\n"two, too",c/d.png,,"a\nb"\n',
    );
    const pictures = await listed(at('lists/list.csv'));
    expect(pictures).toEqual([
      { path: at('pictures/a2.png'), name: at('pictures/a2').slice(1) },
      { path: at('lists/b.png'), name: 'faces/"one"', mask: at('lists/m.png') },
      { path: at('lists/c/d.png'), name: 'two, too' },
    ]);
  });

  test('is JSON lines: objects or paths; a row that is none is named and the others are used', async () => {
    put('lists/list.jsonl', '"a.png"\n{"path":"b.png","name":"bee","keep":null}\n{"name":"c"}\nno\n{"path":"x/d.png"}');
    const pictures = await listed(at('lists/list.jsonl'));
    expect(pictures.map(({ name, error }) => error?.message ?? name)).toEqual([
      'a',
      'bee',
      `${at('lists/list.jsonl')}, row 3, names no picture: write an object with a path, such as {"path":"a.png"}, or the path alone in quotes.`,
      `${at('lists/list.jsonl')}, row 4, names no picture: write an object with a path, such as {"path":"a.png"}, or the path alone in quotes.`,
      'x/d',
    ]);
  });

  test('gives no name that leads out of the results, and no picture that lies among them', async () => {
    const outside = ['../a', '/a', 'a/../b', 'a//b', '.rgi', 'a\\b', 'c:a', 'a/'];
    put('lists/bad.jsonl', outside.map((name) => JSON.stringify({ path: 'p.png', name })).join('\n'));
    const pictures = await listed(at('lists/bad.jsonl'));
    expect(pictures.map(({ name }) => name)).toEqual(outside.map((_, i) => `row-${i + 1}`));
    expect(pictures[0].error?.message).toBe(
      `${at('lists/bad.jsonl')}, row 1: '../a' is no name for results; it is a relative path of which no part is empty or begins with a point, without \\ and colons.`,
    );
    put('lists/own.csv', 'path\nout/a.restored.png\n');
    const [own] = await listed(at('lists/own.csv'), at('lists/out'));
    expect(own.error?.message).toBe(
      `${at('lists/own.csv')}, row 2: out/a.restored.png lies in --out, among the results.`,
    );
  });

  test('without the column says what it needs', async () => {
    put('lists/without.csv', 'file\na.png\n');
    await expect(listed(at('lists/without.csv'))).rejects.toThrow(
      `${at('lists/without.csv')} has no column 'path': its first line names the columns, such as path,name.`,
    );
  });

  test('of a hundred thousand rows is read row by row', async () => {
    put('lists/long.csv', `path\n${Array.from({ length: 100_000 }, (_, i) => `p/${i}.png\n`).join('')}`);
    const list = await openPictureList(at('lists/long.csv'), at('elsewhere'));
    expect(await countPictures(list)).toBe(100_000);
    // What is left in the middle is not read on.
    for await (const { name } of list.pictures()) if (name === 'p/3') break;
  });
});

describe('parts of a list', () => {
  test('are disjoint, together the list, and each keeps its pictures when the list grows', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (all, count) => {
          const parts = all.map((name) => shardIndex(name, count));
          expect(parts.every((part) => Number.isInteger(part) && part >= 0 && part < count)).toBe(true);
          // A function of the name alone.
          expect([...all].reverse().map((name) => shardIndex(name, count))).toEqual([...parts].reverse());
        },
      ),
    );
  });

  test('are of about one size', () => {
    const sizes = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) sizes[shardIndex(`line3/${i}`, 4)]++;
    // Binomial with p = 1/4: five standard deviations are 217.
    for (const size of sizes) expect(Math.abs(size - 2500)).toBeLessThan(217);
  });

  test('list what is theirs, in the order of the list', async () => {
    const list = await openPictureList(at('pictures'), at('pictures/out'));
    const all = await names(at('pictures'), at('pictures/out'));
    const parts = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const part: string[] = [];
        for await (const { name } of shardOf(list, { index, count: 3 }).pictures()) part.push(name);
        return part;
      }),
    );
    expect(parts.flat().sort()).toEqual([...all].sort());
    expect(parts).toEqual([0, 1, 2].map((index) => all.filter((name) => shardIndex(name, 3) === index)));
  });
});
