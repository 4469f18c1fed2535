/** The pictures in a folder, and what else lies there: nothing is passed over without being counted. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { openRegular } from '../../files/node/regular.ts';
import { isPictureName } from './formats.ts';

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Natural order: `a2` before `a10`. */
export function naturalOrder(a: string, b: string): number {
  return natural.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

export interface FolderContent {
  /** Paths of the pictures, in natural order. */
  readonly pictures: readonly string[];
  /** How many files are of other kinds, by extension in small letters ('' for none). */
  readonly others: ReadonlyMap<string, number>;
  /** Folders in it, in natural order; hidden ones left out. */
  readonly folders: readonly string[];
}

/** One level of a folder; hidden files and folders are left out. */
export async function contentOf(folder: string): Promise<FolderContent> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => !entry.name.startsWith('.'));
  const files = entries.filter((entry) => !entry.isDirectory());
  const others = new Map<string, number>();
  for (const { name } of files) {
    const kind = path.extname(name).toLowerCase();
    if (!isPictureName(name)) others.set(kind, (others.get(kind) ?? 0) + 1);
  }
  const place = (list: typeof entries) => list.map((entry) => path.join(folder, entry.name)).sort(naturalOrder);
  return {
    pictures: place(files.filter(({ name }) => isPictureName(name))),
    others,
    folders: place(entries.filter((entry) => entry.isDirectory())),
  };
}

/** Files that a run of this program writes beside its results; data sets may have files of these names, too. */
const OF_A_RUN = ['manifest.json', 'results.json', 'theory.json'];
const JOURNAL = 'journal.jsonl';

/** Each begins with a few settings and the version of the program. */
const HEAD_BYTES = 2 ** 16;

/** Does the folder hold the results of a run of this program? Then its pictures are no input. */
async function isOfRun(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  if (names.includes(JOURNAL)) return true;
  for (const name of OF_A_RUN.filter((one) => names.includes(one))) {
    const head = await headOf(path.join(folder, name));
    if (/"versions":\s*\{\s*"rgi"/.test(head)) return true;
  }
  return false;
}

async function headOf(file: string): Promise<string> {
  const handle = await openRegular(file).catch(() => undefined);
  if (!handle) return '';
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return new TextDecoder().decode(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

export interface TreeContent {
  /** In natural order of their paths. */
  readonly pictures: readonly string[];
  readonly others: ReadonlyMap<string, number>;
  /** Folders below with the results of a run, which are not searched. */
  readonly results: readonly string[];
}

/** The folder and all below it. Symbolic links to folders are not followed; results of runs below it are left out. */
export async function treeOf(folder: string): Promise<TreeContent> {
  const pictures: string[] = [];
  const others = new Map<string, number>();
  const results: string[] = [];
  const visit = async (place: string): Promise<void> => {
    const content = await contentOf(place);
    pictures.push(...content.pictures);
    for (const [kind, count] of content.others) others.set(kind, (others.get(kind) ?? 0) + count);
    for (const inner of content.folders) {
      if (await isOfRun(inner)) results.push(inner);
      else await visit(inner);
    }
  };
  await visit(folder);
  return { pictures: pictures.sort(naturalOrder), others, results };
}

/** A picture of a folder: its path, and what it is called there. */
export interface Walked {
  readonly path: string;
  /** Relative to the folder, with '/', without its extension; with it (`a_png`) where two files differ in nothing else. */
  readonly name: string;
}

export interface WalkOptions {
  /** This folder is not searched: the run's own. */
  readonly without?: string;
  /** Folders below the named one that are searched at most; default: all. */
  readonly depth?: number;
}

/**
 * The pictures in the folder and in all below it, folder by folder in natural order: as `treeOf`, with the names of one folder (and of
 * those above it) in memory at a time.
 */
export async function* walk(folder: string, options: WalkOptions = {}): AsyncGenerator<Walked> {
  yield* walkBelow(folder, '', options);
}

async function* walkBelow(
  folder: string,
  prefix: string,
  { without, depth = Number.POSITIVE_INFINITY }: WalkOptions,
): AsyncGenerator<Walked> {
  const { pictures, folders } = await contentOf(folder);
  const counts = new Map<string, number>();
  const stemOf = (file: string) => path.parse(file).name;
  for (const file of pictures) {
    const key = stemOf(file).toLowerCase();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const file of pictures) {
    const stem = stemOf(file);
    const isOnly = counts.get(stem.toLowerCase()) === 1;
    yield { path: file, name: `${prefix}${isOnly ? stem : stem + path.extname(file).replace('.', '_')}` };
  }
  for (const inner of depth > 0 ? folders : []) {
    if (without !== undefined && path.resolve(inner) === path.resolve(without)) continue;
    if (await isOfRun(inner)) continue;
    yield* walkBelow(inner, `${prefix}${path.basename(inner)}/`, { without, depth: depth - 1 });
  }
}

/** What was passed over in a folder, one sentence each; none where nothing was. */
export function passedOver(folder: string, { others, results }: Pick<TreeContent, 'others' | 'results'>): string[] {
  const count = [...others.values()].reduce((sum, n) => sum + n, 0);
  const kinds = [...others]
    .sort(([a, m], [b, n]) => n - m || naturalOrder(a, b))
    .map(([kind, n]) => `${n} ${kind === '' ? 'without an extension' : kind}`);
  return [
    ...(count === 0
      ? []
      : [
          `${folder}: ${count === 1 ? '1 file is not a picture and was' : `${count} files are not pictures and were`} skipped (${kinds.join(', ')}).`,
        ]),
    ...results.map((place) => `${place} holds the results of a run and was skipped.`),
  ];
}
