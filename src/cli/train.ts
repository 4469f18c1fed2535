/** `rgi train`: a generator from a folder of good pictures. Flags in, a run, progress and files out. */
import { RgiError } from '../errors.ts';
import { AUGMENT } from '../gan/augment.ts';
import { fitFolder } from '../gan/node/linear-run.ts';
import type { RunOptions, RunResult } from '../gan/node/options.ts';
import { trainFolder } from '../gan/node/run.ts';
import type { LeaveOut } from '../gan/node/suspects.ts';
import { bestOf, type CoveragePoint, type DataFacts } from '../gan/record.ts';
import type { TrainingSettings } from '../gan/settings.ts';
import { openFeatureFile } from '../models/node/feature-network.ts';
import { createRuntime } from '../runtime/node/index.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { comparedLayers } from './detect/feature-flags.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { type Io, printJson, say } from './io.ts';
import { duration } from './progress.ts';
import { eventsTo } from './train-events.ts';
import type { TrainFlags } from './train-flags.ts';
import { trainTree } from './train-tree.ts';

/** Settings that a training in steps has and principal components have not. */
const OF_STEPS = ['width', 'reconstruction', 'steps', 'minutes', 'rate', 'augment', 'resume'] as const;

/** What is not named: principal components (docs/training.md has why), or a network where steps are asked for. */
function withArchitecture(flags: TrainFlags): TrainFlags {
  // A resumed run knows its own.
  if (flags.architecture !== undefined || flags.resume) return flags;
  const isInSteps = !flags.linearStart || OF_STEPS.some((name) => flags[name] !== undefined);
  return { ...flags, architecture: isInSteps ? 'light' : 'linear' };
}

export async function train(folder: string, given: TrainFlags, io: Io): Promise<ExitCode> {
  const flags = withArchitecture(given);
  if (flags.by === undefined) return trainOne(folder, flags, io);
  if (flags.json) throw new RgiError('usage', '--json applies to one model; with --by folder read the page.');
  return trainTree(folder, flags, io, trainOne);
}

async function trainOne(folder: string, flags: TrainFlags, io: Io): Promise<ExitCode> {
  checkUse(flags);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  const tell = eventsTo(io, flags);
  try {
    return await (flags.architecture === 'linear' ? trainLinear : trainNetwork)(folder, flags, io, runtime, tell);
  } catch (error) {
    if (!io.signal.aborted || error !== io.signal.reason) throw error;
    tell.done();
    say(io, 'Stopped before the first step; no file was changed.');
    return EXIT.interrupted;
  } finally {
    tell.done();
    await runtime.dispose();
  }
}

/** What only a generator in closed form has: its training is over before a person could correct the list. */
const LEAVING_OUT = ['contaminated', 'without'] as const;

/** Flags of which nothing would come. */
function checkUse(flags: TrainFlags): void {
  if (!/\.onnx$/i.test(flags.out)) throw new RgiError('usage', `--out ${flags.out}: give a file name ending in .onnx.`);
  if (flags.scale !== undefined && !flags.crops && !flags.resume)
    throw new RgiError('usage', '--scale applies to --crops only: whole pictures are reduced to --size.');
  if (flags.attribution !== undefined && flags.licence === undefined)
    throw new RgiError('usage', '--attribution needs --licence.');
  checkLeavingOut(flags);
  if (flags.architecture !== 'linear') return;
  if (!flags.linearStart)
    throw new RgiError('usage', '--no-linear-start does not apply with --architecture linear; leave it out.');
  const given = OF_STEPS.find((name) => flags[name] !== undefined);
  if (given)
    throw new RgiError(
      'usage',
      `--${given} does not apply with --architecture linear, which has no training steps; leave it out.`,
    );
}

function checkLeavingOut(flags: TrainFlags): void {
  const given = LEAVING_OUT.filter((name) => flags[name] !== undefined);
  if (given.length === 2)
    throw new RgiError('usage', '--contaminated and --without exclude each other: give the list, or have it made.');
  const ofFeatures = { features: '--features', featureRange: '--feature-range', featureLayers: '--feature-layers' };
  const feature = Object.entries(ofFeatures).find(([name]) => flags[name as keyof typeof ofFeatures] !== undefined);
  if (feature !== undefined && !flags.contaminated && flags.by === undefined)
    throw new RgiError(
      'usage',
      `${feature[1]} applies with --contaminated and --by folder; of a policy the features are those of 'rgi calibrate --features'.`,
    );
  if (given.length === 0) return;
  if (flags.architecture !== 'linear')
    throw new RgiError(
      'usage',
      `--${given[0]} applies to the linear architecture: make the list with it, move those pictures away, and train the network.`,
    );
  if (flags.crops && flags.contaminated)
    throw new RgiError('usage', '--contaminated compares whole pictures; it does not apply with --crops.');
}

