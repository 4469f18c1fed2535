/**
 * The protocol of detection on files: each detector learns from good pictures, gets one threshold from other good pictures,
 * and is then scored on the test part. Maps and trained networks are stored, so that a resumed run computes none twice.
 */
import path from 'node:path';
import { writeNpy } from '../../arrays/npy.ts';
import { type Image, imageAt, isDrawable, stackImages } from '../../images/image.ts';
import type { Job } from '../../jobs/job.ts';
import { hashOfData, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import { float32 } from '../../onnx/tensor.ts';
import { type Detector, type Found, findAll, mapsOf } from '../detect/detector.ts';
import { byCase, describeMethodResults, resultsOf } from '../detect/results.ts';
import { calibratedThreshold } from '../detect/score.ts';
import { detectRecord, type TestPicture } from '../detect/trial.ts';
import type { Result as GroupResult, TrialRecord } from '../record.ts';
import {
  type Learnt,
  learntFile,
  mapFile,
  putDetectPictures,
  storedMap,
  storedThreshold,
  storeThreshold,
} from './detect-files.ts';
import { type EvaluationFolder, jobKind, slug, stemOf, TRIAL_RULES } from './folder.ts';
import { putTrajectory } from './trajectory-files.ts';

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
  /** How many pictures of each kind are written as PNG, and of how many the trajectory of the search. */
  readonly keep: number;
  readonly snapshots: number;
  readonly snapshotSteps: number;
}

export interface DetectHooks {
  readonly onProgress?: (done: number, total: number, what: string) => void;
  readonly onGroup?: (results: readonly GroupResult[], records: readonly TrialRecord[], about: string) => Promise<void>;
  /** A trial that could not be kept: its picture, and why. */
  readonly onFailure?: (file: string, reason: string) => void;
  /** Aborted: the current batch is finished, and no other is started. */
  readonly signal?: AbortSignal;
}

export interface DetectOutcome {
  readonly results: readonly GroupResult[];
  readonly records: readonly TrialRecord[];
  readonly complete: boolean;
}

