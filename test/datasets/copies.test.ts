/** Pictures of equal content never stand on both sides of a split, and limits count what remains. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StoredPicture } from '../../src/datasets/dataset.ts';
import { contentsOf, copiesSentence, heldOutApart, heldOutOf, joined, split } from '../../src/datasets/held-out.ts';
import { loadFolder } from '../../src/datasets/node/folder.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { float32 } from '../../src/onnx/tensor.ts';

const picture = (name: string, content: number): StoredPicture => ({
  name,
  height: 1,
  width: 2,
  data: Uint8Array.of(content, 255 - content),
});

describe('equal pictures', () => {
  test('are found by their bytes, not by their hash or their name', () => {
    expect(contentsOf([picture('a', 1), picture('b', 2), picture('c', 1)])).toEqual([0, 1, 0]);
    expect(contentsOf([picture('a', 1), { ...picture('b', 1), height: 2, width: 1 }])).toEqual([0, 1]);
    expect(copiesSentence([0, 1])).toBeUndefined();
    expect(copiesSentence([0, 1, 0])).toBe(
      '3 pictures are only 2 different ones; copies stay together, so that no training picture is used for measuring.',
    );
  });

  test('stay on one side, whatever their names and numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ content: fc.nat(12), group: fc.nat(5) }), { minLength: 20, maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(100),
        fc.boolean(),
        (made, held, seed, named) => {
          const pictures = made.map(({ content, group }, i) => picture(named ? `g${group}_${i}` : `${i}`, content));
          const distinct = new Set(made.map(({ content }) => content)).size;
          fc.pre(distinct > held);
          const parts = split({ channels: 1, size: 1, pictures, mirror: false }, held, seed);
          const bytes = (part: { pictures: readonly StoredPicture[] }) =>
            new Set(part.pictures.map((one) => one.data[0]));
          expect([...bytes(parts.held)].filter((content) => bytes(parts.train).has(content))).toEqual([]);
          expect(parts.held.pictures.length).toBeGreaterThanOrEqual(held);
          expect(parts.train.pictures.length + parts.held.pictures.length).toBe(pictures.length);
        },
      ),
    );
  });

  test('where all differ, the split is what it was', () => {
    const names = Array.from({ length: 40 }, (_, i) => `${i}`);
    expect(heldOutApart(names, names, 8, 3)).toEqual(heldOutOf(names, 8, 3));
    expect(joined(names)).toBeUndefined();
    expect(joined(['a', 'b', 'c'], [0, 0, 1])).toEqual([0, 0, 1]);
    expect(joined(['a', 'b', 'a', 'c'], [0, 1, 2, 1])).toEqual([0, 1, 0, 1]);
  });

  test('twenty copies of one picture cannot be split', () => {
    const names = Array.from({ length: 20 }, (_, i) => `${i}`);
    expect(() =>
      heldOutApart(
        names,
        names.map(() => 0),
        8,
        0,
      ),
    ).toThrow('The 20 pictures are only 1 different ones: they cannot spare 8 for measuring; give more pictures.');
  });
});

describe('a limit', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'rgi-copies-'));
    mkdirSync(path.join(folder, 'in'));
    for (let i = 0; i < 12; i++) {
      const file = path.join(folder, 'in', `${i}.png`);
      if (i % 3 === 0) writeFileSync(file, 'no picture');
      else await writePicture(file, float32(new Float32Array(64).fill(i / 12), [1, 1, 8, 8]));
    }
    copyFileSync(path.join(folder, 'in', '1.png'), path.join(folder, 'notes.txt'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('counts pictures that can be used', async () => {
    const { dataset, broken } = await loadFolder(folder, { size: 8, limit: 6 });
    expect(dataset.pictures).toHaveLength(6);
    expect(broken.length).toBeGreaterThan(0);
    const all = await loadFolder(folder, { size: 8 });
    expect(all.dataset.pictures).toHaveLength(8);
    expect(all.notes.map((note) => note.replaceAll(folder, 'F'))).toEqual([
      'F: 1 file is not a picture and was skipped (1 .txt).',
    ]);
  });

  test('counts those that count; the others that were read are given, in order', async () => {
    const counts = ({ name }: StoredPicture) => name === 'in/11.png' || name === 'in/10.png';
    const { dataset } = await loadFolder(folder, { size: 8, limit: 2, counts });
    expect(dataset.pictures.filter(counts)).toHaveLength(2);
    const numbers = dataset.pictures.map(({ name }) => Number(/\d+/.exec(name)![0]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });
});
