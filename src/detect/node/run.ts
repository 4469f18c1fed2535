/**
 * Detection on files: reads, examines and writes one batch of pictures after another. A broken picture does not stop the
 * others; each picture's record is written when its files are, so that a run can be gone on with.
 */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { colourMap, overlay } from '../../images/colour.ts';
import { coverage, type Image, shapeOf } from '../../images/image.ts';
import type { InputFile } from '../../images/node/inputs.ts';
import { writeMask, writeNpyFile, writePicture } from '../../images/node/write.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Defect, findDefects } from '../defects.ts';
import { type Examination, type ExaminerOptions, openExaminer } from '../examiner.ts';
import type { Policy } from '../policy.ts';
import { mapAtOwnSize, readForExamination, unexaminedShare, type WorkingPicture } from './pictures.ts';

/** One picture of a run of `detectFiles`: a line of `results.jsonl`. */
export interface DetectRecord {
  /** Unique in the run: the output files begin with it. */
  readonly name: string;
  /** The picture's file as it was given. */
  readonly path: string;
  /** Of the picture's bytes, in hexadecimal; absent where it could not be read. */
  readonly sha256?: string;
  /** 'failed': `message` says why, and the other fields are absent. */
  readonly status: 'done' | 'failed';
  /** The sentence of a failure, or what a user should know. */
  readonly message?: string;
  /** `imageScore` at the size that is examined; `defective` is whether it is above the image threshold. */
  readonly score?: number;
  /** Is the score above the policy's image threshold? */
  readonly defective?: boolean;
  /** Regions above the pixel threshold, in pixels of the picture's own size. */
  readonly defects?: readonly Defect[];
  /** Share of the picture's pixels in these regions, 0 to 1. */
  readonly markedShare?: number;
  /** Of the picture's own size, in pixels. */
  readonly width?: number;
  /** Of the picture's own size, in pixels. */
  readonly height?: number;
  /** Time for this picture; of a batch its share. */
  readonly seconds?: number;
  /** Names of the files written into the output folder. */
  readonly files?: readonly string[];
}

export interface DetectJob extends ExaminerOptions {
  readonly sources: readonly InputFile[];
  readonly out: string;
  /** Records of an earlier run of the same settings: pictures with the same bytes and all their files are not done again. */
  readonly earlier: readonly DetectRecord[];
  readonly hashOf: (file: string) => Promise<string>;
}

export interface DetectHooks {
  /** Each picture's record, in order, when it is finished. */
  readonly onRecord: (record: DetectRecord, all: readonly DetectRecord[]) => Promise<void>;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

interface Waiting {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly picture: WorkingPicture;
}

/**
 * Inspects picture files by a policy and writes maps, masks and overlays into a folder. A picture that cannot be read
 * becomes a record with status 'failed'; the others are done.
 */
export async function detectFiles(
  job: DetectJob,
  runtime: Runtime,
  hooks: DetectHooks,
): Promise<{ records: readonly DetectRecord[]; interrupted: boolean }> {
  const { policy, generator, sources, signal } = job;
  const records: DetectRecord[] = [];
  const put = async (record: DetectRecord) => {
    records.push(record);
    await hooks.onRecord(record, records);
  };
  const examiner = await openExaminer(job, runtime);
  let waiting: Waiting[] = [];
  const examine = async () => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const started = performance.now();
    const what = batch.length === 1 ? batch[0].name : `${batch[0].name} and ${batch.length - 1} more`;
    const examined = await examiner.examine(
      batch.map(({ picture }) => picture.working),
      (share) => hooks.onProgress?.(records.length + share * batch.length, sources.length, what),
    );
    const seconds = (performance.now() - started) / 1000 / batch.length;
    for (const [i, one] of batch.entries()) {
      const written = await writeExamination(job.out, one.name, one.picture, examined[i], policy);
      await put({
        name: one.name,
        path: one.path,
        sha256: one.sha256,
        status: 'done',
        ...written,
        seconds: rounded(seconds),
      });
    }
  };
  try {
    for (const source of sources) {
      signal?.throwIfAborted();
      try {
        const sha256 = await job.hashOf(source.path);
        const before = await finished(job, source, sha256);
        const alone = before.get(source.name);
        if (alone) {
          await examine();
          await put(alone);
          continue;
        }
        const pictures = await readForExamination(source.path, generator, policy);
        for (const [i, picture] of pictures.entries()) {
          const name = nameOf(source.name, i, pictures.length);
          const earlier = before.get(name);
          if (earlier) {
            await examine();
            await put(earlier);
            continue;
          }
          waiting.push({ name, path: source.path, sha256, picture });
          if (waiting.length >= examiner.batch) await examine();
        }
      } catch (error) {
        // One picture that is named alone has its error told as the command's.
        if (!(error instanceof RgiError) || error.code !== 'input' || sources.length === 1) throw error;
        await examine();
        await put({ name: source.name, path: source.path, status: 'failed', message: error.message });
      }
    }
    await examine();
    return { records, interrupted: false };
  } catch (error) {
    if (!signal?.aborted) throw error;
    return { records, interrupted: true };
  } finally {
    await examiner.dispose();
  }
}

function nameOf(name: string, i: number, total: number): string {
  return total === 1 ? name : `${name}.${String(i).padStart(String(total - 1).length, '0')}`;
}

async function writeExamination(
  folder: string,
  name: string,
  picture: WorkingPicture,
  { map: working, score, defective }: Examination,
  policy: Policy,
): Promise<Partial<DetectRecord>> {
  const map = mapAtOwnSize(working, picture);
  const { height, width } = shapeOf(map);
  const { mask, defects } = findDefects(
    map,
    policy.thresholds.pixel,
    areaAtOwnSize(policy.leastArea, working, picture),
  );
  const files: string[] = [];
  const to = (kind: string) => {
    files.push(`${name}.${kind}`);
    return path.join(folder, `${name}.${kind}`);
  };
  await writeNpyFile(to('map.npy'), float32(map.data, [height, width]));
  await writePicture(to('map.png'), colourMap(map, 0, policy.displayHigh));
  await writeMask(to('mask.png'), mask);
  const channels = picture.original.dims[1];
  if (channels === 1 || channels === 3) await writePicture(to('overlay.png'), overlay(picture.original, mask));
  const outside = unexaminedShare(picture);
  return {
    score: rounded(score),
    defective,
    defects: defects.map((one) => ({ ...one, peak: rounded(one.peak) })),
    markedShare: coverage(mask.data),
    width,
    height,
    files,
    ...(outside > 0
      ? { message: `${(100 * outside).toFixed(0)}% of the picture, outside its central square, was not examined.` }
      : {}),
  };
}

function areaAtOwnSize(area: number, working: Image, { placement }: WorkingPicture): number {
  const { height, width } = shapeOf(working);
  return Math.max(1, Math.round((area * placement.crop.height * placement.crop.width) / (height * width)));
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** By name, the pictures of a source that an earlier run finished: the same bytes, and all files are there. */
async function finished(job: DetectJob, source: InputFile, sha256: string): Promise<Map<string, DetectRecord>> {
  const found = new Map<string, DetectRecord>();
  for (const record of job.earlier) {
    if (record.status !== 'done' || record.sha256 !== sha256 || record.path !== source.path) continue;
    const there = await Promise.all((record.files ?? []).map((file) => access(path.join(job.out, file)))).then(
      () => true,
      () => false,
    );
    if (there) found.set(record.name, record);
  }
  return found;
}
