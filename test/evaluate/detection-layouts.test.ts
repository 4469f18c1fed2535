/** Sets to detect defects on, as they are published, as small made-up trees. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findDetectionSet } from '../../src/evaluate/node/detection-layouts.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-sets-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const place = (...parts: string[]) => path.join(root, ...parts);
const put = (file: string, content = '') => {
  mkdirSync(path.dirname(place(file)), { recursive: true });
  writeFileSync(place(file), content);
};

const found = async (name: string) => {
  const { layout, train, test: tested } = await findDetectionSet(place(name));
  const short = tested.map(({ name: file, defect, mask }) => [file, defect, mask && path.relative(place(name), mask)]);
  return { layout, train: train.map((file) => file.name), test: short };
};

test('MVTec AD', async () => {
  for (const file of ['train/good/000.png', 'test/good/000.png', 'test/hole/000.png', 'ground_truth/hole/000_mask.png'])
    put(`mvtec/${file}`);
  expect(await found('mvtec')).toEqual({
    layout: 'mvtec',
    train: ['000.png'],
    test: [
      ['good/000.png', 'good', undefined],
      ['hole/000.png', 'hole', 'ground_truth/hole/000_mask.png'],
    ],
  });
});

test('BTAD', async () => {
  for (const file of ['train/ok/0.bmp', 'test/ok/1.bmp', 'test/ko/2.bmp', 'ground_truth/ko/2.png']) put(`btad/${file}`);
  expect(await found('btad')).toEqual({
    layout: 'btad',
    train: ['0.bmp'],
    test: [
      ['ok/1.bmp', 'good', undefined],
      ['ko/2.bmp', 'ko', 'ground_truth/ko/2.png'],
    ],
  });
});

test('VisA, by its official split', async () => {
  const rows = [
    'object,split,label,image,mask',
    'candle,train,normal,candle/Data/Images/Normal/0000.JPG,',
    'candle,test,normal,candle/Data/Images/Normal/0001.JPG,',
    'candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png',
    'cashew,train,normal,cashew/Data/Images/Normal/0000.JPG,',
  ];
  put('visa/split_csv/1cls.csv', rows.join('\r\n'));
  put('visa/candle/Data/Images/Normal/0000.JPG');
  expect(await found('visa/candle')).toEqual({
    layout: 'visa',
    train: ['Data/Images/Normal/0000.JPG'],
    test: [
      ['Data/Images/Normal/0001.JPG', 'good', undefined],
      ['Data/Images/Anomaly/000.JPG', 'anomaly', 'Data/Masks/Anomaly/000.png'],
    ],
  });
});

test('plain folders: with a test part, and without', async () => {
  for (const file of ['train/a.png', 'test/good/b.png', 'test/dent/c.png', 'masks/dent/c.png']) put(`plain1/${file}`);
  expect(await found('plain1')).toEqual({
    layout: 'plain',
    train: ['a.png'],
    test: [
      ['good/b.png', 'good', undefined],
      ['dent/c.png', 'dent', 'masks/dent/c.png'],
    ],
  });
  const many = Array.from({ length: 20 }, (_, i) => `good/${i}.png`);
  for (const file of [...many, 'bad/x.png', 'masks/x.png']) put(`plain2/${file}`);
  const { layout, train, test: tested } = await found('plain2');
  expect(layout).toBe('plain');
  expect([train.length, tested.length]).toEqual([16, 5]);
  const good = tested.slice(0, 4).map(([name]) => name);
  expect([...train, ...good].sort()).toEqual(many.map((file) => path.basename(file)).sort());
  expect(tested[4]).toEqual(['x.png', 'defect', 'masks/x.png']);
});

test('what is not there is said', async () => {
  const refusal = async (name: string) => {
    const error = await findDetectionSet(place(name)).catch((e: Error) => e);
    return error instanceof Error ? error.message.replaceAll(root, 'ROOT') : 'accepted';
  };
  put('untested/train/good/0.png');
  mkdirSync(place('untested/test'));
  put('unsplit/candle/Data/Images/Normal/0000.JPG');
  mkdirSync(place('empty'));
  expect(await refusal('nowhere')).toMatchInlineSnapshot(`"ROOT/nowhere is not a folder."`);
  expect(await refusal('empty')).toMatchInlineSnapshot(
    `"ROOT/empty holds no good pictures to learn from in the layout 'plain'. A plain set: train/ with test/good and test/DEFECT, or good/ and defect/; masks in masks/, named as their pictures."`,
  );
  expect(await refusal('untested')).toMatchInlineSnapshot(
    `"ROOT/untested holds no pictures to test in the layout 'mvtec'. MVTec AD: train/good, test/good, test/DEFECT, ground_truth/DEFECT/NAME_mask.png."`,
  );
  expect(await refusal('unsplit/candle')).toMatchInlineSnapshot(
    `"ROOT/unsplit/candle: its official split, split_csv/1cls.csv, is neither in it nor beside it."`,
  );
});
