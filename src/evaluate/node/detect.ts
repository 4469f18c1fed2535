/**
 * The protocol of detection on files: each detector learns from good pictures, gets one threshold from other good pictures,
 * and is then scored on the test part. Maps and networks learnt are kept, so that a resumed run computes none twice.
 */
import path from 'node:path';
import { type Image, imageAt, stackImages } from '../../images/image.ts';
import { writeNpyFile } from '../../images/node/write.ts';
import { float32 } from '../../onnx/tensor.ts';
import { type Detector, findAll, mapsOf } from '../detect/detector.ts';
import { byCase, describeMethodResults, resultsOf } from '../detect/results.ts';
import { calibratedThreshold } from '../detect/score.ts';
import { detectRecord, type TestPicture } from '../detect/trial.ts';
import type { Result, TrialRecord } from '../record.ts';
import {
  earlierTrial,
  type Learnt,
  learntFile,
  storedThreshold,
  storeThreshold,
  writeDetectPictures,
} from './detect-files.ts';
import { hashOf, type Store, slug } from './store.ts';
import { writeWay } from './way-files.ts';

export interface LearnContext {
  readonly learnt: Learnt;
  /** What has been done of how much. */
  readonly onProgress: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Candidate {
  readonly name: string;
  /** Everything that decides what it does, as data. */
  readonly description: unknown;
  /** Learns from good pictures [n,C,H,W]; undefined if aborted. */
  readonly learn: (good: Image, context: LearnContext) => Promise<Detector | undefined>;
  /** Pictures looked at together. */
  readonly batch: number;
  /** Does its detector search, so that a search can be followed? */
  readonly walks: boolean;
}

export interface DetectJob {
  readonly set: string;
  readonly description: unknown;
  /** Good pictures to learn from, and others to set the threshold on. */
  readonly good: Image;
  readonly held: Image;
  readonly test: readonly TestPicture[];
  readonly candidates: readonly Candidate[];
  /** Share of the pixels of good pictures that may exceed the threshold. */
  readonly falseAlarm: number;
  readonly seed: number;
  /** So many pictures of each kind are kept as PNG, and of so many the way of the search. */
  readonly keep: number;
  readonly snapshots: number;
  readonly snapshotSteps: number;
}

export interface DetectHooks {
  readonly onProgress?: (done: number, total: number, what: string) => void;
  readonly onGroup?: (results: readonly Result[], records: readonly TrialRecord[], about: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface DetectOutcome {
  readonly results: readonly Result[];
  readonly records: readonly TrialRecord[];
  readonly complete: boolean;
}

export async function evaluateDetect(job: DetectJob, store: Store, hooks: DetectHooks = {}): Promise<DetectOutcome> {
  const results: Result[] = [];
  const records: TrialRecord[] = [];
  const [, , height, width] = job.good.dims;
  const truths = job.test.map((picture) => picture.truth);
  for (const [k, candidate] of job.candidates.entries()) {
    const { name: method } = candidate;
    const onProgress = (share: number, what: string) =>
      hooks.onProgress?.(k + share, job.candidates.length, `${method}, ${what}`);
    const run = await runCandidate(job, candidate, store, onProgress, hooks.signal);
    if (!run) return { results: byCase(results), records, complete: false };
    records.push(...run.records);
    results.push(...resultsOf({ ...run, set: job.set, method, height, width, seed: job.seed, truths }));
    await hooks.onGroup?.(byCase(results), records, describeMethodResults(results, method));
  }
  return { results: byCase(results), records, complete: true };
}

interface Run {
  readonly records: readonly TrialRecord[];
  readonly maps: readonly Float32Array[];
  readonly threshold: number;
}

/** The share of a method's progress that learning takes, for those that learn for minutes. */
const LEARNING = 0.5;

/** Undefined if aborted. */
async function runCandidate(
  job: DetectJob,
  candidate: Candidate,
  store: Store,
  onProgress: (share: number, what: string) => void,
  signal: AbortSignal | undefined,
): Promise<Run | undefined> {
  const { name, description, batch } = candidate;
  const learntKey = hashOf(['learnt', job.description, name, description]);
  const key = hashOf(['detect', job.description, name, description, job.falseAlarm, job.seed]);
  const place = path.join(store.folder, 'maps', slug(name));
  const kept = ranksOf(job.test);
  const trials = job.test.map((picture, index): Planned => {
    const own = hashOf([key, index, picture.name, picture.sha256]);
    const pictures = kept[index] < job.keep && drawable(picture.image);
    const way = pictures && candidate.walks && kept[index] < job.snapshots;
    return { picture, index, key: own, mapFile: path.join(place, `${own}.npy`), wanted: { pictures, way } };
  });
  const known = await storedThreshold(place, key);
  const total = trials.length + (known === undefined ? job.held.dims[0] : 0);
  let [done, begun] = [0, 0];
  const tell = (what: string, newly = 0) => {
    done += newly;
    onProgress(begun + (1 - begun) * (done / total), what);
  };
  let detector: Detector | undefined;
  const learner = async () => {
    const onLearning = (made: number, all: number) => {
      begun = (LEARNING * made) / all;
      tell('learning');
    };
    tell('learning');
    detector ??= await candidate.learn(job.good, {
      learnt: learntFile(store.folder, name, learntKey),
      onProgress: onLearning,
      signal,
    });
    return detector;
  };
  try {
    const threshold =
      known ?? (await calibrated(job, await learner(), batch, (newly) => tell('calibration', newly), signal));
    if (threshold === undefined) return undefined;
    if (known === undefined) await storeThreshold(place, key, threshold);
    const records: TrialRecord[] = [];
    const maps: Float32Array[] = [];
    // Batches lie on a fixed grid: a resumed run computes the same ones.
    for (let first = 0; first < trials.length; first += batch) {
      const members = trials.slice(first, first + batch);
      const earlier = await Promise.all(members.map((one) => earlierTrial(store, one.key, one.mapFile, one.wanted)));
      const finished = earlier.every((one) => one !== undefined)
        ? earlier
        : await tried({ job, method: name, members, threshold, store }, await learner(), signal);
      if (!finished) return undefined;
      for (const one of finished) {
        records.push(one.record);
        maps.push(one.map);
      }
      tell(members[0].picture.name, members.length);
    }
    return { records, maps, threshold };
  } finally {
    await detector?.dispose();
  }
}

async function calibrated(
  job: DetectJob,
  detector: Detector | undefined,
  batch: number,
  onDone: (newly: number) => void,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  if (!detector || detector.threshold !== undefined) return detector?.threshold;
  const found = await findAll(detector, job.held, batch, { onDone, signal });
  if (!found || signal?.aborted) return undefined;
  const maps = found.map((map) => mapsOf(detector, map).data);
  return calibratedThreshold(maps, job.falseAlarm);
}

/** A test picture, and what is to be kept of its trial. */
interface Planned {
  readonly picture: TestPicture;
  readonly index: number;
  readonly key: string;
  readonly mapFile: string;
  readonly wanted: { readonly pictures: boolean; readonly way: boolean };
}

interface Batch {
  readonly job: DetectJob;
  readonly method: string;
  readonly members: readonly Planned[];
  readonly threshold: number;
  readonly store: Store;
}

interface Finished {
  readonly record: TrialRecord;
  readonly map: Float32Array;
}

/** Looks at the members of a batch and stores their trials; undefined if aborted. */
async function tried(
  { job, method, members, threshold, store }: Batch,
  detector: Detector | undefined,
  signal: AbortSignal | undefined,
): Promise<Finished[] | undefined> {
  if (!detector || signal?.aborted) return undefined;
  const started = performance.now();
  const found = await detector.find(stackImages(members.map(({ picture }) => picture.image)), signal);
  if (!found) return undefined;
  const seconds = (performance.now() - started) / 1000 / members.length;
  const finished: Finished[] = [];
  for (const [i, planned] of members.entries()) {
    const { picture, index, wanted, mapFile } = planned;
    const { image, truth } = picture;
    const map = mapsOf(detector, imageAt(found.maps, i)).data;
    const mask = map.map((value) => (value > threshold ? 1 : 0));
    const stem = `${String(index).padStart(4, '0')}-${slug(picture.name.replace(/\.[^.]*$/, ''))}`;
    const restored = found.restored && imageAt(found.restored, i);
    await writeNpyFile(mapFile, float32(map, image.dims.slice(2)));
    // One scale per method and set, never per picture: good parts stay dark. The threshold lies at a third.
    const shown = { method, stem, image, truth, restored, found: mask, map, white: 3 * threshold };
    const pictures = wanted.pictures ? await writeDetectPictures(store.folder, shown) : undefined;
    const way = wanted.way ? await detector.way?.(image, job.snapshotSteps, signal) : undefined;
    if (signal?.aborted) return undefined;
    const snapshots = way && (await writeWay(store.folder, `pictures/${slug(method)}/${stem}`, way));
    const record = {
      ...detectRecord({ set: job.set, method, ...planned, mask, map, seconds }, found, i),
      ...(pictures ? { pictures } : {}),
      ...(snapshots ? { snapshots } : {}),
    };
    finished.push({ record, map });
  }
  await store.append(finished.map((one) => one.record));
  return finished;
}

/** The how manieth picture of its kind each one is. */
function ranksOf(test: readonly TestPicture[]): number[] {
  const seen = new Map<string, number>();
  return test.map(({ defect }) => {
    const rank = seen.get(defect) ?? 0;
    seen.set(defect, rank + 1);
    return rank;
  });
}

function drawable({ dims }: Image): boolean {
  return dims[1] === 1 || dims[1] === 3;
}
