/**
 * A training run on files: reads the folder, trains, measures, writes checkpoints, pictures, the page and, whenever the
 * measurement is the best so far, the models. Beside MODEL.onnx: MODEL.discriminator.onnx, MODEL.encoder.onnx, MODEL.training/.
 */
import { RgiError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { fitBackbone } from '../fit-backbone.ts';
import type { DataFacts, RunRecord } from '../record.ts';
import { defaultSettings } from '../settings.ts';
import { createTrainer } from '../trainer.ts';
import { optionsOfFacts, readRunData } from './data.ts';
import { filesOf, lockRun, type RunFiles, storedCheckpoint } from './files.ts';
import { trainingLoop } from './loop.ts';
import type { RunOptions, RunResult } from './options.ts';

/** Throws the signal's reason where it is aborted before the first step, `usage` where another process trains the same model. */
export async function trainFolder(options: RunOptions, runtime: Runtime): Promise<RunResult> {
  const files = filesOf(options.out);
  const release = await lockRun(files);
  try {
    return await trainLocked(options, files, runtime);
  } finally {
    await release();
  }
}

async function trainLocked(options: RunOptions, files: RunFiles, runtime: Runtime): Promise<RunResult> {
  const { signal, onEvent: tell = () => {} } = options;
  const stored = await checkpointFor(options, files);
  if (stored) checkOptions(options, stored.record);
  const before = stored?.record;
  const data = await readRunData(
    options.folder,
    before ? optionsOfFacts(before.data) : (options.data ?? {}),
    {
      held: before?.data.held ?? options.held,
      seed: before?.settings.seed ?? options.settings?.seed ?? 0,
      exclude: files.folder,
      signal,
    },
    tell,
  );
  if (before) checkPictures(before.data, data.facts, options.folder);
  const { size, pictures: count } = data.facts;
  const wanted = options.settings ?? {};
  const { latent, seed } = defaultSettings({ size, count }, wanted);
  const fitted =
    stored || options.linearStart === false ? undefined : await fitBackbone(data.train, latent, runtime, seed);
  signal?.throwIfAborted();
  const settings = before?.settings ?? defaultSettings({ size, count, ...fitted }, wanted);
  const trainer = await createTrainer(data.train, settings, runtime, fitted?.backbone);
  try {
    if (stored) await trainer.load(stored.state);
    return await trainingLoop({ options, runtime, trainer, data, files, before, tell });
  } finally {
    await trainer.dispose();
  }
}

/** The run to resume; an unfinished one is not overwritten by accident. */
async function checkpointFor(options: RunOptions, files: RunFiles): Promise<Checkpoint | undefined> {
  if (options.resume) return storedCheckpoint(files.checkpoint);
  await refuseUnfinished(files);
  return undefined;
}

/** Throws `usage` where a run that could go on lies where another is to begin. */
export async function refuseUnfinished({ checkpoint, folder }: RunFiles): Promise<void> {
  const found = await storedCheckpoint(checkpoint).catch(() => undefined);
  if (found && found.state.step < found.record.settings.steps)
    throw new RgiError(
      'usage',
      `${folder} holds an unfinished run (step ${found.state.step} of ${found.record.settings.steps}): continue with --resume, or delete the folder.`,
      { file: folder },
    );
}

/** A resumed run keeps its settings: what is given must agree with them. */
function checkOptions({ settings = {}, data, held }: RunOptions, record: RunRecord): void {
  const had: Readonly<Record<string, unknown>> = { ...record.settings, ...record.data };
  const given: Readonly<Record<string, unknown>> = { ...settings, ...data, held };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || JSON.stringify(value) === JSON.stringify(had[name])) continue;
    throw new RgiError(
      'usage',
      `The run to be resumed has ${name} = ${JSON.stringify(had[name])}, not ${JSON.stringify(value)}. Leave that option out, or start a new run without --resume.`,
    );
  }
}

function checkPictures(before: DataFacts, now: DataFacts, folder: string): void {
  if (JSON.stringify({ ...before, broken: 0 }) === JSON.stringify({ ...now, broken: 0 })) return;
  throw new RgiError(
    'usage',
    `The run to be resumed was trained on other pictures than those in ${folder}: ${before.pictures} and ${before.held} of '${before.folder}', now ${now.pictures} and ${now.held} of '${now.folder}', some of which differ. Start a new run.`,
  );
}
