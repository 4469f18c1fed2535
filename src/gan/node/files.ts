/** The files of a training run: models with their facts, sheets of pictures, the checkpoint. */
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Dataset, DIGEST_LENGTH, type StoredPicture } from '../../datasets/dataset.ts';
import type { FolderOptions } from '../../datasets/node/folder.ts';
import { RgiError } from '../../errors.ts';
import { sha256Of, sha256OfContent } from '../../files/node/hash.ts';
import { rememberModel } from '../../files/node/known-models.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { readRegular } from '../../files/node/regular.ts';
import { stagedBeside } from '../../files/node/staged.ts';
import { clip, type Image, imageAt, imagesOf } from '../../images/image.ts';
import { encodePng, removeLeftovers, writeFileAtomic } from '../../images/node/write.ts';
import { contactSheet } from '../../images/sheet.ts';
import { acquireLock } from '../../jobs/node/lock.ts';
import type { Graph } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { type Checkpoint, readCheckpoint } from '../checkpoint.ts';
import { exportNetwork, type ModelFacts } from '../export.ts';
import type { PagePictures } from '../page.ts';
import type { CoveragePoint, DataFacts } from '../record.ts';
import type { Role } from '../steps/update.ts';

export interface RunFiles {
  readonly models: Readonly<Record<Role, string>>;
  readonly folder: string;
  readonly checkpoint: string;
  readonly page: string;
}

export function filesOf(out: string): RunFiles {
  const base = out.replace(/\.onnx$/i, '');
  const folder = `${base}.training`;
  return {
    models: { generator: `${base}.onnx`, discriminator: `${base}.discriminator.onnx`, encoder: `${base}.encoder.onnx` },
    folder,
    checkpoint: path.join(folder, 'checkpoint.npz'),
    page: path.join(folder, 'index.html'),
  };
}

/** Takes the run's files for this process, and removes what a killed one left of them; returns how they are given back. */
export async function lockRun({ models, folder }: RunFiles): Promise<() => Promise<void>> {
  const place = path.dirname(models.generator);
  const lock = path.join(place, `.${path.basename(models.generator)}.lock`);
  const release = await acquireLock(lock, `The model ${models.generator}`);
  const names = Object.values(models).flatMap((file) => [file, stagedBeside(file)].map((name) => path.basename(name)));
  await removeLeftovers(place, (name) => names.includes(name));
  await removeLeftovers(folder, () => true);
  await finishCommit(models);
  return release;
}

/** In the order in which they are named to the user. */
export function modelFilesOf({ models }: RunFiles, withEncoder: boolean): string[] {
  return [models.generator, models.discriminator, ...(withEncoder ? [models.encoder] : [])];
}

/** Undefined where there is none yet. */
export async function storedCheckpoint(file: string): Promise<Checkpoint | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(file, MAX_FILE_BYTES);
  } catch (error) {
    const details = error instanceof RgiError ? error.details : undefined;
    if (details?.kind === 'file' && details.reason === 'missing') return undefined;
    throw error;
  }
  return readCheckpoint(bytes);
}

/**
 * How the pictures were cut, and which were used for training: eight hexadecimal digits of the SHA-256 of each one's bytes. What is
 * measured on those is too good, so that `rgi calibrate` leaves them out.
 */
export interface SourceFacts {
  readonly kind: 'object' | 'crops';
  /** Factor by which pictures were reduced first. */
  readonly scale: number;
  readonly seen: string;
  /** The same of pictures that were left out as defective; absent where there are none. */
  readonly leftOut?: string;
}

export function sourceFacts(
  { kind = 'object', scale = 1 }: Pick<FolderOptions, 'kind' | 'scale'>,
  learnt: Dataset,
  leftOut: readonly StoredPicture[],
): SourceFacts {
  const out = leftOut.map(pictureDigest).join('');
  return { kind, scale, seen: learnt.pictures.map(pictureDigest).join(''), ...(out ? { leftOut: out } : {}) };
}

export function pictureDigest({ data }: StoredPicture): string {
  return sha256OfContent(data).slice(0, DIGEST_LENGTH);
}

/** What an exported file says of its training. */
export function trainingFacts(
  how: Readonly<Record<string, unknown>>,
  data: DataFacts,
  seconds: number,
  { step, median, worst, block }: CoveragePoint,
): Record<string, unknown> {
  const coverage = { median, worst, unit: 'dB PSNR' };
  const hidden = { median: block, unit: 'dB PSNR' };
  return { tool: 'rgi train', data, ...how, step, seconds: Math.round(seconds), coverage, block: hidden };
}

export function factsOf(
  data: DataFacts,
  latent: number,
  training: ModelFacts['training'],
  licence?: ModelFacts['licence'],
): ModelFacts {
  return { channels: data.channels, size: data.size, latent, training, ...(licence ? { licence } : {}) };
}

