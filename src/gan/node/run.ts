/**
 * A training run on files: reads the folder, trains, measures, writes checkpoints, pictures, the page and, whenever the
 * coverage is the best so far, the models. Beside MODEL.onnx: MODEL.discriminator.onnx, MODEL.encoder.onnx, MODEL.training/.
 */
import path from 'node:path';
import { batchOf, type Dataset, mixed } from '../../datasets/dataset.ts';
import { heldOutCount, split } from '../../datasets/held-out.ts';
import { type BrokenPicture, type FolderOptions, loadFolder } from '../../datasets/node/folder.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { writeCheckpoint } from '../checkpoint.ts';
import { type Coverage, measureCoverage, run } from '../coverage.ts';
import type { ModelFacts } from '../export.ts';
import { trainingPage } from '../page.ts';
import { averaged, type CoveragePoint, type DataFacts, type LossPoint, type RunRecord } from '../record.ts';
import { defaultSettings, type TrainingSettings } from '../settings.ts';
import { createTrainer, fitBackbone, type StepLosses, type Trainer, type TrainerState } from '../trainer.ts';
import {
  factsOf,
  filesOf,
  type RunFiles,
  type SourceFacts,
  sourceFacts,
  storedCheckpoint,
  trainingFacts,
  writeModels,
  writeSheets,
} from './files.ts';

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
  const held = stored?.record.data.held ?? options.held ?? heldOutCount(count);
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
    return await new Run(options, runtime, trainer, parts, data, files, stored?.record, say).go();
  } finally {
    await trainer.dispose();
  }
}

/** What changes while a run goes on. */
class Run {
  private readonly options: RunOptions;
  private readonly runtime: Runtime;
  private readonly trainer: Trainer;
  private readonly held: Dataset;
  private readonly source: SourceFacts;
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
    parts: { readonly train: Dataset; readonly held: Dataset },
    data: DataFacts,
    files: RunFiles,
    before: RunRecord | undefined,
    say: (event: RunEvent) => void,
  ) {
    this.options = options;
    this.runtime = runtime;
    this.trainer = trainer;
    this.held = parts.held;
    this.source = sourceFacts(options.data, parts.train);
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

  private async survive(write: () => Promise<unknown>): Promise<void> {
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
      const png = await writeSheets(this.files, done, samples, unseen, reached.images);
      const page = trainingPage(
        this.options.title ?? `Training ${path.basename(this.files.models.generator)}`,
        this.record(),
        png,
        done < settings.steps ? this.secondsPerStep * (settings.steps - done) : undefined,
      );
      await writeFileAtomic(this.files.page, page);
    });
    if (!best) return;
    const { generator, discriminator, encoder } = networks;
    const graphs = { generator: generator.graph, discriminator: discriminator.graph, encoder: encoder?.graph };
    const training = trainingFacts(
      { settings, source: this.source },
      this.data,
      this.secondsBefore + this.elapsed(),
      point,
    );
    const facts = factsOf(this.data, settings.latent, training, this.options.licence);
    await this.survive(() => writeModels(graphs, facts, this.files, this.options.half));
  }
}

function isFinite32(tensor: Tensor): boolean {
  // A sum of squares is finite only if every element is; one pass, and no test per element.
  let sum = 0;
  for (const v of tensor.data as Float32Array) sum += v * v;
  return Number.isFinite(sum);
}
