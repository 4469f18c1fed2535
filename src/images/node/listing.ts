/** Lists of pictures of any length (a folder, a pattern, a manifest): listed one by one when they are needed, and held nowhere. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import { fileError, messageOf, RgiError } from '../../errors.ts';
import { isBucketAddress, openBucket, parseBucketAddress } from '../../files/node/bucket.ts';
import { isFolder } from '../../files/node/regular.ts';
import { isPictureName } from './formats.ts';
import type { InputFile } from './inputs.ts';
import { isManifestName, manifestRows } from './manifests.ts';
import { type Walked, walk } from './walk.ts';

/** A picture of a list. Its name may have folders in it, is the same whatever else is listed, and is what the outputs are named after. */
export interface ListedPicture extends InputFile {
  /** A given mask of this picture: white is to be filled. */
  readonly mask?: string;
  /** What is known to be good, white. */
  readonly keep?: string;
  /** What is known to be corrupted, white. */
  readonly hide?: string;
  /** Why it cannot be used, where that is known already. */
  readonly error?: RgiError;
}

/** Pictures that are listed anew, and in the same order, each time. */
export interface PictureList<S extends InputFile = ListedPicture> {
  /** The folder, pattern or manifest, as it was named. */
  readonly named: string;
  /** One by one. */
  pictures(): AsyncIterable<S>;
}

/** Part `index`, from 0, of `count`. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  /** How many parts there are. */
  readonly count: number;
}

/**
 * The list that a user names: a manifest (`.csv`, `.jsonl`, `.ndjson`), a folder with all below it, a pattern (`**` for any folders), or one
 * picture. The folder `out` is not searched. Throws `input` where there is no such thing, and `usage` where `out` is the folder itself.
 */
export async function openPictureList(named: string, out: string): Promise<PictureList> {
  if (isBucketAddress(named)) return { named, pictures: () => inBucket(named, out) };
  const found = await stat(named).catch(() => undefined);
  if (found?.isDirectory()) {
    if (path.resolve(named) === path.resolve(out))
      throw new RgiError('usage', `--out ${out} is the folder of the pictures; take another, or one below it.`, {
        file: out,
      });
    return { named, pictures: () => walk(named, { without: out }) };
  }
  if (found && isManifestName(named)) return { named, pictures: () => fromManifest(named, out) };
  if (found) return { named, pictures: () => only({ path: named, name: path.parse(named).name }) };
  if (!picomatch.scan(named).isGlob) throw fileError(named, 'missing', `${named} does not exist.`);
  return { named, pictures: () => matching(named, out) };
}

async function* only(picture: ListedPicture): AsyncGenerator<ListedPicture> {
  yield picture;
}

async function* matching(pattern: string, out: string): AsyncGenerator<Walked> {
  const { base, glob } = picomatch.scan(pattern);
  const matches = picomatch(glob, { nocase: true });
  const folder = base === '' ? '.' : base;
  if (!(await isFolder(folder)))
    throw fileError(pattern, 'missing', `No picture matches ${pattern}: there is no folder ${folder}.`);
  const depth = glob.includes('**') ? Number.POSITIVE_INFINITY : glob.split('/').length - 1;
  for await (const picture of walk(folder, { without: out, depth }))
    if (matches(path.relative(folder, picture.path).split(path.sep).join('/'))) yield picture;
}

/** A manifest, a picture, or all pictures whose keys begin with the address. */
async function* inBucket(named: string, out: string): AsyncGenerator<ListedPicture> {
  if (isManifestName(named)) yield* fromManifest(named, out);
  else if (isPictureName(named)) yield { path: named, name: path.parse(named).name };
  else yield* belowPrefix(named);
}

/**
 * Named as files of a folder are. Only neighbours are compared, since no list is held: of `scan.jpg`, `scan.orig.png` and `scan.png`, two
 * have the name `scan`, and the results of the second are those of `scan-2`.
 */
