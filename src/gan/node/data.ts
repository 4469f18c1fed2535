/** A folder's pictures for a run: read, some held out, and the facts that the files will state of them. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { batchOf, type Dataset, type StoredPicture } from '../../datasets/dataset.ts';
import { contentsOf, copiesSentence, heldOutCount, split } from '../../datasets/held-out.ts';
import { type FolderOptions, loadFolder } from '../../datasets/node/folder.ts';
import { evenly } from '../../datasets/sampling.ts';
import type { Image } from '../../images/image.ts';
import type { DataFacts } from '../record.ts';
import type { Tell } from './events.ts';
import { type SourceFacts, sourceFacts } from './files.ts';

export interface RunData {
  readonly train: Dataset;
  /** Pictures held out, whole or their central squares, [n,C,size,size]; of many, some are measured on. */
  readonly unseen: Image;
  /** All that are held out. */
  readonly held: Dataset;
  /** Left out of both. */
  readonly leftOut: readonly StoredPicture[];
  readonly facts: DataFacts;
  readonly source: SourceFacts;
}

const SIZE = 64;

/** Measured on at most; what is held out beyond them serves calibration. */
const MEASURED = 32;

/** Called for each picture that cannot be used; the others are used. Throws `input` where none can. */
export async function readRunData(
  folder: string,
  given: Partial<FolderOptions>,
  wanted: {
    readonly held?: number;
    readonly seed: number;
    readonly exclude: string;
    readonly signal?: AbortSignal;
    /** Tells of each picture whether it is left out; default none is. */
    readonly leaveOut?: (dataset: Dataset) => Promise<readonly boolean[]>;
  },
  tell: Tell,
): Promise<RunData> {
  const options: FolderOptions = { size: SIZE, ...given };
  const loaded = await loadFolder(folder, {
    ...options,
    exclude: wanted.exclude,
    signal: wanted.signal,
    onProgress: (done, total) => tell({ kind: 'loading', done, total }),
  });
  for (const picture of loaded.broken) tell({ kind: 'broken', picture });
  const isOut = await wanted.leaveOut?.(loaded.dataset);
  const leftOut = loaded.dataset.pictures.filter((_, i) => isOut?.[i]);
  const dataset = { ...loaded.dataset, pictures: loaded.dataset.pictures.filter((_, i) => !isOut?.[i]) };
  for (const text of loaded.notes) tell({ kind: 'note', text });
  const contents = contentsOf(dataset.pictures);
  const copies = copiesSentence(contents);
  if (copies) tell({ kind: 'note', text: copies });
  const held = wanted.held ?? heldOutCount(new Set(contents).size);
  const parts = split(dataset, held, wanted.seed);
  const { kind = 'object', scale = 1, limit } = options;
  const facts: DataFacts = {
    folder: path.basename(loaded.folder),
    pictures: parts.train.pictures.length,
    held: parts.held.pictures.length,
    channels: dataset.channels,
    size: dataset.size,
    kind,
    scale,
    mirror: dataset.mirror,
    ...(limit === undefined ? {} : { limit }),
    fingerprint: fingerprintOf(dataset),
    broken: loaded.broken.length,
    ...(isOut ? { leftOut: leftOut.length } : {}),
  };
  const unseen = batchOf(parts.held, evenly([...parts.held.pictures.keys()], MEASURED));
  const source = sourceFacts(options, parts.train, leftOut);
  return { train: parts.train, held: parts.held, unseen, leftOut, facts, source };
}

/** The options with which the pictures of an earlier run are read again. */
export function optionsOfFacts({ size, channels, kind, scale, mirror, limit }: DataFacts): FolderOptions {
  return { size, channels, kind, scale, mirror, limit };
}

function fingerprintOf({ pictures }: Dataset): string {
  const hash = createHash('sha256');
  for (const { name, height, width, data } of pictures) hash.update(`${name}\n${height} ${width}\n`).update(data);
  return hash.digest('hex').slice(0, 16);
}
