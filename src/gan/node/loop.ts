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
import { type RunLog, runLog } from './log.ts';
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

/** A run under way: what the functions below share. */
interface Session extends Running {
  readonly log: RunLog;
  /** Steps between two measurements. */
  readonly every: number;
  /** The last state without infinite or NaN values, and when it was stored, in seconds. */
  sound: TrainerState;
  savedAt: number;
  /** The step of the last attempt to measure; -1 before the first. */
  tried: number;
  /** Do the model files hold the best networks so far? */
  written: boolean;
}

export async function trainingLoop(running: Running): Promise<RunResult> {
  const { trainer, tell, options } = running;
  const { settings } = trainer;
  const session = await begin(running);
  const { log } = session;
  for (;;) {
    // Models are written before the checkpoint that knows of them: a run that is killed between the two, once resumed,
    // measures again and writes them again.
    if (isDue(session)) {
      session.tried = trainer.done;
      await measure(session);
      await checkpoint(session);
    } else if (log.elapsed() - session.savedAt > CHECKPOINT_SECONDS) await checkpoint(session);
    if (isOver(session)) break;
    const losses = await trainer.step();
    if (isFiniteLosses(losses)) {
      const { done } = trainer;
      log.step(done, losses);
      const secondsLeft = log.secondsLeft(settings.steps - done);
      tell({ kind: 'step', step: done, steps: settings.steps, secondsLeft, losses });
    } else await rollBack(session);
  }
  const done = trainer.done >= settings.steps;
  // A limit of time is no reason to end without a model; who interrupts does not want to wait for a measurement.
  if (!done && !options.signal?.aborted && bestOf(log.record().coverage) === undefined) await measure(session);
  if (!done) await checkpoint(session);
  return resultOf(session, done ? 'done' : 'interrupted');
}

async function begin(running: Running): Promise<Session> {
  const { options, trainer, data, files, before } = running;
  const { settings } = trainer;
  // An earlier session may have been unable to write them.
  const earlier = bestOf(before?.coverage ?? []);
  return {
    ...running,
    log: runLog(settings, data.facts, before),
    every: options.measureEvery ?? Math.max(1, Math.round(settings.steps / 20)),
    sound: await trainer.save(),
    savedAt: 0,
    tried: -1,
    written: earlier === undefined || (await holdsStep(files, earlier.step)),
  };
}

function isOver({ trainer, log, options: { signal, minutes } }: Session): boolean {
  if (trainer.done >= trainer.settings.steps || signal?.aborted) return true;
  return minutes !== undefined && log.elapsed() > 60 * minutes;
}

function isDue({ trainer: { done, settings }, every, log, tried }: Session): boolean {
  return done > 0 && (done % every === 0 || done === settings.steps) && !log.isMeasured(done) && done !== tried;
}

function note({ log, tell }: Session, text: string): void {
  log.event(text);
  tell({ kind: 'note', text });
}

/** Reports a failed write, on a full disk for instance; training continues. */
async function survive(session: Session, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    note(session, `${messageOf(error)} Training continues; the last complete files remain.`);
    return false;
  }
}

/** Infinite or NaN losses: the last sound state at half the rate, with other draws. */
async function rollBack(session: Session): Promise<void> {
  const { trainer, log } = session;
  const rollbacks = trainer.rollbacks + 1;
  if (rollbacks > MAX_ROLLBACKS)
    throw new RgiError(
      'runtime',
      `The losses became infinite ${MAX_ROLLBACKS} times: lower --rate and start a new run.`,
    );
  note(
    session,
    `The losses were not finite at step ${trainer.done}; training returned to step ${session.sound.step} with ${0.5 ** rollbacks} times the rate.`,
  );
  session.sound = { ...session.sound, rollbacks };
  log.backTo(session.sound.step);
  await trainer.load(session.sound);
}

async function checkpoint(session: Session): Promise<void> {
  const { trainer, log, files } = session;
  const state = await trainer.save();
  if (!isSound(state)) return rollBack(session);
  session.sound = state;
  session.savedAt = log.elapsed();
  const bytes = writeCheckpoint({ state, record: log.record() });
  await survive(session, () => writeFileAtomic(files.checkpoint, bytes, { durable: true }));
}

/** Coverage, pictures, the page; the models if they are the best so far. */
async function measure(session: Session): Promise<void> {
  const { trainer, options, runtime, data, files, log, tell } = session;
  const { done, settings } = trainer;
  const { steps } = settings;
  const { signal } = options;
  const { generator, discriminator, encoder } = await trainer.networks();
  let measured: Measured;
  try {
    const how = { ...MEASURE, step: done, signal };
    measured = await measureNetworks(generator.graph, encoder?.graph, data.unseen, runtime, how);
  } catch (error) {
    if (!signal?.aborted) note(session, `The generator could not be measured at step ${done}: ${messageOf(error)}`);
    return;
  }
  const { point, reached } = measured;
  const best = log.measured(point);
  const secondsLeft = log.secondsLeft(steps - done);
  tell({ kind: 'coverage', point, best, secondsLeft });
  const samples = await drawSamples(generator.graph, settings.latent, settings.seed, runtime);
  await survive(session, async () => {
    const png = await writeSheets(files, done, samples, data.unseen, reached);
    const title = `Training ${path.basename(files.models.generator)}`;
    const page = await trainingPage(title, log.record(), png, done < steps ? secondsLeft : undefined);
    await writeFileAtomic(files.page, page);
  });
  if (!best) return;
  const graphs = { generator: generator.graph, discriminator: discriminator.graph, encoder: encoder?.graph };
  const training = trainingFacts({ settings, source: data.source }, data.facts, log.record().seconds, point);
  const facts = factsOf(data.facts, settings.latent, training, options.licence);
  session.written = await survive(session, () => writeModels(graphs, facts, files, options.half));
}

async function resultOf({ trainer, log, files, written }: Session, ended: RunResult['ended']): Promise<RunResult> {
  const record = log.record();
  const hasModels = bestOf(record.coverage) !== undefined;
  const models = hasModels ? modelFilesOf(files, trainer.settings.reconstruction === 'encoder') : [];
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
