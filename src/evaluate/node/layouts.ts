/**
 * Clean pictures to evaluate restoration on, from data sets as they are published: CelebA (aligned) by its official split,
 * Stanford Cars and LSUN as folders, and plain folders. Only the test part is taken where a set has one.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileError, RgiError } from '../../errors.ts';
import { isFolder, isThere, MAX_TEXT_BYTES, readRegular } from '../../files/node/regular.ts';
import { isPictureName } from '../../images/node/formats.ts';
import { naturalOrder, passedOver, treeOf } from '../../images/node/walk.ts';

export const LAYOUTS = ['auto', 'plain', 'celeba', 'cars', 'lsun'] as const;

export type Layout = (typeof LAYOUTS)[number];

export interface DataFile {
  readonly path: string;
  /** Its path in the set, with / between folders. */
  readonly name: string;
}

export interface PictureSet {
  readonly name: string;
  readonly layout: Exclude<Layout, 'auto'>;
  /** In natural order. */
  readonly files: readonly DataFile[];
  /** Which part of the set they are, one sentence. */
  readonly about: string;
  /** What was passed over, one sentence each. */
  readonly notes: readonly string[];
}

/** Finds the pictures of `folder`; throws `input` where it is not the layout that was asked for, or holds none. */
export async function findPictures(folder: string, layout: Layout = 'auto'): Promise<PictureSet> {
  if (!(await isFolder(folder))) throw fileError(folder, 'not-a-folder', `${folder} is not a folder.`);
  const wanted = layout === 'auto' ? await layoutOf(folder) : layout;
  const found = await READERS[wanted](folder);
  if (found.files.length === 0) {
    throw fileError(folder, 'empty', `${folder} holds no pictures in the layout '${wanted}' (${found.about})`);
  }
  const notes = wanted === 'celeba' ? [] : passedOver(folder, await treeOf(folder));
  return { name: path.basename(path.resolve(folder)), layout: wanted, ...found, notes };
}

async function layoutOf(folder: string): Promise<Exclude<Layout, 'auto'>> {
  if (await partitionFile(folder)) return 'celeba';
  if (await isFolder(path.join(folder, 'cars_test'))) return 'cars';
  if ((await validationFolder(folder)) !== undefined) return 'lsun';
  return 'plain';
}

type Found = Pick<PictureSet, 'files' | 'about'>;

const READERS: Readonly<Record<Exclude<Layout, 'auto'>, (folder: string) => Promise<Found>>> = {
  plain: async (folder) => {
    const test = path.join(folder, 'test');
    const split = (await isFolder(test)) && (await isFolder(path.join(folder, 'train')));
    return split
      ? { files: await picturesUnder(test), about: "The pictures under its folder 'test'." }
      : { files: await picturesUnder(folder), about: 'All pictures under the folder.' };
  },
  celeba,
  cars: async (folder) => {
    const names = ['cars_test', 'test'];
    const folders = await Promise.all(names.map((name) => isFolder(path.join(folder, name))));
    const name = names[folders.indexOf(true)];
    return name === undefined
      ? { files: [], about: "A folder 'cars_test' or 'test' is expected." }
      : { files: await picturesUnder(path.join(folder, name)), about: `The pictures under its folder '${name}'.` };
  },
  lsun: async (folder) => {
    const inner = await validationFolder(folder);
    const root = inner === undefined ? folder : path.join(folder, inner);
    const files = await picturesUnder(root);
    if (files.length === 0 && (await isThere(path.join(root, 'data.mdb')))) {
      throw new RgiError(
        'input',
        `${root} is an LMDB database; export its pictures to files first (the LSUN tools: data.py export).`,
        { file: root },
      );
    }
    return {
      files,
      about: inner === undefined ? 'All pictures under the folder.' : `The pictures under its folder '${inner}'.`,
    };
  },
};

/** Test pictures by `list_eval_partition` (lines "000001.jpg 0"; 0 training, 1 validation, 2 test). */
async function celeba(folder: string): Promise<Found> {
  const about = "The pictures of partition 2 (test) of CelebA's list_eval_partition.";
  const list = await partitionFile(folder);
  if (list === undefined) {
    return {
      files: [],
      about: 'list_eval_partition.txt (or .csv) is expected in it, in Eval, or beside img_align_celeba.',
    };
  }
  const text = new TextDecoder().decode(await readRegular(list, MAX_TEXT_BYTES));
  const lines = text.split(/\r?\n/).map((line) => line.trim().split(/[\s,]+/));
  const rows = lines.filter(([name, part]) => isPictureName(name ?? '') && /^[012]$/.test(part ?? ''));
  if (rows.length === 0) {
    throw new RgiError('input', `${list} names no pictures; its lines are expected to be like '000001.jpg 0'.`, {
      file: list,
    });
  }
  const folders = ['img_align_celeba/img_align_celeba', 'img_align_celeba', 'Img/img_align_celeba', ''];
  const test = rows.filter(([, part]) => part === '2').map(([name]) => path.basename(name));
  for (const name of folders) {
    const root = path.join(folder, name);
    if (!(await isFolder(root))) continue;
    const present = new Set(await readdir(root));
    const there = test.filter((file) => present.has(file));
    if (there.length > 0)
      return { files: there.sort(naturalOrder).map((file) => ({ path: path.join(root, file), name: file })), about };
  }
  return { files: [], about: `${about} None of them is there.` };
}

async function partitionFile(folder: string): Promise<string | undefined> {
  const aligned = path.basename(path.resolve(folder)) === 'img_align_celeba';
  // The list beside the folder counts only for the folder of the aligned pictures.
  for (const place of [folder, path.join(folder, 'Eval'), ...(aligned ? [path.join(folder, '..')] : [])]) {
    for (const name of ['list_eval_partition.txt', 'list_eval_partition.csv']) {
      if (await isThere(path.join(place, name))) return path.join(place, name);
    }
  }
  return undefined;
}

/** LSUN's validation part: `bedroom_val`, `church_outdoor_val_lmdb`. */
async function validationFolder(folder: string): Promise<string | undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory() && /_val(_lmdb)?$/.test(entry.name))
    .map((entry) => entry.name);
  if (names.length > 1) {
    throw new RgiError(
      'input',
      `${folder} holds several LSUN categories (${names.sort().join(', ')}); name the folder of one.`,
      {
        file: folder,
      },
    );
  }
  return names[0];
}

/** Every picture below, hidden ones and results of runs left out, in natural order. */
export async function picturesUnder(folder: string): Promise<DataFile[]> {
  return (await treeOf(folder)).pictures
    .map((file) => ({ path: file, name: path.relative(folder, file).split(path.sep).join('/') }))
    .sort((a, b) => naturalOrder(a.name, b.name));
}