/** A trial that could not be written (a full disk) is reported as a warning and left out; the others are done. */
export async function evaluateDetect(
  job: DetectJob,
  folder: EvaluationFolder,
  hooks: DetectHooks = {},
): Promise<DetectOutcome> {
  const results: GroupResult[] = [];
  const records: TrialRecord[] = [];
  const [, , height, width] = job.good.dims;
  const truths = job.test.map((picture) => picture.truth);
  for (const [k, candidate] of job.candidates.entries()) {
    const { name: method } = candidate;
    const onProgress = (share: number, what: string) =>
      hooks.onProgress?.(k + share, job.candidates.length, `${method}, ${what}`);
    const run = await runCandidate(job, candidate, folder, onProgress, hooks);
    if (!run) return { results: byCase(results), records, complete: false };
    records.push(...run.records);
    // Of the pictures that could be kept, in their order.
    const own = run.records.map(({ index }) => truths[index]);
    results.push(...resultsOf({ ...run, set: job.set, method, height, width, seed: job.seed, truths: own }));
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
  folder: EvaluationFolder,
  onProgress: (share: number, what: string) => void,
  hooks: DetectHooks,
): Promise<Run | undefined> {
  const { name, description, batch } = candidate;
  const { signal } = hooks;
  // What was learnt is believed by its key alone: unlike a journal's entry, it says nothing of the program.
  const learntKey = hashOfData(['learnt', VERSION, TRIAL_RULES, job.description, name, description]);
  const key = hashOfData(['detect', job.description, name, description, job.falseAlarm, job.seed]);
  const thresholdKey = hashOfData(['threshold', learntKey, job.falseAlarm, job.seed]);
  const place = path.join(folder.folder, 'maps', slug(name));
  const known = await storedThreshold(place, thresholdKey);
  const held = known === undefined ? job.held.dims[0] : 0;
  const total = job.test.length + held;
  let begun = 0;
  const tell = (done: number, what: string) => onProgress(begun + (1 - begun) * (done / total), what);
  let detector: Detector | undefined;
  const learner = async () => {
    const onLearning = (made: number, all: number) => {
      begun = (LEARNING * made) / all;
      tell(0, 'learning');
    };
    tell(0, 'learning');
    const learnt = learntFile(folder.folder, name, learntKey);
    detector ??= await candidate.learn(job.good, { learnt, onProgress: onLearning, signal });
    return detector;
  };
  try {
    let calibratedOn = 0;
    const threshold =
      known ??
      (await calibrated(
        job,
        await learner(),
        batch,
        (newly) => {
          calibratedOn += newly;
          tell(calibratedOn, 'calibration');
        },
        signal,
      ));
    if (threshold === undefined) return undefined;
    if (known === undefined) await storeThreshold(place, thresholdKey, threshold);
    const records: TrialRecord[] = [];
    const maps = new Map<string, Float32Array>();
    const { interrupted } = await runJob(candidateJob({ job, candidate, key, threshold, learner, maps }), folder, {
      resume: true,
      signal,
      onEvent(event) {
        if (event.kind === 'progress') tell(held + event.done, event.what);
        else if (event.kind === 'warning') hooks.onFailure?.(folder.folder, event.message);
        else if (event.kind === 'record') {
          if (event.entry.status === 'done') records.push(event.entry.record);
          else hooks.onFailure?.(event.entry.record.image, event.entry.record.message ?? 'It could not be kept.');
        }
      },
    });
    if (interrupted) return undefined;
    const all: Float32Array[] = [];
    for (const one of records) all.push(maps.get(one.key) ?? (await storedMap(folder.folder, name, one.key)));
    return { records, maps: all, threshold };
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
interface Member {
  readonly picture: TestPicture;
  readonly index: number;
  readonly wanted: { readonly pictures: boolean; readonly trajectory: boolean };
}

/** What a detector found on a member of a batch: the i-th of what it found. */
interface Result {
  readonly detector: Detector;
  readonly found: Found;
  readonly i: number;
  readonly seconds: number;
}

interface CandidateRun {
  readonly job: DetectJob;
  readonly candidate: Candidate;
  readonly key: string;
  readonly threshold: number;
  /** What has learnt already, or learns now; undefined if aborted. */
  readonly learner: () => Promise<Detector | undefined>;
  /** Filled with the maps of new trials, by their keys. */
  readonly maps: Map<string, Float32Array>;
}

/** The trials of one candidate on the test pictures. */
function candidateJob(run: CandidateRun): Job<Member, Member, Result, TrialRecord> {
  const { job, candidate, key, threshold, maps } = run;
  const { name: method } = candidate;
  const kept = ranksOf(job.test);
  const memberOf = (picture: TestPicture, index: number): Member => {
    const pictures = kept[index] < job.keep && isDrawable(picture.image);
    return {
      picture,
      index,
      wanted: { pictures, trajectory: pictures && candidate.walks && kept[index] < job.snapshots },
    };
  };
  return {
    kind: jobKind('detect'),
    key,
    rules: TRIAL_RULES,
    async *items() {
      for (const [index, picture] of job.test.entries()) {
        const item = memberOf(picture, index);
        const name = hashOfData([key, index, picture.name, picture.sha256]);
        const left = job.test.length - 1 - index;
        yield { name, source: picture.name, content: picture.sha256, item, left };
      }
    },
    batch: candidate.batch,
    even: false,
    together: true,
    alone: false,
    load: async ({ item }) => item,
    async *run(batch, report) {
      const detector = await run.learner();
      if (!detector) return;
      const started = performance.now();
      const found = await detector.find(stackImages(batch.map(({ picture }) => picture.image)));
      if (!found) return;
      const seconds = (performance.now() - started) / 1000 / batch.length;
      report(1, batch[0].picture.name);
      for (const i of batch.keys()) yield { detector, found, i, seconds };
    },
    async write(outputs, planned, { picture, index, wanted }, { detector, found, i, seconds }) {
      const { image, truth } = picture;
      const map = mapsOf(detector, imageAt(found.maps, i)).data;
      const mask = map.map((value) => (value > threshold ? 1 : 0));
      const stem = stemOf(index, picture.name, planned.name);
      const givenStem = stemOf(index, picture.name, picture.sha256);
      const restored = found.restored && imageAt(found.restored, i);
      await outputs.put(mapFile(method, planned.name), writeNpy(float32(map, image.dims.slice(2))));
      // One scale per method and set, never per picture: good parts stay dark. The threshold lies at a third.
      const shown = { method, stem, givenStem, image, truth, restored, found: mask, map, white: 3 * threshold };
      const pictures = wanted.pictures ? await putDetectPictures(outputs, shown) : undefined;
      const trajectory = wanted.trajectory ? await detector.trajectory?.(image, job.snapshotSteps) : undefined;
      const snapshots = trajectory && (await putTrajectory(outputs, `pictures/${slug(method)}/${stem}`, trajectory));
      maps.set(planned.name, map);
      const record = {
        ...detectRecord({ set: job.set, method, key: planned.name, picture, index, mask, map, seconds }, found, i),
        ...(pictures ? { pictures } : {}),
        ...(snapshots ? { snapshots } : {}),
      };
      return { status: 'done', record };
    },
    failed: ({ name, item: { picture, index } }, message) => ({
      kind: 'detect',
      key: name,
      set: job.set,
      case: picture.defect,
      method,
      maskGiven: false,
      image: picture.name,
      index,
      code: 'failed',
      message,
      metrics: {},
      seconds: 0,
    }),
    suffices: (record, { item: { wanted } }) =>
      (!wanted.pictures || record.pictures !== undefined) && (!wanted.trajectory || record.snapshots !== undefined),
  };
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