async function* belowPrefix(prefix: string): AsyncGenerator<ListedPicture> {
  const { key } = parseBucketAddress(prefix);
  const start = key === '' ? prefix.replace(/\/*$/, '/') : prefix;
  const folder = start.slice(0, start.lastIndexOf('/') + 1);
  const stemOf = (address: string) => address.slice(folder.length, address.length - path.extname(address).length);
  let before: string | undefined;
  let current: string | undefined;
  const named = (address: string, after: string | undefined): ListedPicture => {
    const stem = stemOf(address);
    const isOnly = [before, after].every(
      (other) => other === undefined || stemOf(other).toLowerCase() !== stem.toLowerCase(),
    );
    const name = isOnly ? stem : stem + path.extname(address).replace('.', '_');
    return isSafeName(name)
      ? { path: address, name }
      : { path: address, name: path.parse(address).name, error: unsafe(address, address, name) };
  };
  for await (const address of openBucket().list(start)) {
    // Hidden ones are left out, as in folders.
    if (!isPictureName(address) || /\/\./.test(address.slice(folder.length - 1))) continue;
    if (current !== undefined) yield named(current, address);
    before = current;
    current = address;
  }
  if (current !== undefined) yield named(current, undefined);
}

/** Paths are relative to the manifest's folder. */
async function* fromManifest(manifest: string, out: string): AsyncGenerator<ListedPicture> {
  const folder = isBucketAddress(manifest) ? path.posix.dirname(manifest) : path.dirname(path.resolve(manifest));
  for await (const one of manifestRows(manifest)) {
    if ('error' in one) {
      yield { path: manifest, name: `row-${one.number}`, error: one.error };
      continue;
    }
    const { path: file, name, ...masks } = one.row;
    const placed = (given: string) =>
      isBucketAddress(given)
        ? given
        : isBucketAddress(manifest)
          ? inside(manifest, given)
          : path.resolve(folder, given);
    const given: Record<string, string> = Object.fromEntries(
      Object.entries(masks).flatMap(([kind, value]) => (value === undefined ? [] : [[kind, placed(value)]])),
    );
    const where = `${manifest}, row ${one.number}`;
    const wrong = [placed(file), ...Object.values(given)].map(addressError).find((message) => message !== undefined);
    if (wrong !== undefined) {
      const error = fileError(manifest, 'values', `${where}: ${wrong}`);
      yield { path: manifest, name: `row-${one.number}`, error };
      continue;
    }
    const picture = { path: placed(file), name: name ?? nameIn(folder, placed(file)), ...given };
    if (!isSafeName(picture.name))
      yield { ...picture, name: `row-${one.number}`, error: unsafe(manifest, where, picture.name) };
    else if (isBelow(picture.path, out))
      yield { ...picture, error: fileError(file, 'values', `${where}: ${file} lies in --out, among the results.`) };
    else yield picture;
  }
}

/** Why the address of an object cannot be used. */
function addressError(file: string): string | undefined {
  try {
    if (isBucketAddress(file)) parseBucketAddress(file);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The object that a row of a manifest in a bucket names. */
function inside(manifest: string, given: string): string {
  const { bucket, key } = parseBucketAddress(manifest);
  return `s3://${bucket}/${path.posix.join(path.posix.dirname(key), given)}`;
}

/** Of a file outside of the folder, its whole path; of an object, its key. */
function nameIn(folder: string, file: string): string {
  if (isBucketAddress(file)) return parseBucketAddress(file).key.replace(/\.[^./]*$/, '');
  const inside = isBelow(file, folder) ? path.relative(folder, file) : path.relative(path.parse(file).root, file);
  return inside
    .slice(0, inside.length - path.extname(inside).length)
    .split(path.sep)
    .join('/');
}

function isBelow(file: string, folder: string): boolean {
  return path.resolve(file).startsWith(`${path.resolve(folder)}${path.sep}`);
}

/** A relative path that stays below where it starts, on every system, and is none of the run's hidden files. */
function isSafeName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  return name.split('/').every((part) => part !== '' && !part.startsWith('.')) && !/[\\:\u0000-\u001f]/.test(name);
}

function unsafe(manifest: string, where: string, name: string): RgiError {
  return fileError(
    manifest,
    'values',
    `${where}: '${name}' is no name for results; it is a relative path of which no part is empty or begins with a point, without \\ and colons.`,
  );
}

/**
 * The pictures of one part of a list. Which part a picture is in follows from its name alone, so that lists may grow, and parts be
 * computed anywhere.
 */
export function shardOf({ named, pictures }: PictureList, { index, count }: Shard): PictureList {
  return {
    named,
    async *pictures() {
      for await (const picture of pictures()) if (shardIndex(picture.name, count) === index) yield picture;
    },
  };
}

/** The part of `count` that a name belongs to: the first 48 bits of its SHA-256 modulo `count`. */
export function shardIndex(name: string, count: number): number {
  return createHash('sha256').update(name).digest().readUIntBE(0, 6) % count;
}

/** How many pictures a list has: it is listed once for that. */
export async function countPictures(list: Pick<PictureList<InputFile>, 'pictures'>): Promise<number> {
  let count = 0;
  for await (const _ of list.pictures()) count++;
  return count;
}
