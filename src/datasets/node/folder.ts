/** A folder of pictures (flat, nested, or in MVTec's layout) as a dataset in memory; broken pictures are left out and named. */
import path from 'node:path';
import { fileError, messageOf, optionError } from '../../errors.ts';
import { isFolder } from '../../files/node/regular.ts';
import { isGreyInColour, shapeOf } from '../../images/image.ts';
import { readPicture } from '../../images/node/read.ts';
import { passedOver, treeOf } from '../../images/node/walk.ts';
import { resize } from '../../images/resize.ts';
import { type Dataset, type StoredPicture, storedPicture } from '../dataset.ts';
import { evenly } from '../sampling.ts';
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
  /** At most this many pictures, evenly spread over the folder; in place of those that cannot be used others are read. */
  readonly limit?: number;
  /** Which pictures the limit counts (default: all that can be used); the others that were read are given, too. */
  readonly counts?: (picture: StoredPicture) => boolean;
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
  /** What was passed over, one sentence each. */
  readonly notes: readonly string[];
}

/** Number of pictures from which the number of channels is determined. */
const LOOKED_AT = 8;

/** Reads the pictures of `folder`; throws `input` where there are none that can be used. */
export async function loadFolder(folder: string, options: FolderOptions): Promise<LoadedFolder> {
  const { size, kind = 'object', mirror = false, limit = Number.POSITIVE_INFINITY, counts = () => true } = options;
  if (!(size >= 8 && Number.isInteger(Math.log2(size)))) {
    throw optionError(`The size must be a power of two from 8 on (32, 64, 128, 256), not ${size}.`, {
      option: 'size',
      problem: 'value',
      received: size,
    });
  }
  const root = await trainingFolder(folder);
  const tree = await treeOf(root);
  const own = options.exclude === undefined ? undefined : `${path.resolve(options.exclude)}${path.sep}`;
  const all = tree.pictures.filter((file) => own === undefined || !path.resolve(file).startsWith(own));
  if (all.length === 0) {
    const passed = passedOver(root, tree).join(' ');
    throw fileError(root, 'empty', `The folder ${root} holds no pictures.${passed && ` ${passed}`}`);
  }
  const broken: BrokenPicture[] = [];
  const first = evenly(all, Math.min(limit, all.length));
  const channels = options.channels ?? (await channelsOf(first.slice(0, LOOKED_AT)));
  const pictures = new Map<string, StoredPicture>();
  let waiting = [...all];
  let counted = 0;
  let read = 0;
  // Those that drop out are replaced, by others as evenly spread.
  while (counted < limit && waiting.length > 0) {
    const some = new Set(evenly(waiting, Math.min(limit - counted, waiting.length)));
    waiting = waiting.filter((file) => !some.has(file));
    for (const file of some) {
      options.signal?.throwIfAborted();
      const name = path.relative(root, file).split(path.sep).join('/');
      try {
        const picture = await stored(file, name, channels, size, kind, options.scale ?? 1);
        pictures.set(file, picture);
        if (counts(picture)) counted++;
      } catch (error) {
        broken.push({ file, reason: messageOf(error) });
      }
      options.onProgress?.(++read, Math.max(read, first.length));
    }
  }
  if (pictures.size === 0) {
    throw fileError(root, 'values', `None of the ${read} pictures in ${root} could be used: ${broken[0].reason}`);
  }
  const inOrder = all.flatMap((file) => pictures.get(file) ?? []);
  return {
    dataset: { channels, size, pictures: inOrder, mirror },
    folder: root,
    broken,
    notes: passedOver(root, tree),
  };
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
  if (!(await isFolder(folder))) throw fileError(folder, 'not-a-folder', `${folder} is not a folder.`);
  const good = path.join(folder, 'train', 'good');
  return (await isFolder(good)) ? good : folder;
}
