/**
 * A training run on files: reads the folder, trains, measures, writes checkpoints, pictures, the page and, whenever the
 * coverage is the best so far, the models. Beside MODEL.onnx: MODEL.discriminator.onnx, MODEL.encoder.onnx, MODEL.training/.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { batchOf, type Dataset, mixed, split } from '../../datasets/dataset.ts';
import { type BrokenPicture, type FolderOptions, loadFolder } from '../../datasets/node/folder.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { clip, type Image, imageAt, imagesOf } from '../../images/image.ts';
import { encodePng, writeFileAtomic } from '../../images/node/write.ts';
import { contactSheet } from '../../images/sheet.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import { type Coverage, measureCoverage, run } from '../coverage.ts';
import { exportNetwork, type ModelFacts } from '../export.ts';
import { trainingPage } from '../page.ts';
import { averaged, type CoveragePoint, type DataFacts, type LossPoint, type RunRecord } from '../record.ts';
import { defaultSettings, type TrainingSettings } from '../settings.ts';
import type { Networks } from '../steps/generator-step.ts';
import type { Role } from '../steps/update.ts';
import { createTrainer, fitBackbone, type StepLosses, type Trainer, type TrainerState } from '../trainer.ts';

export interface RunOptions {
  readonly folder: string;
  /** The generator's file; the others are named after it. */
  readonly out: string;
  readonly data: FolderOptions;
  readonly settings?: Partial<TrainingSettings>;
  /** Begin at the principal components (default). */
  readonly linearStart?: boolean;
  /** Go on from the run's last checkpoint, with its settings; without one a new run begins. */
  readonly resume?: boolean;
  /** Pictures held out for measuring the coverage; default a twentieth, 8 to 32. */
  readonly held?: number;
  /** Stop (resumable) after this many minutes. */
  readonly minutes?: number;
  /** Steps between measurements; default a fortieth of all. */
  readonly measureEvery?: number;
  /** Weights on disk in 16 bits. */
  readonly half?: boolean;
  readonly licence?: ModelFacts['licence'];
  readonly title?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export type RunEvent =
  | { readonly kind: 'loading'; readonly done: number; readonly total: number }
  | { readonly kind: 'broken'; readonly picture: BrokenPicture }
  | { readonly kind: 'step'; readonly point: LossPoint; readonly steps: number; readonly secondsLeft: number }
  | { readonly kind: 'coverage'; readonly point: CoveragePoint; readonly best: boolean }
  | { readonly kind: 'note'; readonly text: string };

export interface RunResult {
  readonly ended: 'done' | 'interrupted';
  readonly record: RunRecord;
  readonly files: readonly string[];
  readonly page: string;
}

/** Seconds between two points of the loss curves. */
const POINT_SECONDS = 10;
/** Seconds between checkpoints. */
const CHECKPOINT_SECONDS = 120;
const SAMPLES = 48;
const SHOWN = 8;
const INVERSION = { steps: 100, pool: 300 };

export async function trainFolder(options: RunOptions, runtime: Runtime): Promise<RunResult> {
  const say = options.onEvent ?? (() => {});
  const { dataset, folder, broken } = await loadFolder(options.folder, {
    ...options.data,
    signal: options.signal,
    onProgress: (done, total) => say({ kind: 'loading', done, total }),
  });
  for (const picture of broken) say({ kind: 'broken', picture });
  const files = filesOf(options.out);
  const stored = options.resume ? await storedCheckpoint(files.checkpoint) : undefined;
  const count = dataset.pictures.length;
  const held = stored?.record.data.held ?? options.held ?? Math.min(32, Math.max(8, Math.round(count / 20)));
  const seed = stored?.record.settings.seed ?? options.settings?.seed ?? 0;
  const parts = split(dataset, held, seed);
  const wanted = options.settings ?? {};
  const latent = defaultSettings({ size: dataset.size, count: count - held }, wanted).latent;
  const fitted =
    stored || options.linearStart === false ? undefined : await fitBackbone(parts.train, latent, runtime, seed);
  const settings =
    stored?.record.settings ?? defaultSettings({ size: dataset.size, count: count - held, ...fitted }, wanted);
  const data: DataFacts = {
    folder: path.basename(folder),
    pictures: parts.train.pictures.length,
    held,
    channels: dataset.channels,
    size: dataset.size,
    broken: broken.length,
  };
  if (stored && JSON.stringify({ ...stored.record.data, broken: 0 }) !== JSON.stringify({ ...data, broken: 0 })) {
    throw new RgiError(
      'usage',
      `${files.checkpoint} is of a run on other pictures (${JSON.stringify(stored.record.data)}); start anew without --resume.`,
    );
  }
  const trainer = await createTrainer(parts.train, settings, runtime, fitted?.backbone);
  try {
    if (stored) await trainer.load(stored.state);
    return await new Run(options, runtime, trainer, parts.held, data, files, stored?.record, say).go();
  } finally {
    await trainer.dispose();
  }
}

