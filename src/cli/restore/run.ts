/** The loop of `rgi restore`: reads, inverts and writes one batch after another; a broken picture does not stop the others. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { type Mask, stackImages } from '../../images/image.ts';
import { reuse } from '../../inversion/compile/reuse.ts';
import { batchSize, evenBatch, plannedSteps, type RestoreJob, restoreImages } from '../../inversion/solve/restore.ts';
import { tunesWeights } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { openModel } from '../../models/node/model-file.ts';
import { zeros } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Io, say } from '../io.ts';
import { progressLine } from '../progress.ts';
import { sha256Of } from '../version.ts';
import { type FileChoice, writeRestoration } from './files.ts';
import type { RestoreFlags } from './flags.ts';
import { type ImageRecord, recordOf } from './manifest.ts';
import { type Item, readSource, type Source } from './pictures.ts';

export interface Outcome {
  readonly records: readonly ImageRecord[];
  readonly interrupted: boolean;
}

type Hashes = Pick<ImageRecord, 'sha256' | 'maskSha256'>;

interface Waiting {
  readonly item: Item;
  readonly hashes: Hashes;
}

/** The margins of a batch; undefined where no picture has any. */
function marginsOf(batch: readonly Waiting[]): Mask | undefined {
  if (batch.every(({ item }) => item.outside === undefined)) return undefined;
  return stackImages(batch.map(({ item }) => item.outside ?? zeros('float32', [1, 1, ...item.image.dims.slice(2)])));
}

export interface RunHooks {
  /** Before the first picture is inverted. */
  readonly begin: () => void;
  /** After each batch, with the records so far. */
  readonly save: (records: readonly ImageRecord[]) => Promise<void>;
}

