/** Restoration of picture files into a folder: a job whose items are pictures, and the manifest that is derived from its journal. */
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { isDrawable } from '../../images/image.ts';
import type { PictureList } from '../../images/node/listing.ts';
import type { WrittenFormat } from '../../images/node/stored.ts';
import type { Alignment } from '../../images/own-size/view.ts';
import { type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { buildMethod } from '../../inversion/methods/index.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import { RESTORE_RULES, type RestoreJob } from '../../inversion/solve/restore.ts';
import { type Method, tunesWeights } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { jsonDocument } from '../../jobs/document.ts';
import type { Job, JobEvent, Outcome, Planned } from '../../jobs/job.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { type PictureItem, pictureItems, type Supply, supplyOf } from '../../jobs/node/pictures.ts';
import { lastOnly, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import type { Model } from '../../onnx/graph.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { PICTURE_KINDS } from './files.ts';
import { type Form, type FormSettings, type Made, type Named, tiledForm, wholeForm } from './forms.ts';
import {
  describeGenerator,
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
import { findSources, givenContent, listSources, type ReadingOptions, type Seen, type Source } from './pictures.ts';

/** What `restoreFiles` is asked. */
export interface RestoreFilesOptions {
  /** Picture files, `.npy` arrays [C,H,W] or [N,C,H,W] in [-1,1], folders, or patterns; or a list of any length (`openPictureList`). */
  readonly files: readonly string[] | PictureList;
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
  /** What is known to be good (1, white), and never masked: a mask for all pictures, or a folder of masks named after them. */
  readonly keep?: string;
  /** What is known to be corrupted (1, white): masked, and left out of the search. As `keep`. */
  readonly hide?: string;
  /**
   * Latents of earlier results of the pictures, at which the searches begin in place of the method's own starts: an `.npz` as `npy` writes it, or
   * a folder of `NAME.latents.npz`; not of a list, nor with tiles. Solutions of affine generators are exact, and have no start.
   */
  readonly latents?: string;
  /** Pictures of another size than the generator's; default: `contain`, the whole picture with margins of which nothing is known. */
  readonly fit?: ReadingOptions['fit'];
  /** Only this part of each picture is restored, in its own pixels; default: the whole picture. */
  readonly region?: ReadingOptions['region'];
  /**
   * Where the generator's picture lies in each picture, turned or not, or `auto` to find it; in place of `fit` and `region`.
   */
  readonly alignment?: Alignment | 'auto';
  /**
   * Restore each picture by overlapping tiles of the generator's size, for generators of textures, after making it smaller by this factor (1 for
   * its own size); in place of `fit` and `alignment`. Default: whole.
   */
  readonly tiles?: number;
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
  /** Format of the composite's file; default: that of the picture, or PNG where that is not written. */
  readonly format?: WrittenFormat;
  /** The float arrays too, at the generator's size. */
  readonly npy?: boolean;
  /** A model of the generator, to be written as it was tuned to each picture (methods that tune weights). */
  readonly tunedModel?: Model;
  /** Resume an earlier run of the same settings: what its journal and the files' hashes confirm is not done again. */
  readonly resume?: boolean;
  /** Remove what an earlier run wrote, and start again. */
  readonly overwrite?: boolean;
  /** Every file of the run is put into this bucket, too: s3://bucket/prefix. */
  readonly upload?: string;
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
  /** False where the manifest could not be written at the end of the run (a full disk, which is reported as a warning). */
  readonly saved: boolean;
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
  const { masks: mask, keep, hide, latents } = options;
  const { files, recursive } = options;
  const given = { mask, keep, hide, latents };
  if ('named' in files && latents !== undefined)
    throw new RgiError('usage', 'Searches of a list begin at the starts of their method: leave the latents out.');
  const sources = 'named' in files ? listSources(files, given) : await findSources(files, given, { recursive });
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
    upload: options.upload,
  });
  try {
    const supply = await supplyOf<Source>(sources, folder, PICTURE_KINDS, filesOf, (message) =>
      options.onEvent?.({ kind: 'warning', message }),
    );
    let saved = false;
    const running = {
      resume,
      signal: options.signal,
      onEvent: options.onEvent,
      async save(complete: boolean) {
        saved = false;
        await writeManifest(folder, { ...headOf(settings, key, runtime, complete) });
        saved = true;
      },
    };
    const outcome =
      settings.tiles === undefined
        ? await runJob(restoreJob(settings, wholeForm(settings, runtime), supply, key), folder, running)
        : await runJob(restoreJob(settings, tiledForm(settings, runtime), supply, key), folder, running);
    return { ...outcome, manifest: `${out}/${MANIFEST}`, saved };
  } finally {
    await folder.close();
  }
}

/** The files that are read of a source. */
function filesOf({ path: file, mask, keep, hide, latents }: Source): string[] {
  return [file, mask, keep, hide, latents].flatMap((one) => one ?? []);
}

/** Options with their defaults, and how they are described. */
interface Settings extends FormSettings {
  readonly options: RestoreFilesOptions;
  readonly description: RunDescription;
}

async function resolved(options: RestoreFilesOptions): Promise<Settings> {
  const { generator, critic, batch, thresholdGrey = FAST.thresholdGrey, blend = 'poisson', grow = 1 } = options;
  const { fit = 'contain', grey = 'refuse', npy = false, masks, format, region, alignment, tiles } = options;
  const context = {
    channels: generator.channels,
    generator: generator.graph,
    masked: masks !== undefined,
    critic: false,
  };
  const method = options.method ?? buildMethod({ method: 'rgi' }, { ...context, logistic: false, layers: [] });
  if (method.needsMask && masks === undefined)
    throw new RgiError('usage', `The method '${method.name}' needs masks: give a file or a folder of them.`);
  const decisive = {
    thresholdGrey,
    fit,
    grey,
    blend,
    grow,
    npy,
    masked: masks !== undefined,
    format: format ?? 'own',
    region,
    alignment,
    tiles,
    batch,
  };
  const { options: described, ...others } = options.description ?? {};
  const description: RunDescription = {
    options: {
      ...(described ?? { ...decisive, saveGenerator: options.tunedModel !== undefined }),
      // Runs without have no such setting, so that those of earlier versions can be resumed.
      ...(options.latents === undefined ? {} : { fromLatents: true }),
    },
    generator: others.generator ?? describeGenerator(generator),
    ...others,
    method: describeMethod(method),
  };
  const shared = options.reuse ?? reuse();
  const restore = { generator, method, critic, batch, thresholdGrey, blend, grow, reuse: shared };
  checkTiles(options, method);
  return {
    options,
    restore,
    fit,
    region,
    alignment,
    tiles,
    grey,
    npy,
    tunedModel: options.tunedModel,
    blend,
    grow,
    format,
    description,
  };
}

/** What cannot be had of tiles is refused. */
function checkTiles(
  { tiles, alignment, latents, npy, tunedModel, generator }: RestoreFilesOptions,
  method: Method,
): void {
  if (tiles === undefined) return;
  const fail = (what: string) => new RgiError('usage', `Tiles ${what}.`);
  if (!(tiles >= 1)) throw fail(`are taken of the picture made smaller by a factor of at least 1, not ${tiles}`);
  if (alignment) throw fail('have the places that the picture gives them: leave the alignment out');
  if (latents !== undefined) throw fail('have latents of their own: leave those of earlier results out');
  if (npy || tunedModel) throw fail('are merged: float arrays and tuned generators are written of whole pictures only');
  if (!isDrawable({ dims: [1, generator.channels] }))
    throw fail(`are of grey or colour pictures; the generator has ${generator.channels} channels`);
  if (tunesWeights(method))
    throw fail(`would each tune the weights: use a method that does not, such as 'rgi', not '${method.name}'`);
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

/** `manifest.json` of a run's folder, from its journal. */
export async function writeManifest(
  folder: Pick<RunFolder<ImageRecord>, 'program' | 'entries' | 'derive'>,
  head: Readonly<Record<string, unknown>>,
): Promise<void> {
  const now = { program: folder.program, rules: RESTORE_RULES };
  const images = async function* () {
    for await (const entry of folder.entries()) yield listed(entry, now);
  };
  await folder.derive(MANIFEST, jsonDocument(head, 'images', images()));
}

type Item = PictureItem<Source>;

function restoreJob<L extends Seen>(
  settings: Settings,
  form: Form<L>,
  supply: Supply<Source>,
  key: string,
): Job<Item, Named<L>, Made, ImageRecord> {
  const maskHash = lastOnly(sha256Of);
  const doubted = new Set<string>();
  return {
    kind: 'restore',
    key,
    rules: RESTORE_RULES,
    items: () => pictureItems(supply, (source) => givenContent(source, maskHash)),
    batch: form.batch,
    even: true,
    together: form.together,
    alone: supply.alone,
    async load({ name, item: { source, index } }) {
      const { loaded, doubts } = await form.load(source, index);
      // Doubts about a mask for all pictures are reported once.
      for (const message of doubts) {
        if (!doubted.has(message)) settings.options.onEvent?.({ kind: 'warning', message });
        doubted.add(message);
      }
      return { name, loaded };
    },
    run: (batch, report) => form.run(batch, report),
    async write(outputs, planned, { loaded }, { summary, put }) {
      const facts = factsOf(planned);
      if (summary.code === 'diverged') {
        const message = RESULT_SENTENCES.diverged;
        return { status: 'failed', record: { ...facts, status: 'failed', message, code: summary.code } };
      }
      if (summary.code === 'not-restored') {
        const untouched = { losses: [], changed: 0 };
        return { status: 'failed', record: { ...recordOf(facts, loaded, summary, untouched, []), status: 'failed' } };
      }
      const atOwnSize = await put(outputs, planned.name, planned.item.source);
      return { status: 'done', record: recordOf(facts, loaded, summary, atOwnSize, outputs.names()) };
    },
    failed: (planned, message) => ({ ...factsOf(planned), status: 'failed', message }),
  };
}

function factsOf({ name, content, item: { source, sha256 } }: Planned<Item>): PictureFacts {
  const maskSha256 = source.mask === undefined ? undefined : /\+([0-9a-f]{64})/.exec(content)?.[1];
  return {
    name,
    path: source.path,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(maskSha256 === undefined ? {} : { maskSha256 }),
  };
}
