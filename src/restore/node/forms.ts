/** The two forms in which pictures are restored, whole or by tiles: how they are read, searched, and what is written of them. */
import { joinedRows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { coverage, imageAt, type Mask, stackImages } from '../../images/image.ts';
import { readPicture } from '../../images/node/read.ts';
import type { WrittenFormat } from '../../images/node/stored.ts';
import { encodeMap } from '../../images/node/write.ts';
import type { Alignment } from '../../images/own-size/view.ts';
import {
  batchSize,
  plannedSteps,
  type Restoration,
  type RestoreJob,
  restoreImages,
} from '../../inversion/solve/restore.ts';
import { tunesWeights } from '../../inversion/spec/method.ts';
import type { OutputSet, ReportShare } from '../../jobs/job.ts';
import { lastOnly } from '../../jobs/node/program.ts';
import type { Model } from '../../onnx/graph.ts';
import { type Tensor, zeros } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { findAlignment } from '../align/align.ts';
import { restoreTiled, type TiledRestoration } from '../tiled.ts';
import { putRestoration } from './files.ts';
import { latentsAt, openLatents } from './latents.ts';
import { type Summary, summaryOf } from './manifest.ts';
import { type AtOwnSize, putAtOwnSize } from './own-size.ts';
import { type Loaded, loadedAt, type ReadingOptions, readSource, type Seen, type Source } from './pictures.ts';
import { type LoadedTiles, readTiles } from './tiles.ts';

/** Fields of a job that are of its pictures. */
type PerPictureField = 'images' | 'masks' | 'outside' | 'keep' | 'hide' | 'latents';

/** What decides how pictures are restored. */
export interface FormSettings extends Omit<ReadingOptions, 'alignment'> {
  /** Given, or to be found for each picture. */
  readonly alignment: Alignment | 'auto' | undefined;
  /** With what all its searches share. */
  readonly restore: Required<Pick<RestoreJob, 'reuse'>> & Omit<RestoreJob, PerPictureField>;
  /** By tiles, of the picture made smaller by this factor. */
  readonly tiles: number | undefined;
  readonly npy: boolean;
  readonly tunedModel: Model | undefined;
  readonly blend: NonNullable<RestoreJob['blend']>;
  readonly grow: number;
  readonly format: WrittenFormat | undefined;
}

/** A picture and its name, for progress. */
export interface Named<L> {
  readonly name: string;
  readonly loaded: L;
}

/** A picture that was restored. */
export interface Made {
  readonly summary: Summary;
  /** Writes what was made of it. */
  put(outputs: OutputSet, name: string, source: Source): Promise<AtOwnSize>;
}

export interface Form<L extends Seen> {
  /** Pictures that are restored together at most. */
  readonly batch: number;
  /** Is a batch one search? */
  readonly together: boolean;
  load(source: Source, index: number): Promise<{ readonly loaded: L; readonly doubts: readonly string[] }>;
  /** In order; fewer where it was aborted. */
  run(batch: readonly Named<L>[], report: ReportShare): AsyncGenerator<Made>;
}

export function wholeForm(settings: FormSettings, runtime: Runtime): Form<Loaded> {
  const { restore, npy, tunedModel, blend, grow, format } = settings;
  // The pictures of one array follow each other: it is read once.
  const read = lastOnly(async (source: Source) => {
    const { alignment: given } = settings;
    const alignment = given === 'auto' ? await alignmentOf(source, settings, runtime) : given;
    return readSource(source, restore.generator, { ...settings, alignment });
  });
  // As is the file of their latents.
  const archive = lastOnly(openLatents);
  const choice = { npy, generator: tunedModel, blend, grow, format };
  return {
    batch: batchSize(restore),
    // Where no weights are tuned, a batch is one search.
    together: !tunesWeights(restore.method),
    async load(source, index) {
      const stored = await read(source);
      const { latents: file } = source;
      const latents = file === undefined ? undefined : latentsAt(await archive(file), index, restore.generator);
      return { loaded: loadedAt(stored, index, latents), doubts: stored.doubts };
    },
    async *run(batch, report) {
      let i = 0;
      for await (const result of restoreBatch(restore, batch, runtime, report)) {
        const { loaded } = batch[i++];
        // Files have the latents as the network itself has them.
        const latents = restore.generator.exported?.(result.latents) ?? result.latents;
        const shown = { ...result, latents };
        yield {
          summary: summaryOf(result, loaded),
          put: (outputs, name, source) => putRestoration(outputs, name, source, loaded, shown, choice),
        };
      }
    },
  };
}

/** Found on the first picture of a file. */
async function alignmentOf({ path }: Source, { restore, grey }: FormSettings, runtime: Runtime): Promise<Alignment> {
  const { generator } = restore;
  const { image } = await readPicture(path, { channels: generator.channels, grey });
  const found = await findAlignment(generator, imageAt(image, 0), runtime);
  if (found) return found.alignment;
  throw new RgiError(
    'input',
    'No place in the picture agrees with what the generator makes: give the place by --region, or by --align with its numbers.',
    { file: path },
  );
}

export function tiledForm(settings: FormSettings, runtime: Runtime): Form<LoadedTiles> {
  const { restore, tiles = 1, region, grey, blend, grow, format } = settings;
  return {
    batch: 1,
    together: true,
    load: async (source, index) => ({
      loaded: await readTiles(source, index, restore.generator, { reduction: tiles, region, grey }),
      doubts: [],
    }),
    async *run(batch, report) {
      for (const { name, loaded } of batch) {
        report(0, `${name}: choosing starts`);
        const found = await restoreTiled(restore, loaded.picture, runtime, {
          onShare: (share, count) => report(share, `${name}: ${Math.round(share * count)} of ${count} tiles`),
        });
        if (!found) return;
        yield {
          summary: { ...found, maskedShare: maskedShareOf(found, loaded) },
          async put(outputs, own, source) {
            const put = (kind: string, content: Uint8Array) => outputs.put(`${own}.${kind}`, content);
            await put('restored.png', await encodeMap(found.restored));
            return putAtOwnSize(put, source, loaded, found, { blend, grow, format });
          },
        };
      }
    },
  };
}

function maskedShareOf({ mask }: TiledRestoration, { picture: { outside } }: LoadedTiles): number {
  return coverage(outside ? mask.data.filter((_: number, i: number) => !outside.data[i]) : mask.data);
}

async function* restoreBatch(
  job: Omit<RestoreJob, PerPictureField>,
  batch: readonly Named<Loaded>[],
  runtime: Runtime,
  report: ReportShare,
): AsyncGenerator<Restoration> {
  const steps = plannedSteps(job.method);
  const [{ name }] = batch;
  const what = batch.length === 1 ? name : `${name} and ${batch.length - 1} more`;
  let made = 0;
  report(0, `${what}: choosing starts`);
  const all = batch.map(({ loaded }) => loaded);
  const images = stackImages(all.map(({ image }) => image));
  const masks = all[0].mask && stackImages(all.map(({ mask }) => mask!));
  const known = {
    outside: stackedMasks(all, 'outside'),
    keep: stackedMasks(all, 'keep'),
    hide: stackedMasks(all, 'hide'),
    latents: stackedLatents(all),
  };
  // The engine has made the batch; it is not to be divided again.
  const own = { ...job, batch: batch.length, images, masks, ...known };
  yield* restoreImages(own, runtime, {
    onStep: (_, pictures) => {
      made += pictures;
      report(made / (steps * batch.length), `${what}: step ${Math.ceil(made / batch.length)} of ${steps}`);
    },
  });
}

/** The latents at which the searches of a batch begin; undefined where they are chosen. */
function stackedLatents(batch: readonly Loaded[]): ReadonlyMap<string, Tensor> | undefined {
  const given = batch.flatMap(({ latents }) => latents ?? []);
  if (given.length < batch.length) return undefined;
  const joined = (name: string) =>
    joinedRows(
      given.map((one) => one.get(name)!),
      batch.length,
    );
  return new Map([...given[0].keys()].map((name) => [name, joined(name)]));
}

/** The masks of a batch; undefined where no picture has one. */
function stackedMasks(batch: readonly Loaded[], kind: 'outside' | 'keep' | 'hide'): Mask | undefined {
  if (batch.every((one) => one[kind] === undefined)) return undefined;
  return stackImages(batch.map((one) => one[kind] ?? zeros('float32', [1, 1, ...one.image.dims.slice(2)])));
}