/**
 * Commits the networks together, by the renaming of the generator, which names its companions with their hashes: a process killed before it
 * leaves the old set, one killed after it the new one. Returns the files written.
 */
export async function writeModels(
  graphs: Readonly<Partial<Record<Role, Graph>>> & { readonly generator: Graph },
  facts: ModelFacts,
  { models }: Pick<RunFiles, 'models'>,
  half = false,
): Promise<string[]> {
  const companions: Record<string, { file: string; sha256: string }> = {};
  try {
    for (const role of COMPANIONS) {
      const graph = graphs[role];
      if (!graph) continue;
      const bytes = exportNetwork(graph, role, facts, half);
      await writeFileAtomic(stagedBeside(models[role]), bytes, { durable: true });
      await rememberModel(bytes);
      companions[role] = { file: path.basename(models[role]), sha256: sha256OfContent(bytes) };
    }
    const bytes = exportNetwork(graphs.generator, 'generator', { ...facts, companions }, half);
    await writeFileAtomic(models.generator, bytes, { durable: true });
    await rememberModel(bytes);
  } catch (error) {
    // A full disk: what waits would only take room.
    await placeStaged(models, {}).catch(() => undefined);
    throw error;
  }
  return [models.generator, ...(await placeStaged(models, companions))];
}

const COMPANIONS = ['discriminator', 'encoder'] as const;

/** Gives the staged companions whose hashes are named their names; removes others. Returns the files placed. */
async function placeStaged(
  models: RunFiles['models'],
  named: Readonly<Record<string, { readonly sha256: string } | undefined>>,
): Promise<string[]> {
  const placed: string[] = [];
  for (const role of COMPANIONS) {
    const staged = stagedBeside(models[role]);
    const hash = await sha256Of(staged).catch(() => undefined);
    if (hash === undefined) continue;
    if (hash !== named[role]?.sha256) await rm(staged, { force: true });
    else {
      await rename(staged, models[role]);
      placed.push(models[role]);
    }
  }
  return placed;
}

/** Ends what a process began that was killed between the renamings. */
async function finishCommit(models: RunFiles['models']): Promise<void> {
  const bytes = await readRegular(models.generator, MAX_FILE_BYTES).catch(() => undefined);
  await placeStaged(models, bytes === undefined ? {} : companionsIn(bytes));
}

function companionsIn(bytes: Uint8Array): Readonly<Record<string, { readonly sha256: string } | undefined>> {
  try {
    return JSON.parse(readModel(bytes).metadata.get('rgi.companions') ?? '{}');
  } catch {
    return {};
  }
}

/** Is the generator on the disk that of step `step`? */
export async function holdsStep({ models }: RunFiles, step: number): Promise<boolean> {
  try {
    const { metadata } = readModel(await readRegular(models.generator, MAX_FILE_BYTES));
    return (JSON.parse(metadata.get('rgi.training') ?? '{}') as { readonly step?: number }).step === step;
  } catch {
    return false;
  }
}

/** The samples, and unseen pictures above what was reached, as PNG files of this step; returns them as data URLs. */
export async function writeSheets(
  { folder }: RunFiles,
  step: number,
  samples: Tensor,
  unseen: Image,
  reached: Tensor,
): Promise<PagePictures> {
  const name = String(step).padStart(7, '0');
  const sheets = { samples: grid(samples), reconstructions: pairs(unseen, reached) };
  const png = { samples: await encodePng(sheets.samples), reconstructions: await encodePng(sheets.reconstructions) };
  await writeFileAtomic(path.join(folder, `samples-${name}.png`), png.samples);
  await writeFileAtomic(path.join(folder, `reconstructions-${name}.png`), png.reconstructions);
  return { samples: dataUrl(png.samples), reconstructions: dataUrl(png.reconstructions) };
}

const PER_ROW = 12;
const SHOWN = 8;

function grid(images: Tensor): Image {
  const perRow = PER_ROW;
  const all = imagesOf(clip(images as Image));
  const rows = Array.from({ length: Math.ceil(all.length / perRow) }, (_, i) =>
    all.slice(i * perRow, (i + 1) * perRow),
  );
  return contactSheet(rows, { gap: 2, scale: images.dims[3] <= 32 ? 2 : 1 });
}

/** Rows of unseen pictures, each above what was reached. */
function pairs(unseen: Image, made: Tensor): Image {
  const reached = clip(made as Image);
  const count = Math.min(2 * SHOWN, unseen.dims[0]);
  const rows: Image[][] = [];
  for (let from = 0; from < count; from += SHOWN) {
    const some = Array.from({ length: Math.min(SHOWN, count - from) }, (_, i) => from + i);
    rows.push(
      some.map((i) => imageAt(unseen, i)),
      some.map((i) => imageAt(reached, i)),
    );
  }
  return contactSheet(rows, { gap: 2, scale: unseen.dims[3] <= 64 ? 2 : 1 });
}

/** For a page. */
export function dataUrl(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
