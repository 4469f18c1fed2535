/**
 * Pictures to evaluate detection on: MVTec AD, BTAD, VisA and plain folders. Training pictures are good ones; a test picture
 * is 'good' or has the name of its defect, and a mask where one is there.
 */
import path from 'node:path';
import { heldOut } from '../../datasets/held-out.ts';
import { fileError, RgiError } from '../../errors.ts';
import { isFolder, readTextIfThere } from '../../files/node/regular.ts';
import { passedOver, treeOf } from '../../images/node/walk.ts';
import { GOOD } from '../detect/results.ts';
import { type DataFile, picturesUnder } from './layouts.ts';

export const DETECTION_LAYOUTS = ['auto', 'mvtec', 'btad', 'visa', 'plain'] as const;

export type DetectionLayout = (typeof DETECTION_LAYOUTS)[number];

export interface Sample extends DataFile {
  /** 'good', or the kind of defect. */
  readonly defect: string;
  readonly mask?: string;
}

export interface DetectionSet {
  readonly name: string;
  readonly layout: Exclude<DetectionLayout, 'auto'>;
  readonly train: readonly DataFile[];
  /** Good ones first, then defect by defect. */
  readonly test: readonly Sample[];
  /** Masks are label images: all but 0 is defect. */
  readonly labels: boolean;
  readonly about: string;
  /** What was passed over, one sentence each. */
  readonly notes: readonly string[];
}

type Found = Pick<DetectionSet, 'train' | 'test' | 'about'>;

/** Throws `input` where the folder is not such a set. */
export async function findDetectionSet(folder: string, layout: DetectionLayout = 'auto'): Promise<DetectionSet> {
  if (!(await isFolder(folder))) throw fileError(folder, 'not-a-folder', `${folder} is not a folder.`);
  const wanted = layout === 'auto' ? await layoutOf(folder) : layout;
  const found = await READERS[wanted](folder);
  const test = [
    ...found.test.filter((sample) => sample.defect === GOOD),
    ...found.test.filter((sample) => sample.defect !== GOOD),
  ];
  const missing =
    found.train.length === 0 ? 'good pictures to learn from' : test.length === 0 ? 'pictures to test' : undefined;
  if (missing) {
    throw new RgiError('input', `${folder} holds no ${missing} in the layout '${wanted}'. ${found.about}`, {
      file: folder,
    });
  }
  const notes = passedOver(folder, await treeOf(folder));
  return {
    name: path.basename(path.resolve(folder)),
    layout: wanted,
    labels: wanted === 'visa',
    ...found,
    test,
    notes,
  };
}

async function layoutOf(folder: string): Promise<Exclude<DetectionLayout, 'auto'>> {
  const has = (...parts: string[]) => isFolder(path.join(folder, ...parts));
  if ((await has('train', 'good')) && (await has('test'))) return 'mvtec';
  if ((await has('train', 'ok')) && (await has('test'))) return 'btad';
  if (await has('Data', 'Images')) return 'visa';
  return 'plain';
}

const READERS: Readonly<Record<Exclude<DetectionLayout, 'auto'>, (folder: string) => Promise<Found>>> = {
  mvtec: async (folder) => ({
    ...(await split(folder, ['train', 'good'], 'good', 'ground_truth')),
    about: 'MVTec AD: train/good, test/good, test/DEFECT, ground_truth/DEFECT/NAME_mask.png.',
  }),
  btad: async (folder) => ({
    ...(await split(folder, ['train', 'ok'], 'ok', 'ground_truth')),
    about: 'BTAD: train/ok, test/ok, test/ko, ground_truth/ko/NAME.png.',
  }),
  visa,
  plain,
};

/** train/GOOD, test/GOOD, test/DEFECT, with masks below `truth`. */
async function split(
  folder: string,
  train: readonly string[],
  good: string,
  truth: string,
): Promise<Omit<Found, 'about'>> {
  const masks = await masksUnder(path.join(folder, truth));
  const test = await under(folder, 'test');
  return {
    train: await under(folder, ...train),
    test: test.map((file) => sampleOf(file, good, masks)),
  };
}

function sampleOf(file: DataFile, good: string, masks: ReadonlyMap<string, string>): Sample {
  const [first] = file.name.split('/');
  const defect = first === good || first === GOOD ? GOOD : first === file.name ? 'defect' : first;
  const stem = file.name.replace(/\.[^./]*$/, '');
  const mask = defect === GOOD ? undefined : maskFor(stem, masks);
  return { ...file, defect, ...(mask === undefined ? {} : { mask }) };
}

