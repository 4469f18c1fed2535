/** A folder of pictures (flat, nested, or in MVTec's layout) as a dataset in memory; broken pictures are left out and named. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { type Image, isGreyInColour, shapeOf, toPixels } from '../../images/image.ts';
import { naturalOrder } from '../../images/node/inputs.ts';
import { readPicture } from '../../images/node/read.ts';
import { resize } from '../../images/resize.ts';
import type { Dataset, StoredPicture } from '../dataset.ts';
import { workingSize } from '../working-size.ts';

export interface FolderOptions {
  /** Height and width of the pictures handed out: a power of two from 8 on. */
  readonly size: number;
  /** 1 or 3; without it, 1 if every one of the first pictures is grey. */
  readonly channels?: number;
  /**
   * `object`: the whole picture, its central square if it is not square. `crops`: squares anywhere in the picture, which
   * is first made `scale` times as small (1) and kept larger than the size.
   */
  readonly kind?: 'object' | 'crops';
  readonly scale?: number;
  readonly mirror?: boolean;
  /** At most this many pictures, evenly spread over the folder. */
  readonly limit?: number;
  /** A folder whose pictures do not count: that of the run's own outputs, where it lies in this one. */
  readonly exclude?: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface BrokenPicture {
  readonly file: string;
  readonly reason: string;
}

export interface LoadedFolder {
  readonly dataset: Dataset;
  /** The folder that the pictures are in: `train/good` of an MVTec layout. */
  readonly folder: string;
  readonly broken: readonly BrokenPicture[];
}

const EXTENSION = /\.(png|jpe?g|webp|tiff?|bmp|gif|avif|heic|npy)$/i;

/** Pictures of which the channels are learnt. */
const LOOKED_AT = 8;

/** Reads the pictures of `folder`; throws `input` where there are none that can be used. */
export async function loadFolder(folder: string, options: FolderOptions): Promise<LoadedFolder> {
  const { size, kind = 'object', mirror = false, limit } = options;
  if (!(size >= 8 && Number.isInteger(Math.log2(size))))
    throw new RgiError('usage', `The size must be a power of two from 8 on (32, 64, 128, 256), not ${size}.`);
  const root = await trainingFolder(folder);
  const own = options.exclude === undefined ? undefined : `${path.resolve(options.exclude)}${path.sep}`;
  const found = await picturesUnder(root);
  const all = own === undefined ? found : found.filter((file) => !path.resolve(file).startsWith(own));
  if (all.length === 0) throw new RgiError('input', `The folder ${root} holds no pictures.`, { file: root });
  const files =
    limit && limit < all.length
      ? Array.from({ length: limit }, (_, i) => all[Math.floor((i * all.length) / limit)])
      : all;
  const broken: BrokenPicture[] = [];
  const survive = async <T>(file: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      broken.push({ file, reason: messageOf(error) });
      return undefined;
    }
  };
  const channels = options.channels ?? (await channelsOf(files.slice(0, LOOKED_AT)));
  const pictures: StoredPicture[] = [];
  for (const [i, file] of files.entries()) {
    options.signal?.throwIfAborted();
    const name = path.relative(root, file).split(path.sep).join('/');
    const picture = await survive(file, () => stored(file, name, channels, size, kind, options.scale ?? 1));
    if (picture) pictures.push(picture);
    options.onProgress?.(i + 1, files.length);
  }
  if (pictures.length === 0) {
    throw new RgiError('input', `None of the ${files.length} pictures in ${root} could be used: ${broken[0].reason}`, {
      file: root,
    });
  }
  return { dataset: { channels, size, pictures, mirror }, folder: root, broken };
}

async function stored(
  file: string,
  name: string,
  channels: number,
  size: number,
  kind: 'object' | 'crops',
  scale: number,
): Promise<StoredPicture> {
  const wanted = { channels, grey: 'luma' as const };
  if (kind === 'object') {
    const { image } = await readPicture(file, { ...wanted, size: { height: size, width: size }, fit: 'cover' });
    return storedPicture(name, image);
  }
  const { image } = await readPicture(file, wanted);
  const { height, width } = shapeOf(image);
  const working = workingSize({ height, width }, { height: size, width: size }, scale);
  return storedPicture(name, resize(image, working, working.height < height ? 'area' : 'bilinear'));
}

/** A picture [1,C,H,W] in [-1,1] in 8 bits. */
export function storedPicture(name: string, image: Image): StoredPicture {
  const { channels, height, width } = shapeOf(image);
  const pixels = toPixels({ ...image, dims: [1, channels, height, width] });
  const plane = height * width;
  const data = new Uint8Array(channels * plane);
  for (let i = 0; i < plane; i++) for (let c = 0; c < channels; c++) data[c * plane + i] = pixels[i * channels + c];
  return { name, height, width, data };
}

/** Grey only if all that can be read are. */
async function channelsOf(files: readonly string[]): Promise<1 | 3> {
  for (const file of files) {
    try {
      const { image } = await readPicture(file);
      if (shapeOf(image).channels !== 1 && !isGreyInColour(image)) return 3;
    } catch {
      // A broken picture is reported when it is loaded.
    }
  }
  return 1;
}

async function trainingFolder(folder: string): Promise<string> {
  const isFolder = async (name: string) => (await stat(name).catch(() => undefined))?.isDirectory() ?? false;
  if (!(await isFolder(folder))) throw new RgiError('input', `${folder} is not a folder.`, { file: folder });
  const good = path.join(folder, 'train', 'good');
  return (await isFolder(good)) ? good : folder;
}

/** Every picture below, hidden ones left out, in natural order. */
async function picturesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && EXTENSION.test(entry.name))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter(
      (file) =>
        !path
          .relative(folder, file)
          .split(path.sep)
          .some((part) => part.startsWith('.')),
    )
    .sort(naturalOrder);
}