interface RunFiles {
  readonly models: Readonly<Record<Role, string>>;
  readonly folder: string;
  readonly checkpoint: string;
  readonly page: string;
}

function filesOf(out: string): RunFiles {
  const base = out.replace(/\.onnx$/i, '');
  const folder = `${base}.training`;
  return {
    models: { generator: `${base}.onnx`, discriminator: `${base}.discriminator.onnx`, encoder: `${base}.encoder.onnx` },
    folder,
    checkpoint: path.join(folder, 'checkpoint.npz'),
    page: path.join(folder, 'index.html'),
  };
}

async function storedCheckpoint(file: string) {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new RgiError('input', `${file} cannot be read (${messageOf(error)}).`, { file }, { cause: error });
  }
  return readCheckpoint(bytes);
}

/** What changes while a run goes on. */
class Run {
  private readonly options: RunOptions;
  private readonly runtime: Runtime;
  private readonly trainer: Trainer;
  private readonly held: Dataset;
  private readonly data: DataFacts;
  private readonly files: RunFiles;
  private readonly say: (event: RunEvent) => void;
  private readonly losses: LossPoint[];
  private readonly coverage: CoveragePoint[];
  private readonly events: string[];
  private readonly secondsBefore: number;
  private readonly started = performance.now();
  /** The last state whose numbers were finite. */
  private sound: TrainerState | undefined;
  private pending: StepLosses[] = [];
  private pointAt = 0;
  private savedAt = 0;
  private secondsPerStep = 0;

  constructor(
    options: RunOptions,
    runtime: Runtime,
    trainer: Trainer,
    held: Dataset,
    data: DataFacts,
    files: RunFiles,
    before: RunRecord | undefined,
    say: (event: RunEvent) => void,
  ) {
    this.options = options;
    this.runtime = runtime;
    this.trainer = trainer;
    this.held = held;
    this.data = data;
    this.files = files;
    this.say = say;
    this.losses = [...(before?.losses ?? [])];
    this.coverage = [...(before?.coverage ?? [])];
    this.events = [...(before?.events ?? [])];
    this.secondsBefore = before?.seconds ?? 0;
  }

  async go(): Promise<RunResult> {
    const { steps } = this.trainer.settings;
    const every = this.options.measureEvery ?? Math.max(1, Math.round(steps / 40));
    const first = this.trainer.done;
    this.sound = await this.trainer.save();
    while (this.trainer.done < steps && !this.isOver()) {
      const losses = await this.trainer.step();
      if (!Object.values(losses).every((v) => v === undefined || Number.isFinite(v))) {
        await this.rollBack();
        continue;
      }
      this.pending.push(losses);
      this.secondsPerStep = this.elapsed() / (this.trainer.done - first || 1);
      if (this.elapsed() - this.pointAt > POINT_SECONDS) this.point();
      const measured = this.trainer.done % every === 0 || this.trainer.done === steps;
      if (measured) await this.measure();
      if (measured || this.elapsed() - this.savedAt > CHECKPOINT_SECONDS) await this.checkpoint();
    }
    const done = this.trainer.done >= steps;
    if (!done) await this.checkpoint();
    const { models, page } = this.files;
    const files = [
      models.generator,
      models.discriminator,
      ...(this.trainer.settings.reconstruction === 'encoder' ? [models.encoder] : []),
    ];
    return { ended: done ? 'done' : 'interrupted', record: this.record(), files, page };
  }

  private isOver(): boolean {
    const { signal, minutes } = this.options;
    return (signal?.aborted ?? false) || (minutes !== undefined && this.elapsed() > 60 * minutes);
  }

  private elapsed(): number {
    return (performance.now() - this.started) / 1000;
  }

  private point(): void {
    if (this.pending.length === 0) return;
    const { settings, done } = this.trainer;
    const point = averaged(done, this.pending);
    this.losses.push(point);
    this.pending = [];
    this.pointAt = this.elapsed();
    const secondsLeft = this.secondsPerStep * (settings.steps - done);
    this.say({ kind: 'step', point, steps: settings.steps, secondsLeft });
  }

  private note(text: string): void {
    this.events.push(text);
    this.say({ kind: 'note', text });
  }

  private record(): RunRecord {
    return {
      settings: this.trainer.settings,
      data: this.data,
      seconds: this.secondsBefore + this.elapsed(),
      losses: this.losses,
      coverage: this.coverage,
      events: this.events,
    };
  }