/** VisA as published: Data/Images/Normal and Anomaly, Data/Masks/Anomaly, and the official split in split_csv/1cls.csv. */
async function visa(folder: string): Promise<Found> {
  const about =
    'VisA: Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly, and split_csv/1cls.csv beside or in it.';
  const category = path.basename(path.resolve(folder));
  const texts = await Promise.all(
    [folder, path.join(folder, '..')].map((place) => readTextIfThere(path.join(place, 'split_csv', '1cls.csv'))),
  );
  const text = texts.find((one) => one !== undefined);
  if (text === undefined) {
    throw new RgiError('input', `${folder}: its official split, split_csv/1cls.csv, is neither in it nor beside it.`, {
      file: folder,
    });
  }
  const [head, ...rows] = text.split(/\r?\n/).map((line) => line.split(','));
  const column = (row: readonly string[], name: string) => row[head.indexOf(name)]?.trim() ?? '';
  // Paths begin with the category; the folder may have another name here.
  const place = (file: string) => path.join(folder, ...file.split('/').slice(1));
  const own = rows.filter((row) => column(row, 'object') === category && column(row, 'image') !== '');
  const fileOf = (row: readonly string[]): DataFile => {
    const file = place(column(row, 'image'));
    return { path: file, name: path.relative(folder, file).split(path.sep).join('/') };
  };
  const part = (name: string) => own.filter((row) => column(row, 'split') === name);
  return {
    about,
    train: part('train').map(fileOf),
    test: part('test').map((row): Sample => {
      const mask = column(row, 'mask');
      const defect = column(row, 'label') === 'normal' ? GOOD : 'anomaly';
      return { ...fileOf(row), defect, ...(mask === '' || defect === GOOD ? {} : { mask: place(mask) }) };
    }),
  };
}

const PLAIN_GOOD = ['good', 'ok', 'normal'];
const PLAIN_BAD = ['defect', 'defects', 'defective', 'bad', 'ng', 'ko', 'anomaly', 'anomalous'];
const PLAIN_MASKS = ['masks', 'mask', 'ground_truth'];

/** train/ and test/ (test/good and any others), or good/ and defect/; masks/ holds masks by the pictures' names. */
async function plain(folder: string): Promise<Found> {
  const about =
    'A plain set: train/ with test/good and test/DEFECT, or good/ and defect/; masks in masks/, named as their pictures.';
  const maskFolder = await first(folder, PLAIN_MASKS);
  const masks = maskFolder === undefined ? new Map<string, string>() : await masksUnder(path.join(folder, maskFolder));
  if ((await isFolder(path.join(folder, 'train'))) && (await isFolder(path.join(folder, 'test')))) {
    const test = await under(folder, 'test');
    return { about, train: await under(folder, 'train'), test: test.map((file) => sampleOf(file, 'good', masks)) };
  }
  const [good, bad] = [await first(folder, PLAIN_GOOD), await first(folder, PLAIN_BAD)];
  if (good === undefined || bad === undefined) return { about, train: [], test: [] };
  // No test part: a fifth of the good pictures is kept from training.
  const all = await under(folder, good);
  const out = new Set(all.length > 1 ? heldOut(all.length, Math.ceil(all.length / 5), 0) : []);
  const held = (i: number) => out.has(i);
  return {
    about: `${about} A fifth of the good pictures, in blocks of consecutive names, is for testing.`,
    train: all.filter((_, i) => !held(i)),
    test: [
      ...all.filter((_, i) => held(i)).map((file): Sample => ({ ...file, defect: GOOD })),
      ...(await under(folder, bad)).map((file): Sample => {
        const mask = maskFor(file.name.replace(/\.[^./]*$/, ''), masks);
        return {
          ...file,
          defect: file.name.includes('/') ? file.name.split('/')[0] : 'defect',
          ...(mask === undefined ? {} : { mask }),
        };
      }),
    ],
  };
}

async function first(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if (await isFolder(path.join(folder, name))) return name;
  return undefined;
}

async function under(folder: string, ...parts: readonly string[]): Promise<DataFile[]> {
  const place = path.join(folder, ...parts);
  return (await isFolder(place)) ? picturesUnder(place) : [];
}

/** Masks by their path without extension. */
async function masksUnder(folder: string): Promise<Map<string, string>> {
  const files = (await isFolder(folder)) ? await picturesUnder(folder) : [];
  return new Map(files.map((file) => [file.name.replace(/\.[^./]*$/, ''), file.path]));
}

function maskFor(stem: string, masks: ReadonlyMap<string, string>): string | undefined {
  const base = stem.split('/').at(-1)!;
  return [stem, base]
    .flatMap((name) => [`${name}_mask`, name, `${name}.mask`].map((one) => masks.get(one)))
    .find(Boolean);
}