/** Throws where not one picture of several but the run is at fault. */
export async function runPictures(
  job: Omit<RestoreJob, 'images' | 'masks' | 'outside'>,
  runtime: Runtime,
  sources: readonly Source[],
  earlier: readonly ImageRecord[],
  flags: RestoreFlags,
  io: Io,
  hooks: RunHooks,
): Promise<Outcome> {
  const most = batchSize(job);
  const steps = plannedSteps(job.method);
  const progress = progressLine(io, flags.quiet ?? false);
  const records: ImageRecord[] = [];
  const waiting: Waiting[] = [];
  const names = new Set<string>();
  const doubted = new Set<string>();
  const hashOf = memoised(sha256Of);
  let unread = sources.length;
  let inverted = 0;

  /** Of what waits and what may still come; an array's pictures are known once it is read. */
  const size = () => evenBatch(waiting.length + unread, most);

  const tell = (line: string) => {
    progress.clear();
    if (!flags.quiet) say(io, line);
  };

  // As the user's file has it, not as adapted: so that it is used with the same options.
  const choice: FileChoice = {
    npy: flags.npy ?? false,
    ...(flags.saveGenerator ? { generator: await openModel(flags.generator) } : {}),
  };
  const shared = reuse();
  let begun = false;
  const invert = async (batch: readonly Waiting[]): Promise<void> => {
    if (!begun) hooks.begin();
    begun = true;
    const first = batch[0].item.name;
    const what = batch.length === 1 ? first : `${first} and ${batch.length - 1} more`;
    let made = 0;
    const onStep = (_: unknown, pictures: number) => {
      made += pictures;
      const total = (inverted + waiting.length + batch.length + unread) * steps;
      progress.show(
        inverted * steps + Math.min(made, steps * batch.length),
        total,
        `${what}: step ${Math.ceil(made / batch.length)} of ${steps}`,
      );
    };
    progress.show(inverted, inverted + waiting.length + batch.length + unread, `${what}: choosing starts`);
    const images = stackImages(batch.map(({ item }) => item.image));
    const masks = batch[0].item.mask && stackImages(batch.map(({ item }) => item.mask!));
    const outside = marginsOf(batch);
    let i = 0;
    for await (const result of restoreImages({ ...job, images, masks, outside, reuse: shared }, runtime, {
      onStep,
      signal: io.signal,
    })) {
      const { item, hashes } = batch[i++];
      if (result.code === 'diverged') {
        records.push({ ...failure(item, RESULT_SENTENCES.diverged), ...hashes, code: result.code });
        tell(`${item.name}: failed. ${RESULT_SENTENCES.diverged}`);
        continue;
      }
      const files = await writeRestoration(flags.out, item.name, item.image, result, choice);
      const record = recordOf(item, hashes, result, files);
      records.push(record);
      // What takes one picture after another is not to be lost with the rest of the batch.
      if (tunesWeights(job.method)) await hooks.save(records);
      const masked = `${(100 * record.maskedShare!).toFixed(1)}% masked`;
      if (record.domain === 'outside') {
        tell(
          `warning: ${item.name} is hardly a picture of the kind this generator makes: what was kept of it differs by ${record.misfitGrey!.toFixed(0)} grey levels (RMS), ${masked}.`,
        );
      }
      tell(`${item.name}: ${masked}, loss ${result.loss.toPrecision(4)}, ${result.seconds.toFixed(1)} s`);
    }
    inverted += i;
    await hooks.save(records);
  };

  for (const source of sources) {
    if (io.signal.aborted) break;
    unread--;
    try {
      const items = await readSource(source, job.generator, flags);
      // A mask for all pictures is doubted once.
      for (const doubt of items[0].doubts) if (!doubted.has(doubt)) tell(`warning: ${doubt}`);
      for (const doubt of items[0].doubts) doubted.add(doubt);
      const hashes: Hashes = {
        sha256: await hashOf(source.path),
        ...(source.mask === undefined ? {} : { maskSha256: await hashOf(source.mask) }),
      };
      for (const item of items) {
        // Names of files differ; an array's numbered pictures may still meet one.
        if (names.has(item.name.toLowerCase())) {
          throw new RgiError('input', `${item.path} would give outputs named ${item.name} like another; rename it.`);
        }
        names.add(item.name.toLowerCase());
        const before = await finished(earlier, item, hashes, flags.out);
        if (before) records.push(before);
        else waiting.push({ item, hashes });
      }
    } catch (error) {
      // One picture that is named alone has its error told as the command's.
      if (!(error instanceof RgiError) || sources.length === 1) throw error;
      records.push(failure(source, error.message));
      progress.clear();
      say(io, `error: ${error.message}`);
    }
    while (waiting.length >= size() && !io.signal.aborted) await invert(waiting.splice(0, size()));
  }
  while (waiting.length > 0 && !io.signal.aborted) await invert(waiting.splice(0, size()));
  progress.clear();
  return { records, interrupted: io.signal.aborted };
}

function failure({ name, path: file }: Pick<Source, 'name' | 'path'>, message: string): ImageRecord {
  return { name, path: file, status: 'failed', message };
}

/** The record of a picture that an earlier run finished: the same bytes, and its files are all there. */
async function finished(
  earlier: readonly ImageRecord[],
  item: Item,
  hashes: Hashes,
  folder: string,
): Promise<ImageRecord | undefined> {
  const record = earlier.find(
    (r) =>
      r.status === 'done' &&
      r.name === item.name &&
      r.sha256 === hashes.sha256 &&
      (r.maskSha256 ?? '') === (hashes.maskSha256 ?? ''),
  );
  for (const file of record?.files ?? []) {
    const there = await access(path.join(folder, file)).then(
      () => true,
      () => false,
    );
    if (!there) return undefined;
  }
  return record;
}

function memoised(make: (file: string) => Promise<string>): (file: string) => Promise<string> {
  const made = new Map<string, Promise<string>>();
  return (file) => {
    const known = made.get(file) ?? make(file);
    made.set(file, known);
    return known;
  };
}