type Teller = ReturnType<typeof eventsTo>;

async function trainNetwork(
  folder: string,
  flags: TrainFlags,
  io: Io,
  runtime: Runtime,
  tell: Teller,
): Promise<ExitCode> {
  const result = await trainFolder({ ...optionsOf(folder, flags), signal: io.signal, onEvent: tell.event }, runtime);
  tell.done();
  if (flags.json) printJson(io, summaryOf(result));
  else if (!flags.quiet) for (const line of linesOf(result)) say(io, line);
  if (!result.written) {
    say(io, 'error: The best models could not be written: free some disk space, and train again.');
    return EXIT.unusable;
  }
  return result.ended === 'done' ? EXIT.done : EXIT.interrupted;
}

async function trainLinear(
  folder: string,
  flags: TrainFlags,
  io: Io,
  runtime: Runtime,
  tell: Teller,
): Promise<ExitCode> {
  const { data, held, half, licence, out } = optionsOf(folder, flags);
  const { latent, seed } = flags;
  const leaveOut = await leaveOutOf(flags, runtime);
  const running = { signal: io.signal, onEvent: tell.event };
  const options = { folder, out, data, held, half, licence, latent, seed, leaveOut, ...running };
  const result = await fitFolder(options, runtime);
  tell.done();
  if (flags.json) printJson(io, { ended: 'done', ...result });
  else if (!flags.quiet) {
    const { coverage, explained, seconds, files, page, suspects, data: facts } = result;
    say(
      io,
      `Done after ${duration(seconds)}. The components explain ${(100 * explained).toFixed(1)}% of the variance.`,
    );
    say(io, reachedSentence(coverage));
    if (facts.leftOut !== undefined) say(io, leftOutSentence(facts, suspects));
    for (const file of files) say(io, file);
    say(io, `Samples and spectrum: ${page}`);
  }
  return EXIT.done;
}

async function leaveOutOf(flags: TrainFlags, runtime: Runtime): Promise<LeaveOut | undefined> {
  if (flags.without !== undefined) return { by: 'list', file: flags.without };
  if (!flags.contaminated) return undefined;
  const opened = (await openFeatureFile(runtime, flags))!;
  return { by: 'screening', network: comparedLayers(opened.network, flags) };
}

function leftOutSentence({ leftOut = 0, pictures, held }: DataFacts, suspects: string | undefined): string {
  const all = leftOut + pictures + held;
  if (suspects === undefined) return `${leftOut} of ${all} pictures were left out, as the list says.`;
  if (leftOut === 0) return `None of ${all} pictures stands apart from the others; ${suspects} ranks them.`;
  return `${leftOut} of ${all} pictures look defective and were left out: look at them on the page below. Where that is wrong, correct the column 'defective' of ${suspects}, and train this folder again with --without ${suspects}.`;
}

function optionsOf(folder: string, flags: TrainFlags): RunOptions {
  const settings = defined<Partial<TrainingSettings>>({
    architecture: flags.architecture === 'linear' ? undefined : flags.architecture,
    latent: flags.latent,
    width: flags.width,
    reconstruction: flags.reconstruction,
    steps: flags.steps,
    rate: flags.rate,
    seed: flags.seed,
  });
  return {
    folder,
    out: flags.out,
    data: defined({
      size: flags.size,
      channels: flags.channels && (flags.channels === 'grey' ? 1 : 3),
      kind: flags.crops ? ('crops' as const) : undefined,
      scale: flags.scale,
      mirror: flags.mirror,
      limit: flags.limit,
    }),
    // Off is a value of its own: no augmentation, however few the pictures.
    settings: flags.augment ? { ...settings, augment: flags.augment === 'on' ? AUGMENT : undefined } : settings,
    linearStart: flags.linearStart,
    resume: flags.resume,
    held: flags.held,
    minutes: flags.minutes,
    half: flags.half,
    ...(flags.licence ? { licence: { name: flags.licence, ...defined({ attribution: flags.attribution }) } } : {}),
  };
}

/** What is said of a measurement, for whoever has not read the manual. */
function reachedSentence({ median, block }: CoveragePoint): string {
  return `Held-out pictures: coverage ${median.toFixed(1)} dB (median); with the centre hidden ${block.toFixed(1)} dB.`;
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function summaryOf({ ended, record, files, written, page }: RunResult) {
  const { settings, data, seconds, coverage, events } = record;
  return { ended, files, written, page, seconds, data, coverage, events, settings };
}

function linesOf({ ended, record, files, page }: RunResult): string[] {
  const best = bestOf(record.coverage);
  const end = ended === 'done' ? 'Done' : 'Stopped; continue with --resume';
  return [
    `${end} after ${duration(record.seconds)}.`,
    ...(best ? [reachedSentence(best), ...files] : ['No model was written yet.']),
    ...(page ? [`Curves and samples: ${page}`] : []),
  ];
}
