/**
 * The protocol of detection on files: each detector learns from good pictures, gets one threshold from other good pictures,
 * and is then scored on the test part. Maps are kept, so that a resumed run computes none twice.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { colourMap } from '../../images/colour.ts';
import { coverage, type Image, imageAt, stackImages } from '../../images/image.ts';
import { writeFileAtomic, writeMask, writeNpyFile, writePicture } from '../../images/node/write.ts';
import { dice, iou } from '../../metrics/overlap.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import { aggregate } from '../aggregate.ts';
import { type Detector, findAll, smoothed } from '../detect/detector.ts';
import { calibratedThreshold, detectionMetrics, imageScore, type Scored } from '../detect/score.ts';
import type { MetricName } from '../metrics.ts';
import type { Result, TrialPictures, TrialRecord } from '../record.ts';
import { GOOD } from './detection-layouts.ts';
import { hashOf, type Store, slug } from './store.ts';

export interface TestPicture {
  readonly name: string;
  readonly defect: string;
  /** [1,C,H,W] in [-1,1] */
  readonly image: Image;
  /** Zeros for good pictures; absent where a defective one has no mask. */
  readonly truth?: Float32Array;
  readonly sha256: string;
}

export interface Candidate {
  readonly name: string;
  /** Everything that decides what it does, as data. */
  readonly description: unknown;
  /** Learns from good pictures [n,C,H,W]. */
  readonly learn: (good: Image) => Promise<Detector>;
  /** Pictures looked at together. */
  readonly batch: number;
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
  /** So many pictures of each kind are kept as PNG. */
  readonly keep: number;
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
  for (const [k, candidate] of job.candidates.entries()) {
    const onProgress = (share: number, what: string) =>
      hooks.onProgress?.(k + share, job.candidates.length, `${candidate.name}, ${what}`);
    const run = await runCandidate(job, candidate, store, onProgress, hooks.signal);
    if (!run) return { results: byCase(results), records, complete: false };
    records.push(...run.records);
    results.push(...resultsOf(job, candidate.name, run));
    await hooks.onGroup?.(byCase(results), records, describe(results, candidate.name));
  }
  return { results: byCase(results), records, complete: true };
}

interface Run {
  readonly records: readonly TrialRecord[];
  readonly maps: readonly Float32Array[];
  readonly threshold: number;
}

/** Undefined if aborted. */
async function runCandidate(
  job: DetectJob,
  candidate: Candidate,
  store: Store,
  onProgress: (share: number, what: string) => void,
  signal: AbortSignal | undefined,
): Promise<Run | undefined> {
  const place = path.join(store.folder, 'maps', slug(candidate.name));
  const base = hashOf(['detect', job.description, candidate.name, candidate.description, job.falseAlarm, job.seed]);
  const keys = job.test.map((picture, i) => hashOf([base, i, picture.name, picture.sha256]));
  const mapFile = (i: number) => path.join(place, `${keys[i]}.npy`);
  const kept = keptOf(job);
  const [, , height, width] = job.good.dims;
  const maps: Float32Array[] = [];
  const records: TrialRecord[] = [];
  let detector: Detector | undefined;
  let threshold = await calibrationOf(place, base);
  const total = job.test.length + (threshold === undefined ? job.held.dims[0] : 0);
  let done = 0;
  const learnt = async () => {
    onProgress(done / total, 'learning');
    detector ??= await candidate.learn(job.good);
    return detector;
  };
  try {
    if (threshold === undefined) {
      const found = await findAll(await learnt(), job.held, candidate.batch, (n) => {
        done = n;
        onProgress(done / total, 'calibration');
      });
      if (signal?.aborted) return undefined;
      threshold = calibratedThreshold(
        found.map((one) => smoothed(one.maps).data),
        job.falseAlarm,
      );
      await writeFileAtomic(path.join(place, 'calibration.json'), JSON.stringify({ key: base, threshold }));
    }
    for (let first = 0; first < job.test.length; first += candidate.batch) {
      const members = job.test.slice(first, first + candidate.batch);
      const earlier = await Promise.all(
        members.map((_, i) => earlierOf(store, keys[first + i], mapFile(first + i), kept.has(first + i))),
      );
      if (earlier.every((one) => one !== undefined)) {
        for (const one of earlier) {
          records.push(one.record);
          maps.push(one.map);
        }
      } else {
        if (signal?.aborted) return undefined;
        const started = performance.now();
        const { maps: raw, restored } = await (await learnt()).find(stackImages(members.map((one) => one.image)));
        const seconds = (performance.now() - started) / 1000 / members.length;
        if (signal?.aborted) return undefined;
        const made: TrialRecord[] = [];
        for (const [i, picture] of members.entries()) {
          const map = smoothed(imageAt(raw, i)).data;
          await writeNpyFile(mapFile(first + i), float32(map, [height, width]));
          maps.push(map);
          const trial = { picture, index: first + i, key: keys[first + i], map, threshold, seconds };
          const shown = kept.has(first + i) ? (restored ? imageAt(restored, i) : null) : undefined;
          made.push(await recordOf(job, candidate.name, trial, shown, store.folder));
        }
        await store.append(made);
        records.push(...made);
      }
      done += members.length;
      onProgress(done / total, members[0].name);
    }
    return { records, maps, threshold };
  } finally {
    await detector?.dispose();
  }
}

/** The first pictures of each kind. */
function keptOf(job: DetectJob): Set<number> {
  const seen = new Map<string, number>();
  return new Set(
    job.test.flatMap(({ defect }, i) => {
      seen.set(defect, (seen.get(defect) ?? 0) + 1);
      return seen.get(defect)! <= job.keep ? [i] : [];
    }),
  );
}

