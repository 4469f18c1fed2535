/** Pictures of a detection set, brought to one size: good ones to learn from and to set thresholds on, and those to test. */

import { storedPicture } from '../../datasets/dataset.ts';
import { copiesSentence, heldOutApart, heldOutCount } from '../../datasets/held-out.ts';
import { evenly } from '../../datasets/sampling.ts';
import type { TrainingSource } from '../../detect/node/good-pictures.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { GOOD } from '../../evaluate/detect/results.ts';
import type { TestPicture } from '../../evaluate/detect/trial.ts';
import type { DetectionSet, Sample } from '../../evaluate/node/detection-layouts.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { pictureDigest } from '../../gan/node/files.ts';
import { type Image, stackImages } from '../../images/image.ts';
import { type ReadOptions, readMask, readPicture } from '../../images/node/read.ts';
import { hashOfData } from '../../jobs/node/program.ts';
import type { DetectFlags } from './detect-flags.ts';
import type { PictureShape } from './detectors.ts';

const DEFAULT_SIZE = 128;

export interface LoadedSet {
  readonly good: Image;
  readonly held: Image;
  readonly test: readonly TestPicture[];
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
  readonly notes: readonly string[];
  /** Of the good pictures, and which of them set thresholds. */
  readonly hash: string;
}

export async function loadSet(
  set: DetectionSet,
  shape: PictureShape | undefined,
  source: TrainingSource | undefined,
  flags: DetectFlags,
): Promise<LoadedSet> {
  const failed: { file: string; reason: string }[] = [];
  const survive = async <T>(file: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      failed.push({ file, reason: messageOf(error) });
      return undefined;
    }
  };
  const side = flags.size ?? DEFAULT_SIZE;
  const channels = shape?.channels ?? (await channelsOf(set.train));
  const options: ReadOptions = {
    channels,
    size: shape?.size ?? { height: side, width: side },
    fit: flags.fit,
    grey: flags.grey,
  };
  const good: { name: string; image: Image; sha256: string }[] = [];
  const tested = new Set<string>();
  // What cannot be read is named when it is read.
  for (const { path: file } of set.test) tested.add(await sha256Of(file).catch(() => ''));
  const { learn = set.train.length } = flags;
  let alsoTested = 0;
  // Those that drop out are replaced, by others as evenly spread.
  let waiting = [...set.train];
  while (good.length < learn && waiting.length > 0) {
    const some = new Set(evenly(waiting, Math.min(learn - good.length, waiting.length)));
    waiting = waiting.filter((one) => !some.has(one));
    for (const { name, path: file } of some) {
      const image = await survive(file, async () => (await readPicture(file, options)).image);
      if (!image) continue;
      const sha256 = await sha256Of(file);
      if (tested.has(sha256)) alsoTested++;
      else good.push({ name, image, sha256 });
    }
  }
  const order = new Map(set.train.map(({ name }, i) => [name, i]));
  good.sort((a, b) => order.get(a.name)! - order.get(b.name)!);
  if (good.length < 2)
    throw new RgiError('input', `${set.name} has ${good.length} good pictures; at least two are needed.`);
  const { held, notes } = heldPositions(good, source, flags);
  const counts = new Map<string, number>();
  const test: TestPicture[] = [];
  const doubts: string[] = [];
  for (const sample of set.test) {
    const seen = counts.get(sample.defect) ?? 0;
    if (flags.count !== undefined && seen >= flags.count) continue;
    const picture = await survive(sample.path, () =>
      readSample(sample, options, set.labels, (doubt) => doubts.push(doubt)),
    );
    if (!picture) continue;
    counts.set(sample.defect, seen + 1);
    test.push(picture);
  }
  if (test.length === 0)
    throw new RgiError(
      'input',
      `None of the ${set.test.length} test pictures of ${set.name} could be used${failed.length > 0 ? `: ${failed[failed.length - 1].reason}` : '.'}`,
    );
  return {
    good: stackImages(good.filter((_, i) => !held.has(i)).map((one) => one.image)),
    held: stackImages(good.filter((_, i) => held.has(i)).map((one) => one.image)),
    test,
    failed,
    notes: [...notes, ...equalNotes(good, alsoTested), ...doubts, ...masksNote(test, set.about)],
    hash: hashOfData(good.map((one, i) => [one.sha256, held.has(i)])),
  };
}

/** As many as the first picture has that can be read; undefined where none can. */
async function channelsOf(pictures: DetectionSet['train']): Promise<number | undefined> {
  for (const { path: file } of pictures) {
    try {
      return (await readPicture(file)).source.channels;
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
    }
  }
  return undefined;
}

/** What is said of pictures that are equal. */
function equalNotes(good: readonly { readonly sha256: string }[], alsoTested: number): string[] {
  const copies = copiesSentence(good.map((one) => one.sha256));
  return [
    ...(alsoTested > 0 ? [`${alsoTested} good pictures are test pictures too, and are left out of learning.`] : []),
    ...(copies ? [copies] : []),
  ];
}

/** What follows from masks that are not there. */
function masksNote(test: readonly TestPicture[], layout: string): string[] {
  const defective = test.filter((picture) => picture.defect !== GOOD);
  const without = defective.filter((picture) => picture.truth === undefined).length;
  if (without === 0) return [];
  if (without < defective.length)
    return [`${without} defective pictures have no mask; they are used for image scores only.`];
  return [
    `No defective picture has a mask, so only image scores are computed. Masks are expected as follows. ${layout}`,
  ];
}

/** Fewer unseen pictures than this set no threshold. */
const MIN_UNSEEN = 8;

/**
 * Which good pictures set the thresholds: those that the generator was not trained on, if its file says so; else whole groups
 * or blocks of names, by the rule of `rgi train`.
 */
function heldPositions(
  good: readonly { readonly name: string; readonly image: Image; readonly sha256: string }[],
  source: TrainingSource | undefined,
  { held, seed }: DetectFlags,
): { held: ReadonlySet<number>; notes: string[] } {
  const unseen = good.flatMap(({ name, image }, i) =>
    source?.seen.has(pictureDigest(storedPicture(name, image))) ? [] : [i],
  );
  if (held === undefined && unseen.length >= MIN_UNSEEN && unseen.length < good.length)
    return { held: new Set(unseen), notes: [] };
  const wanted = Math.min(held ?? heldOutCount(good.length), Math.floor(good.length / 2));
  const names = good.map(({ name }) => name);
  const contents = good.map(({ sha256 }) => sha256);
  const positions = heldOutApart(names, contents, wanted, seed);
  const known = source ? positions.filter((i) => !unseen.includes(i)).length : 0;
  const notes =
    known > 0
      ? [
          `The generator was trained on ${known} of the ${positions.length} pictures that set the thresholds, so its thresholds are too low.`,
        ]
      : [];
  return { held: new Set(positions), notes };
}

async function readSample(
  sample: Sample,
  options: ReadOptions,
  labels: boolean,
  onDoubt: (sentence: string) => void,
): Promise<TestPicture> {
  const picture = await readPicture(sample.path, options);
  const [, , height, width] = picture.image.dims;
  const truth =
    sample.defect === GOOD
      ? new Float32Array(height * width)
      : sample.mask === undefined
        ? undefined
        : (await readMask(sample.mask, picture, { ...(labels ? { labels } : {}), onDoubt })).data;
  return {
    name: sample.name,
    defect: sample.defect,
    image: picture.image,
    sha256: await sha256Of(sample.path),
    ...(truth ? { truth } : {}),
  };
}
