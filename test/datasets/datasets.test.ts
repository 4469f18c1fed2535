import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchOf, type Dataset, orderOf } from '../../src/datasets/dataset.ts';
import { groupsOf, heldOut, split } from '../../src/datasets/held-out.ts';
import { loadFolder } from '../../src/datasets/node/folder.ts';
import type { Image } from '../../src/images/image.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

/** Grey level of a pixel = its column, colour channels offset. */
function ramp(channels: number, height: number, width: number): Image {
  const data = Float32Array.from({ length: channels * height * width }, (_, i) => {
    const [column, channel] = [i % width, Math.floor(i / (height * width))];
    return (8 * column + 20 * channel) / 127.5 - 1;
  });
  return float32(data, [1, channels, height, width]);
}

let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'rgi-data-'));
  for (let i = 0; i < 3; i++) await writePicture(path.join(root, 'mvtec', 'train', 'good', `${i}.png`), ramp(1, 8, 8));
  await writePicture(path.join(root, 'mvtec', 'test', 'scratch', '0.png'), ramp(1, 8, 8));
  await writePicture(path.join(root, 'mixed', 'a10.png'), ramp(3, 16, 24));
  await writePicture(path.join(root, 'mixed', 'deeper', 'a2.png'), ramp(1, 8, 8));
  await writeFile(path.join(root, 'mixed', 'a3.png'), 'no picture');
  await writeFile(path.join(root, 'mixed', 'notes.txt'), 'no picture either');
});

afterAll(() => rm(root, { recursive: true }));

describe('a folder', () => {
  it("of MVTec's layout gives train/good only", async () => {
    const { dataset, folder } = await loadFolder(path.join(root, 'mvtec'), { size: 8 });
    expect(path.relative(root, folder)).toBe(path.join('mvtec', 'train', 'good'));
    expect(dataset).toMatchObject({ channels: 1, size: 8 });
    expect(dataset.pictures.map((p) => p.name)).toEqual(['0.png', '1.png', '2.png']);
    const { data } = batchOf(dataset, [1]);
    expect([...data.subarray(0, 8)].map((v) => Math.round((v + 1) * 127.5))).toEqual([0, 8, 16, 24, 32, 40, 48, 56]);
  });

  it('of mixed pictures: colour if one has colour, subfolders read, the broken one named, the rest used', async () => {
    const { dataset, broken } = await loadFolder(path.join(root, 'mixed'), { size: 8 });
    expect(dataset.channels).toBe(3);
    expect(dataset.pictures.map((p) => p.name)).toEqual(['a10.png', 'deeper/a2.png']);
    expect(broken.map((b) => path.basename(b.file))).toEqual(['a3.png']);
    expect(broken[0].reason).toMatch(/a3\.png is not a picture/);
  });

  it('without usable pictures is refused', async () => {
    await expect(loadFolder(path.join(root, 'nowhere'), { size: 8 })).rejects.toThrow(/is not a folder/);
    await expect(loadFolder(path.join(root, 'mvtec', 'test'), { size: 12 })).rejects.toThrow(/power of two/);
  });

  it('in crops: anywhere in the picture while training, the centre when measuring', async () => {
    const options = { size: 8, kind: 'crops', channels: 1 } as const;
    const { dataset } = await loadFolder(path.join(root, 'mixed'), options);
    const firstColumn = (image: Image) => image.data[0];
    expect(dataset.pictures[0]).toMatchObject({ height: 16, width: 24 });
    const seen = new Set(Array.from({ length: 300 }, (_, i) => firstColumn(batchOf(dataset, [0], randomFrom(i)))));
    expect(seen.size).toBe(17);
    const step = dataset.pictures[0].data[1] - dataset.pictures[0].data[0];
    const column = (firstColumn(batchOf(dataset, [0])) + 1) * 127.5 - dataset.pictures[0].data[0];
    expect(Math.round(column / step)).toBe(8);
  });
});

