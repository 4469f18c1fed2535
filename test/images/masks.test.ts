import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Picture, readMask, readPicture } from '../../src/images/node/read.ts';
import { writeNpyFile } from '../../src/images/node/write.ts';
import { float32, tensorOf } from '../../src/onnx/tensor.ts';

const SIDE = 8;
let folder: string;
let picture: Picture;
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-masks-'));
  await grey('p.png', () => 100);
  picture = await readPicture(at('p.png'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function grey(name: string, value: (i: number) => number, bits: 8 | 16 = 8): Promise<string> {
  const values = Array.from({ length: SIDE * SIDE }, (_, i) => value(i));
  const raw = { raw: { width: SIDE, height: SIDE, channels: 1 as const } };
  const image =
    bits === 8 ? sharp(Uint8Array.from(values), raw) : sharp(Uint16Array.from(values), raw).toColourspace('grey16');
  await image.png().toFile(at(name));
  return at(name);
}

async function read(file: string, labels?: boolean) {
  const doubts: string[] = [];
  const options = { ...(labels ? { labels } : {}), onDoubt: (doubt: string) => doubts.push(doubt) };
  const { data } = await readMask(file, picture, options);
  const told = doubts.map((doubt) => doubt.replaceAll(`${folder}${path.sep}`, ''));
  return { masked: data.reduce((sum: number, v) => sum + v, 0), doubts: told };
}

/** The first 16 of 64 pixels have the value. */
const first =
  (value: number, rest = 0) =>
  (i: number) =>
    i < 16 ? value : rest;

describe('a mask is white where the picture is corrupted', () => {
  test('0 and 255, in 8 bits and 16, and smooth edges: no doubt', async () => {
    expect(await read(await grey('m.png', first(255)))).toEqual({ masked: 16, doubts: [] });
    expect(await read(await grey('m16.png', first(65535), 16))).toEqual({ masked: 16, doubts: [] });
    const edge = (i: number) => (i < 16 ? 255 : i === 16 ? 128 : i < 19 ? 60 : 0);
    expect(await read(await grey('edge.png', edge))).toEqual({ masked: 17, doubts: [] });
  });

  test('labels 0 and 1, or a few others below mid-grey, are understood, and it is said', async () => {
    const said = (name: string, values: string, white: number) => [
      `The mask ${name} holds the values ${values} of ${white}: it is read as labels, all but 0 being corrupted.`,
    ];
    expect(await read(await grey('one.png', first(1)))).toEqual({ masked: 16, doubts: said('one.png', '0, 1', 255) });
    expect(await read(await grey('some.png', (i) => (i < 16 ? 1 + (i % 3) : 0)))).toEqual({
      masked: 16,
      doubts: said('some.png', '0, 1, 2, 3', 255),
    });
    expect(await read(await grey('wide.png', first(255), 16))).toEqual({
      masked: 16,
      doubts: said('wide.png', '0, 255', 65535),
    });
    const half = float32(
      Float32Array.from({ length: 64 }, (_, i) => first(0.25)(i)),
      [SIDE, SIDE],
    );
    await writeNpyFile(at('half.npy'), half);
    expect(await read(at('half.npy'))).toEqual({ masked: 16, doubts: said('half.npy', '0, 0.25', 1) });
  });

  test('arrays of labels 0 and 1, of truth values, of 0 and 255', async () => {
    for (const [type, value] of [
      ['uint8', 1],
      ['bool', 1],
      ['int64', 1],
      ['uint8', 255],
    ] as const) {
      await writeNpyFile(
        at('a.npy'),
        tensorOf(
          type,
          Array.from({ length: 64 }, (_, i) => first(value)(i)),
          [SIDE, SIDE],
        ),
      );
      expect(await read(at('a.npy')), type).toEqual({ masked: 16, doubts: [] });
    }
  });

  test('where the layout says that masks are labels, every value but 0 is masked without a word', async () => {
    expect(await read(await grey('visa.png', (i) => (i < 8 ? 1 : i < 16 ? 200 : 0)), true)).toEqual({
      masked: 16,
      doubts: [],
    });
  });

  test('values on both sides of mid-grey that may be labels are doubted', async () => {
    expect(await read(await grey('void.png', (i) => (i < 8 ? 255 : i < 16 ? 1 : 0)))).toEqual({
      masked: 8,
      doubts: [
        'The mask void.png holds the values 0, 1, 255 of 255: those up to mid-grey are read as good. If they are labels, save it with 255 for all of them.',
      ],
    });
  });

  test('a dark picture is no mask, nor is an array of other numbers', async () => {
    await expect(read(await grey('dark.png', (i) => i))).rejects.toThrow(
      'dark.png has no value above mid-grey, and too many below it to be labels; save it with 255 where the picture is corrupted and 0 elsewhere.',
    );
    await writeNpyFile(at('nan.npy'), float32(new Float32Array(64).fill(Number.NaN), [SIDE, SIDE]));
    await expect(read(at('nan.npy'))).rejects.toThrow('nan.npy holds NaN; its values are 0 (good) and 1 (corrupted).');
  });

  test('emptiness, fullness and polarity are doubted aloud', async () => {
    expect((await read(await grey('empty.png', () => 0))).doubts).toEqual([
      'The mask empty.png is empty: nothing is marked as corrupted (white is).',
    ]);
    expect((await read(await grey('full.png', () => 255))).doubts).toEqual([
      'The mask full.png is full: everything is marked as corrupted (white is).',
    ]);
    expect((await read(await grey('inverted.png', first(0, 255)))).doubts).toEqual([
      'The mask inverted.png marks 75% of the picture as corrupted: white means corrupted; invert it if black is meant.',
    ]);
  });
});