async function calibrationOf(place: string, key: string): Promise<number | undefined> {
  try {
    const stored = JSON.parse(await readFile(path.join(place, 'calibration.json'), 'utf8')) as {
      key?: unknown;
      threshold?: unknown;
    };
    return stored.key === key && typeof stored.threshold === 'number' ? stored.threshold : undefined;
  } catch {
    return undefined;
  }
}

async function earlierOf(store: Store, key: string, file: string, shown: boolean) {
  const record = store.find(key);
  if (!record || (shown && !record.pictures)) return undefined;
  try {
    return { record, map: float32Data(readNpy(await readFile(file))) };
  } catch {
    return undefined;
  }
}

interface Trial {
  readonly picture: TestPicture;
  readonly index: number;
  readonly key: string;
  readonly map: Float32Array;
  readonly threshold: number;
  readonly seconds: number;
}

/** `shown`: what the detector thinks a good picture would be (null if it does not say), where pictures are kept. */
async function recordOf(
  job: DetectJob,
  method: string,
  { picture, index, key, map, threshold, seconds }: Trial,
  shown: Image | null | undefined,
  folder: string,
): Promise<TrialRecord> {
  const { truth, defect, image, name } = picture;
  const [, channels, height, width] = image.dims;
  const found = map.map((value) => (value > threshold ? 1 : 0));
  const drawable = channels === 1 || channels === 3;
  const overlap = truth && defect !== GOOD ? { mask_iou: iou(truth, found), mask_dice: dice(truth, found) } : {};
  let pictures: TrialPictures | undefined;
  if (shown !== undefined && drawable) {
    const stem = `${String(index).padStart(4, '0')}-${slug(name.replace(/\.[^.]*$/, ''))}`;
    const place = `pictures/${slug(method)}/${stem}`;
    const dims = [1, 1, height, width];
    pictures = {
      input: `pictures/given/${stem}.png`,
      ...(truth ? { trueMask: `pictures/given/${stem}.mask.png` } : {}),
      ...(shown ? { restored: `${place}.restored.png` } : {}),
      mask: `${place}.mask.png`,
      map: `${place}.map.png`,
    };
    await writePicture(path.join(folder, pictures.input), image);
    if (truth) await writeMask(path.join(folder, pictures.trueMask!), float32(truth, dims));
    if (shown) await writePicture(path.join(folder, pictures.restored!), shown);
    await writeMask(path.join(folder, pictures.mask!), float32(found, dims));
    // One scale per method, never per picture: good parts stay dark. The threshold lies at a third.
    await writePicture(path.join(folder, pictures.map!), colourMap(float32(map, dims), 0, 3 * threshold));
  }
  return {
    kind: 'detect',
    key,
    set: job.set,
    case: defect,
    method,
    told: false,
    image: name,
    index,
    code: 'done',
    metrics: { ...overlap, masked_share: coverage(found), ...(truth ? { true_share: coverage(truth) } : {}) },
    seconds: Number(seconds.toFixed(4)),
    score: imageScore(map),
    ...(pictures ? { pictures } : {}),
  };
}

export const ALL_DEFECTS = 'all defects';

/** All defects pooled, then each kind against the same good pictures, then the good ones alone. */
function resultsOf(job: DetectJob, method: string, { records, maps, threshold }: Run): Result[] {
  const [, , height, width] = job.good.dims;
  const scored = job.test.map((picture, i): Scored => {
    const { truth, defect } = picture;
    return { map: maps[i], defective: defect !== GOOD, score: records[i].score!, ...(truth ? { truth } : {}) };
  });
  const kinds = [...new Set(job.test.map((picture) => picture.defect))].filter((defect) => defect !== GOOD);
  const group = (name: string, has: (defect: string) => boolean): Result => {
    const own = records.filter((record) => has(record.case)).map((record) => ({ ...record, case: name }));
    const [summary] = aggregate(own, job.seed);
    const pictures = scored.filter((one, i) => !one.defective || has(job.test[i].defect));
    const pooled = name === GOOD ? { metrics: {}, curves: [] } : detectionMetrics(pictures, height, width, threshold);
    const metrics: Result['metrics'] = { ...pooled.metrics, ...summary.metrics };
    return {
      ...summary,
      set: job.set,
      case: name,
      method,
      told: false,
      metrics,
      ...(pooled.curves.length > 0 ? { curves: pooled.curves } : {}),
    };
  };
  const hasGood = job.test.some((picture) => picture.defect === GOOD);
  return [
    ...(kinds.length > 1 ? [group(ALL_DEFECTS, (defect) => defect !== GOOD)] : []),
    ...kinds.map((kind) => group(kind, (defect) => defect === kind)),
    ...(hasGood ? [group(GOOD, (defect) => defect === GOOD)] : []),
  ];
}

/** Tables read case by case. */
function byCase(results: readonly Result[]): Result[] {
  const cases = [...new Set(results.map((result) => result.case))];
  return cases.flatMap((name) => results.filter((result) => result.case === name));
}

function describe(results: readonly Result[], method: string): string {
  const first = results.find((result) => result.method === method)!;
  const names: readonly MetricName[] = [
    'pixel_auroc',
    'pixel_ap',
    'aupro',
    'dice_calibrated',
    'dice_oracle',
    'image_auroc',
  ];
  const shown = names.map((name) => {
    const value = first.metrics[name];
    return value && 'pooled' in value ? value.pooled.toFixed(3) : '-';
  });
  return `${first.case}, ${method}: pixel AUROC ${shown[0]}, AP ${shown[1]}, AUPRO ${shown[2]}, Dice ${shown[3]} (oracle ${shown[4]}), image AUROC ${shown[5]}`;
}