  /** Infinite or NaN losses: the last sound state at half the rate, with other draws. */
  private async rollBack(): Promise<void> {
    const state = this.sound!;
    const rollbacks = this.trainer.rollbacks + 1;
    if (rollbacks > 8)
      throw new RgiError('runtime', 'The losses became infinite 8 times: lower --rate and start anew.');
    this.note(
      `The losses were not finite at step ${this.trainer.done}: back to step ${state.step}, at ${0.5 ** rollbacks} of the rate.`,
    );
    this.pending = [];
    await this.trainer.load({ ...state, rollbacks });
    this.sound = { ...state, rollbacks };
  }

  /** Keeps what can be resumed; a full disk is said and survived. */
  private async checkpoint(): Promise<void> {
    this.point();
    const state = await this.trainer.save();
    if (![...state.tensors.values()].every(isFinite32)) return this.rollBack();
    this.sound = state;
    this.savedAt = this.elapsed();
    await this.survive(() => writeFileAtomic(this.files.checkpoint, writeCheckpoint({ state, record: this.record() })));
  }

  private async survive(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.note(`${messageOf(error)} The training goes on; what was last written stays.`);
    }
  }

  /** Coverage, pictures, the page; the models if they are the best so far. */
  private async measure(): Promise<void> {
    const { settings, done } = this.trainer;
    const networks = await this.trainer.networks();
    const indices = Array.from(this.held.pictures.keys());
    const unseen = batchOf(this.held, indices);
    let reached: Coverage;
    try {
      reached = await measureCoverage(networks.generator.graph, unseen, this.runtime, {
        ...INVERSION,
        ...(networks.encoder ? { encoder: networks.encoder.graph } : {}),
      });
    } catch (error) {
      return this.note(`The coverage could not be measured at step ${done}: ${messageOf(error)}`);
    }
    const point: CoveragePoint = {
      step: done,
      median: reached.median,
      worst: Math.min(...reached.psnr),
      ...(reached.encoded === undefined ? {} : { encoded: reached.encoded }),
    };
    const best = this.coverage.every((earlier) => earlier.median < point.median);
    this.coverage.push(point);
    this.say({ kind: 'coverage', point, best });
    const z = randomFrom(mixed(settings.seed, 4)).normals(SAMPLES * settings.latent);
    const samples = await run(
      this.runtime,
      networks.generator.graph,
      'z',
      float32(z, [SAMPLES, settings.latent]),
      'image',
    );
    await this.survive(async () => {
      const name = String(done).padStart(7, '0');
      const sheets = { samples: grid(samples, 12), reconstructions: pairs(unseen, reached.images) };
      const png = {
        samples: await encodePng(sheets.samples),
        reconstructions: await encodePng(sheets.reconstructions),
      };
      await writeFileAtomic(path.join(this.files.folder, `samples-${name}.png`), png.samples);
      await writeFileAtomic(path.join(this.files.folder, `reconstructions-${name}.png`), png.reconstructions);
      const page = trainingPage(
        this.options.title ?? `Training ${path.basename(this.files.models.generator)}`,
        this.record(),
        { samples: dataUrl(png.samples), reconstructions: dataUrl(png.reconstructions) },
        done < settings.steps ? this.secondsPerStep * (settings.steps - done) : undefined,
      );
      await writeFileAtomic(this.files.page, page);
    });
    if (best) await this.survive(() => this.writeModels(networks, point));
  }

  private async writeModels(networks: Networks, coverage: CoveragePoint): Promise<void> {
    const { settings } = this.trainer;
    const { models } = this.files;
    const { steps, ...rest } = settings;
    const facts: ModelFacts = {
      channels: this.data.channels,
      size: this.data.size,
      latent: settings.latent,
      licence: this.options.licence,
      training: {
        tool: 'rgi train',
        data: this.data,
        settings: { ...rest, steps },
        step: coverage.step,
        seconds: Math.round(this.secondsBefore + this.elapsed()),
        coverage: { median: coverage.median, worst: coverage.worst, unit: 'dB PSNR' },
      },
    };
    const companions: Record<string, { file: string; sha256: string }> = {};
    for (const role of ['discriminator', 'encoder'] as const) {
      const network = networks[role];
      if (!network) continue;
      const bytes = exportNetwork(network.graph, role, facts, this.options.half);
      await writeFileAtomic(models[role], bytes);
      companions[role] = {
        file: path.basename(models[role]),
        sha256: createHash('sha256').update(bytes).digest('hex'),
      };
    }
    const generator = exportNetwork(networks.generator.graph, 'generator', { ...facts, companions }, this.options.half);
    await writeFileAtomic(models.generator, generator);
  }
}

function isFinite32(tensor: Tensor): boolean {
  // A sum of squares is finite only if every element is; one pass, and no test per element.
  let sum = 0;
  for (const v of tensor.data as Float32Array) sum += v * v;
  return Number.isFinite(sum);
}

function grid(images: Tensor, perRow: number): Image {
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

function dataUrl(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
