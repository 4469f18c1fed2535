/** The loop of a run: steps, measurements, checkpoints, and what is done when something goes wrong. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { writeCheckpoint } from '../checkpoint.ts';
import { trainingPage } from '../page.ts';
import { bestOf, type RunRecord } from '../record.ts';
import type { StepLosses, Trainer, TrainerState } from '../trainer.ts';
import type { RunData } from './data.ts';
import type { Tell } from './events.ts';
import { factsOf, holdsStep, modelFilesOf, type RunFiles, trainingFacts, writeModels, writeSheets } from './files.ts';
import { runLog } from './log.ts';
import { drawSamples, type Measured, measureNetworks } from './measure.ts';
import type { RunOptions, RunResult } from './options.ts';

export interface Running {
  readonly options: RunOptions;
  readonly runtime: Runtime;
  readonly trainer: Trainer;
  readonly data: RunData;
  readonly files: RunFiles;
  /** The events reported before the run was stopped. */
  readonly before?: RunRecord;
  readonly tell: Tell;
}

const CHECKPOINT_SECONDS = 120;
const MEASURE = { steps: 100, blockSteps: 60, pool: 300 };
const MAX_ROLLBACKS = 8;

export async function trainingLoop({
  options,
  runtime,
  trainer,
  data,
  files,
  before,
  tell,
}: Running): Promise<RunResult> {
  const { signal, minutes } = options;
  const { settings } = trainer;
  const { steps } = settings;
  const every = options.measureEvery ?? Math.max(1, Math.round(steps / 20));
  const log = runLog(settings, data.facts, before);
  let sound = await trainer.save();
  let savedAt = 0;
  // An earlier session may have been unable to write them.
  const earlier = bestOf(before?.coverage ?? []);
  let written = earlier === undefined || (await holdsStep(files, earlier.step));

  const note = (text: string): void => {
    log.event(text);
    tell({ kind: 'note', text });
  };
  /** Reports a failed write, on a full disk for instance; training continues. */
  const survive = async (write: () => Promise<unknown>): Promise<boolean> => {
    try {
      await write();
      return true;
    } catch (error) {
      note(`${messageOf(error)} Training continues; the last complete files remain.`);
      return false;
    }
  };

  /** Infinite or NaN losses: the last sound state at half the rate, with other draws. */
  const rollBack = async (): Promise<void> => {
    const rollbacks = trainer.rollbacks + 1;
    if (rollbacks > MAX_ROLLBACKS)
      throw new RgiError(
        'runtime',
        `The losses became infinite ${MAX_ROLLBACKS} times: lower --rate and start a new run.`,
      );
    note(
      `The losses were not finite at step ${trainer.done}; training returned to step ${sound.step} with ${0.5 ** rollbacks} times the rate.`,
    );
    sound = { ...sound, rollbacks };
    log.backTo(sound.step);
    await trainer.load(sound);
  };

  const checkpoint = async (): Promise<void> => {
    const state = await trainer.save();
    if (!isSound(state)) return rollBack();
    sound = state;
    savedAt = log.elapsed();
    const bytes = writeCheckpoint({ state, record: log.record() });
    await survive(() => writeFileAtomic(files.checkpoint, bytes, { durable: true }));
  };

  /** Coverage, pictures, the page; the models if they are the best so far. */
  const measure = async (): Promise<void> => {
    const { done } = trainer;
    const { generator, discriminator, encoder } = await trainer.networks();
    let measured: Measured;
    try {
      const how = { ...MEASURE, step: done, signal };
      measured = await measureNetworks(generator.graph, encoder?.graph, data.unseen, runtime, how);
    } catch (error) {
      if (!signal?.aborted) note(`The generator could not be measured at step ${done}: ${messageOf(error)}`);
      return;
    }
    const { point, reached } = measured;
    const best = log.measured(point);
    const secondsLeft = log.secondsLeft(steps - done);
    tell({ kind: 'coverage', point, best, secondsLeft });
    const samples = await drawSamples(generator.graph, settings.latent, settings.seed, runtime);
    await survive(async () => {
      const png = await writeSheets(files, done, samples, data.unseen, reached);
      const title = `Training ${path.basename(files.models.generator)}`;
      const page = await trainingPage(title, log.record(), png, done < steps ? secondsLeft : undefined);
      await writeFileAtomic(files.page, page);
    });
    if (!best) return;
    const graphs = { generator: generator.graph, discriminator: discriminator.graph, encoder: encoder?.graph };
    const training = trainingFacts({ settings, source: data.source }, data.facts, log.record().seconds, point);
    const facts = factsOf(data.facts, settings.latent, training, options.licence);
    written = await survive(() => writeModels(graphs, facts, files, options.half));
  };

  const isOver = () =>
    trainer.done >= steps || signal?.aborted || (minutes !== undefined && log.elapsed() > 60 * minutes);
  let tried = -1;
  const isDue = () =>
    trainer.done > 0 &&
    (trainer.done % every === 0 || trainer.done === steps) &&
    !log.isMeasured(trainer.done) &&
    trainer.done !== tried;

  for (;;) {
    // Models are written before the checkpoint that knows of them: a run that is killed between the two, once resumed,
    // measures again and writes them again.
    if (isDue()) {
      tried = trainer.done;
      await measure();
      await checkpoint();
    } else if (log.elapsed() - savedAt > CHECKPOINT_SECONDS) await checkpoint();
    if (isOver()) break;
    const losses = await trainer.step();
    if (isFiniteLosses(losses)) {
      log.step(trainer.done, losses);
      tell({ kind: 'step', step: trainer.done, steps, secondsLeft: log.secondsLeft(steps - trainer.done), losses });
    } else await rollBack();
  }
  const done = trainer.done >= steps;
  // A limit of time is no reason to end without a model; who interrupts does not want to wait for a measurement.
  if (!done && !signal?.aborted && bestOf(log.record().coverage) === undefined) await measure();
  if (!done) await checkpoint();
  const ended = done ? 'done' : 'interrupted';
  const record = log.record();
  const hasModels = bestOf(record.coverage) !== undefined;
  const models = hasModels ? modelFilesOf(files, settings.reconstruction === 'encoder') : [];
  const hasPage = await access(files.page).then(
    () => true,
    () => false,
  );
  return { ended, record, files: models, written, ...(hasPage ? { page: files.page } : {}) };
}

function isFiniteLosses(losses: StepLosses): boolean {
  return Object.values(losses).every((value) => value === undefined || Number.isFinite(value));
}

function isSound({ tensors }: TrainerState): boolean {
  return [...tensors.values()].every(isFinite32);
}

function isFinite32(tensor: Tensor): boolean {
  // A sum of squares is finite only if every element is; one pass, and no test per element.
  let sum = 0;
  for (const v of tensor.data as Float32Array) sum += v * v;
  return Number.isFinite(sum);
}