describe('batches', () => {
  it('take each picture once per pass, each pass in another order, as a function of the step alone', () => {
    const passOf = (pass: number) => Array.from({ length: 5 }, (_, s) => [...orderOf(20, 4, 5 * pass + s, 7)]).flat();
    const all = Array.from({ length: 20 }, (_, i) => i);
    for (const pass of [0, 1]) expect(passOf(pass).sort((a, b) => a - b)).toEqual(all);
    expect(passOf(0)).not.toEqual(passOf(1));
    // A batch over the end of a pass begins the next one.
    expect([...orderOf(6, 4, 1, 7)].slice(0, 2)).toEqual([...orderOf(6, 6, 0, 7)].slice(4));
    expect([...orderOf(6, 4, 1, 7)].slice(2)).toEqual([...orderOf(6, 6, 1, 7)].slice(0, 2));
  });

  it('mirror half of the pictures where that is wanted', () => {
    const row = Uint8Array.from({ length: 64 }, (_, i) => i % 8);
    const dataset: Dataset = {
      channels: 1,
      size: 8,
      mirror: true,
      pictures: [{ name: 'a', height: 8, width: 8, data: row }],
    };
    const first = (seed: number) => Math.round((batchOf(dataset, [0], randomFrom(seed)).data[0] + 1) * 127.5);
    const starts = Array.from({ length: 100 }, (_, i) => first(i));
    expect(new Set(starts)).toEqual(new Set([0, 7]));
    expect(starts.filter((v) => v === 7).length).toBeGreaterThan(30);
    expect(first(3)).toBe(first(3));
  });

  it('are of the pictures that are not held out', () => {
    const pictures = Array.from({ length: 10 }, (_, i) => ({
      name: `${i}`,
      height: 8,
      width: 8,
      data: new Uint8Array(64).fill(i),
    }));
    const { train, held } = split({ channels: 1, size: 8, mirror: false, pictures }, 3, 0);
    const names = [...train.pictures, ...held.pictures].map((p) => p.name);
    expect(held.pictures).toHaveLength(3);
    expect(names.sort()).toEqual(pictures.map((p) => p.name).sort());
    expect(() => split(train, 7, 0)).toThrow(/cannot spare 7/);
  });
});

describe('pictures held out', () => {
  it('are blocks of consecutive names, one in each quarter, the same for a seed', () => {
    const positions = heldOut(498, 25, 3);
    expect(positions).toEqual(heldOut(498, 25, 3));
    expect(positions).not.toEqual(heldOut(498, 25, 4));
    expect(new Set(positions).size).toBe(25);
    const blocks = positions.filter((position, i) => position !== positions[i - 1] + 1);
    expect(blocks.map((first) => Math.floor(first / 124.5))).toEqual([0, 1, 2, 3]);
    const sizes = blocks.map((first) => positions.filter((p) => Math.floor(p / 124.5) === Math.floor(first / 124.5)));
    expect(sizes.map((own) => own.length)).toEqual([6, 6, 6, 7]);
  });

  it('are as many as asked, of however few, as long as one is left', () => {
    for (let count = 1; count < 40; count++)
      for (let held = 0; held < count; held++) {
        const positions = heldOut(count, held, 1);
        expect(new Set(positions.filter((p) => p >= 0 && p < count)).size).toBe(held);
      }
    expect(() => heldOut(7, 7, 0)).toThrow('7 pictures cannot spare 7 for measuring; give more pictures.');
  });

  it('are whole groups where the names tell groups', () => {
    const names = Array.from({ length: 60 }, (_, i) => `p${Math.floor(i / 10)}_${i % 10}.png`);
    const pictures = names.map((name, i) => ({ name, height: 8, width: 8, data: new Uint8Array(64).fill(i) }));
    const { train, held } = split({ channels: 1, size: 8, mirror: false, pictures }, 12, 0);
    const groups = (part: Dataset) => new Set(part.pictures.map((picture) => picture.name.split('_')[0]));
    expect(held.pictures).toHaveLength(20);
    expect(groups(held).size).toBe(2);
    expect(groups(train).size).toBe(4);
    expect(groupsOf(['000.png', '001.png', '002.png', '003.png', '004.png'])).toBeUndefined();
    expect(groupsOf(['img_0.png', 'img_1.png', 'img_2.png', 'img_3.png', 'img_4.png'])).toBeUndefined();
    expect(groupsOf(['a/0.png', 'a/1.png', 'b/0.png', 'c/x 1.png', 'c/x 2.png', 'd-1.png'])).toEqual([
      0, 0, 1, 2, 2, 3,
    ]);
  });
});
