/** Restoration of picture files into a folder: a job whose items are pictures, and the manifest that is derived from its journal. */
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { type Mask, stackImages } from '../../images/image.ts';
import { type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { buildMethod } from '../../inversion/methods/index.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import {
  batchSize,
  plannedSteps,
  RESTORE_RULES,
  type Restoration,
  type RestoreJob,
  restoreImages,
} from '../../inversion/solve/restore.ts';
import { type Method, tunesWeights } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { jsonDocument } from '../../jobs/document.ts';
import type { Job, JobEvent, Outcome, Planned, ReportShare } from '../../jobs/job.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { type PictureItem, pictureItems, withoutOwnOutputs } from '../../jobs/node/pictures.ts';
import { lastOnly, sha256OfContent, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Model } from '../../onnx/graph.ts';
import { zeros } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { PICTURE_KINDS, putRestoration } from './files.ts';
import {
  describeMethod,
  type ImageRecord,
  imageRecordSchema,
  keyOf,
  listed,
  MANIFEST,
  type ManifestHead,
  type PictureFacts,
  RESIDUAL_SCALE,
  type RunDescription,
  recordOf,
} from './manifest.ts';
import { findSources, type Loaded, loadedAt, type ReadingOptions, readSource, type Source } from './pictures.ts';

/** What `restoreFiles` is asked. */
export interface RestoreFilesOptions {
  /** Picture files, `.npy` arrays [C,H,W] or [N,C,H,W] in [-1,1], folders, or patterns. */
  readonly files: readonly string[];
  /** Search the folders below those that are named, too; default: where a folder holds pictures only in folders below it. */
  readonly recursive?: boolean;
  /** The folder of the results; made where it is not there. */
  readonly out: string;
  /** From `openGenerator`. */
  readonly generator: Generator;
  /** Default: `rgi` with its preset `fast`, with masks the same given the mask. */
  readonly method?: Method;
  /** Discriminator and feature network, for methods with such terms. */
  readonly critic?: Critic;
  /** A mask for all pictures, or a folder of masks named after them (1, white = to be filled); for methods that are given one. */
  readonly masks?: string;
  /** Pictures of another size than the generator's; default: they are refused. */
  readonly fit?: ReadingOptions['fit'];
  /** Colour pictures for a grey generator; default: they are refused. */
  readonly grey?: ReadingOptions['grey'];
  /** Shared with other runs of the same generator, start rule and critic; a run shares among its own pictures anyway. */
  readonly reuse?: Reuse;
  /** Pictures inverted side by side; default: chosen for the generator and method. */
  readonly batch?: number;
  /** Methods without a mask of their own: residual, in grey levels (0 to 255), above which a pixel is masked; default 32. */
  readonly thresholdGrey?: number;
  /** How the seam of the composite is blended; default `poisson`. */
  readonly blend?: RestoreJob['blend'];
  /** Pixels by which the composite's filled region is grown; default 1. */
  readonly grow?: number;
  /** The float arrays too. */
  readonly npy?: boolean;
  /** A model of the generator, to be written as it was tuned to each picture (methods that tune weights). */
  readonly tunedModel?: Model;
  /** Resume an earlier run of the same settings: what its journal and the files' hashes confirm is not done again. */
  readonly resume?: boolean;
  /** Remove what an earlier run wrote, and start again. */
  readonly overwrite?: boolean;
  /** Aborted: the current pictures are finished, and no others are started. */
  readonly signal?: AbortSignal;
  /** Called with progress, each finished record, and warnings. */
  readonly onEvent?: (event: JobEvent<ImageRecord>) => void;
  /** How the manifest describes options and networks; decides, with the method, whether two runs are of one kind. */
  readonly description?: Partial<RunDescription>;
  /** Notes and further facts for the manifest; they decide nothing. */
  readonly notes?: readonly string[];
  /** Further facts for the manifest; they decide nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What became of the pictures of a run. */
export interface RestoreFilesResult extends Outcome {
  /** The manifest's path. */
  readonly manifest: string;
}

/**
 * Restores pictures into `out`: for each NAME a restored picture, composite, mask, soft mask and residual, `journal.jsonl`, and
 * `manifest.json`. A picture that cannot be read or written is reported (`onEvent`) and does not stop the others; one that is named alone throws.
 *
 * @throws RgiError `usage` where the folder is in use, or holds results of other settings; `input` where there are no pictures.
 * @example
 * ```ts
 * import { mkdtemp } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import path from 'node:path';
 * import { fileURLToPath } from 'node:url';
 * import { createRuntime, openGenerator, openModel, restoreFiles } from 'rgi/node';
 *
 * const named = (file: string) => fileURLToPath(import.meta.resolve(`rgi/models/fashion-trousers/${file}`));
 * const runtime = await createRuntime();
 * const { graph } = await openModel(named('generator.onnx'));
 * const generator = await openGenerator(graph, runtime);
 * const out = path.join(await mkdtemp(path.join(tmpdir(), 'rgi-')), 'restored');
 * const { done, failed } = await restoreFiles({ files: [named('pictures/00097.png')], out, generator }, runtime);
 * console.log(done, failed); // 1 0
 * await runtime.dispose();
 * ```
 */
export async function restoreFiles(options: RestoreFilesOptions, runtime: Runtime): Promise<RestoreFilesResult> {
  const sources = await findSources(options.files, options.masks, { recursive: options.recursive });
  const settings = await resolved(options);
  const key = keyOf(settings.description);
  const { out, resume, overwrite } = options;
  const folder = await openRunFolder(out, {
    kind: 'restore',
    key,
    rules: RESTORE_RULES,
    record: imageRecordSchema,
    derived: [MANIFEST],
    resume,
    overwrite,
  });
  try {
    const inputs = await withoutOwnOutputs(sources, folder, PICTURE_KINDS, (message) =>
      options.onEvent?.({ kind: 'warning', message }),
    );
    folder.guard(inputs.flatMap(({ path: file, mask }) => (mask === undefined ? [file] : [file, mask])));
    const job = restoreJob(settings, inputs, key, folder, runtime);
    const outcome = await runJob(job, folder, {
      resume,
      signal: options.signal,
      onEvent: options.onEvent,
      save: (complete) => writeManifest(folder, headOf(settings, key, runtime, complete)),
    });
    return { ...outcome, manifest: `${out}/${MANIFEST}` };
  } finally {
    await folder.close();
  }
}

/** Options with their defaults, and how they are described. */
interface Settings extends ReadingOptions {
  readonly options: RestoreFilesOptions;
  readonly method: Method;
  readonly restore: Omit<RestoreJob, 'images' | 'masks' | 'outside'>;
  readonly npy: boolean;
  readonly description: RunDescription;
}

async function resolved(options: RestoreFilesOptions): Promise<Settings> {
  const { generator, critic, batch, thresholdGrey = FAST.thresholdGrey, blend = 'poisson', grow = 1 } = options;
  const { fit = 'refuse', grey = 'refuse', npy = false, masks } = options;
  const context = {
    channels: generator.channels,
    generator: generator.graph,
    masked: masks !== undefined,
    critic: false,
  };
  const method = options.method ?? buildMethod({ method: 'rgi' }, { ...context, logistic: false, layers: [] });
  if (method.needsMask && masks === undefined)
    throw new RgiError('usage', `The method '${method.name}' needs masks: give a file or a folder of them.`);
  const decisive = { thresholdGrey, fit, grey, blend, grow, npy, masked: masks !== undefined };
  const description: RunDescription = {
    options: { ...decisive, saveGenerator: options.tunedModel !== undefined },
    generator: options.description?.generator ?? describeGenerator(generator),
    ...options.description,
    method: describeMethod(method),
  };
  const restore = { generator, method, critic, batch, thresholdGrey, blend, grow };
  return { options, method, restore, fit, grey, npy, description };
}

function describeGenerator({ graph, latents, channels, height, width }: Generator): unknown {
  return { sha256: sha256OfContent(encodeModel(graph)), latents, image: [channels, height, width] };
}

function headOf({ options, description }: Settings, key: string, runtime: Runtime, complete: boolean): ManifestHead {
  return {
    format: 1,
    complete,
    key,
    versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
    device: runtime.device,
    ...options.facts,
    ...description,
    residualScale: RESIDUAL_SCALE,
    notes: options.notes ?? [],
  };
}

async function writeManifest(folder: RunFolder<ImageRecord>, head: ManifestHead): Promise<void> {
  const now = { program: folder.program, rules: RESTORE_RULES };
  const images = async function* () {
    for await (const entry of folder.entries()) yield listed(entry, now);
  };
  await folder.derive(MANIFEST, jsonDocument(head, 'images', images()));
}

type Item = PictureItem<Source>;

/** A picture and its name, for progress. */
interface Member extends Loaded {
  readonly name: string;
}

function restoreJob(
  settings: Settings,
  sources: readonly Source[],
  key: string,
  folder: RunFolder<ImageRecord>,
  runtime: Runtime,
): Job<Item, Member, Restoration, ImageRecord> {
  const { restore, options, npy } = settings;
  const maskHash = lastOnly(sha256Of);
  // The pictures of one array follow each other: it is read once.
  const read = lastOnly((source: Source) => readSource(source, restore.generator, settings));
  const doubted = new Set<string>();
  const shared = options.reuse ?? reuse();
  const choice = { npy, generator: options.tunedModel };
  return {
    kind: 'restore',
    key,
    rules: RESTORE_RULES,
    items: () =>
      pictureItems(sources, folder.names(), async ({ mask }) => (mask === undefined ? '' : `+${await maskHash(mask)}`)),
    batch: batchSize(restore),
    even: true,
    // Where no weights are tuned, a batch is one search.
    together: !tunesWeights(restore.method),
    alone: sources.length === 1,
    async load({ name, item: { source, index } }) {
      const stored = await read(source);
      // Doubts about a mask for all pictures are reported once.
      for (const message of stored.doubts) {
        if (!doubted.has(message)) options.onEvent?.({ kind: 'warning', message });
        doubted.add(message);
      }
      return { name, ...loadedAt(stored, index) };
    },
    run: (batch, report) => restoreBatch({ ...restore, reuse: shared }, batch, runtime, report),
    async write(outputs, planned, loaded, result) {
      const facts = factsOf(planned);
      if (result.code === 'diverged') {
        const message = RESULT_SENTENCES.diverged;
        return { status: 'failed', record: { ...facts, status: 'failed', message, code: result.code } };
      }
      await putRestoration(outputs, planned.name, loaded.image, result, choice);
      return { status: 'done', record: recordOf(facts, loaded, result, outputs.names()) };
    },
    failed: (planned, message) => ({ ...factsOf(planned), status: 'failed', message }),
  };
}

function factsOf({ name, content, item: { source, sha256 } }: Planned<Item>): PictureFacts {
  const maskSha256 = source.mask === undefined || content === '' ? undefined : content.split('+')[1];
  return {
    name,
    path: source.path,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(maskSha256 === undefined ? {} : { maskSha256 }),
  };
}

async function* restoreBatch(
  job: Omit<RestoreJob, 'images' | 'masks' | 'outside'>,
  batch: readonly Member[],
  runtime: Runtime,
  report: ReportShare,
): AsyncGenerator<Restoration> {
  const steps = plannedSteps(job.method);
  const [{ name }] = batch;
  const what = batch.length === 1 ? name : `${name} and ${batch.length - 1} more`;
  let made = 0;
  report(0, `${what}: choosing starts`);
  const images = stackImages(batch.map(({ image }) => image));
  const masks = batch[0].mask && stackImages(batch.map(({ mask }) => mask!));
  // The engine has made the batch; it is not to be divided again.
  const own = { ...job, batch: batch.length, images, masks, outside: marginsOf(batch) };
  yield* restoreImages(own, runtime, {
    onStep: (_, pictures) => {
      made += pictures;
      report(made / (steps * batch.length), `${what}: step ${Math.ceil(made / batch.length)} of ${steps}`);
    },
  });
}

/** The margins of a batch; undefined where no picture has any. */
function marginsOf(batch: readonly Loaded[]): Mask | undefined {
  if (batch.every(({ outside }) => outside === undefined)) return undefined;
  return stackImages(batch.map(({ outside, image }) => outside ?? zeros('float32', [1, 1, ...image.dims.slice(2)])));
}
