/** `rgi train`: a generator from a folder of good pictures. Flags in, a run, progress and files out. */
import type { Command } from 'commander';
import { RgiError } from '../errors.ts';
import { coarserLayers } from '../features/network.ts';
import { AUGMENT } from '../gan/augment.ts';
import type { RunEvent } from '../gan/node/events.ts';
import { fitFolder } from '../gan/node/linear-run.ts';
import type { RunOptions, RunResult } from '../gan/node/options.ts';
import { trainFolder } from '../gan/node/run.ts';
import type { LeaveOut } from '../gan/node/suspects.ts';
import { bestOf, type CoveragePoint, type DataFacts } from '../gan/record.ts';
import { type Architecture, AUGMENT_BELOW, type TrainingSettings } from '../gan/settings.ts';
import type { Reconstruction } from '../gan/steps/generator-step.ts';
import { openFeatureFile } from '../models/node/feature-network.ts';
import { createRuntime } from '../runtime/node/index.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { choice, count, numberIn, oneOf } from './arguments.ts';
import { addFeatureInputOptions, type FeatureInputFlags } from './detect/feature-flags.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, printJson, say } from './io.ts';
import type { RuntimeFlags } from './model-flags.ts';
import { duration, progressLine } from './progress.ts';

export interface TrainFlags extends RuntimeFlags, FeatureInputFlags {
  readonly out: string;
  readonly size?: number;
  readonly channels?: 'grey' | 'colour';
  readonly crops?: boolean;
  readonly scale?: number;
  readonly mirror?: boolean;
  readonly limit?: number;
  readonly contaminated?: boolean;
  readonly without?: string;
  readonly features?: string;
  readonly architecture?: Architecture | 'linear';
  readonly latent?: number;
  readonly width?: number;
  readonly reconstruction?: Reconstruction;
  readonly linearStart: boolean;
  readonly steps?: number;
  readonly minutes?: number;
  readonly rate?: number;
  readonly augment?: 'on' | 'off';
  readonly held?: number;
  readonly half?: boolean;
  readonly licence?: string;
  readonly attribution?: string;
  readonly seed?: number;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const SIZES = ['32', '64', '128', '256'] as const;
const size = oneOf(SIZES);

export function addTrainOptions(command: Command): Command {
  const seed = numberIn({ integer: true, from: 0, to: 2 ** 31 });
  command
    .argument('<folder>', "good pictures, subfolders too; of a data set in MVTec's layout train/good")
    .requiredOption('-o, --out <file>', 'the generator (ONNX); other files are named after it')
    .addOption(
      choice('--architecture <name>', 'linear: principal components, in seconds (default: see below)', [
        'light',
        'pggan',
        'linear',
      ] as const),
    )
    .addOption(
      choice('--size <pixels>', 'height and width (default: 64)', SIZES).argParser((text: string) =>
        Number(size(text)),
      ),
    )
    .option('--crops', 'learn from squares anywhere in the pictures (default: whole pictures)')
    .option('--scale <factor>', 'with --crops: reduce pictures by this factor first', numberIn({ from: 1 }))
    .addOption(choice('--channels <kind>', 'channels (default: as the pictures)', ['grey', 'colour'] as const))
    .option('--mirror', 'mirror half of the pictures left to right')
    .option('--limit <count>', 'most pictures to use', count)
    .option('--held <count>', 'pictures held out for measuring (default: an eighth, 8 to 64)', count)
    .option('--contaminated', 'leave out pictures that look defective, and list them')
    .option('--without <file>', 'leave out the pictures of this list: CSV with name, or name,defective')
    .option('--resume', 'continue from the last checkpoint, with its settings')
    .optionsGroup('Network:')
    .option(
      '--latent <length>',
      'length of z (default: linear 256 or half the pictures, of crops 128; light 64; pggan 512)',
      count,
    )
    .option('--width <channels>', 'feature maps at full size', count)
    .addOption(
      choice('--reconstruction <kind>', 'what makes good samples reachable (default: encoder)', [
        'encoder',
        'codes',
        'none',
      ] as const),
    )
    .option('--no-linear-start', 'do not start from the principal components')
    .option('--steps <count>', 'number of steps', count)
    .option('--minutes <number>', 'stop after this time; can be resumed', numberIn({ above: 0 }))
    .option('--rate <number>', 'learning rate', numberIn({ above: 0 }))
    .addOption(
      choice(
        '--augment <switch>',
        `augment the discriminator's pictures (default: on below ${AUGMENT_BELOW} pictures)`,
        ['on', 'off'] as const,
      ),
    )
    .option('--seed <number>', 'seed of all random numbers (default: 0)', seed)
    .optionsGroup('With --contaminated:')
    .option('--features <file>', 'network whose feature maps are compared (default: the one of this package)');
  addFeatureInputOptions(command)
    .optionsGroup('Files:')
    .option('--half', 'store weights in 16 bits')
    .option('--licence <name>', 'licence of the pictures, stored in the files')
    .option('--attribution <text>', 'author of the pictures, stored in the files')
    .optionsGroup('Running:')
    .option('--json', 'print the result as one JSON document')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

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
  if (feature !== undefined && !flags.contaminated)
    throw new RgiError(
      'usage',
      `${feature[1]} applies with --contaminated; of a policy the features are those of 'rgi calibrate --features'.`,
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
  return { by: 'screening', network: flags.featureLayers ? opened.network : coarserLayers(opened.network) };
}

function leftOutSentence({ leftOut = 0, pictures, held }: DataFacts, suspects: string | undefined): string {
  const all = leftOut + pictures + held;
  if (suspects === undefined) return `${leftOut} of ${all} pictures were left out, as the list says.`;
  return `${leftOut} of ${all} pictures look defective and were left out: look at them on the page below. Where that is wrong, correct the column 'defective' of ${suspects}, and train again with --without ${suspects}.`;
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

/** Progress on one line; what should stay (coverage, notes, broken pictures) on lines of its own. */
function eventsTo(io: Io, flags: TrainFlags): { event: (event: RunEvent) => void; done: () => void } {
  const line = progressLine(io, flags.quiet ?? false);
  const keep = (text: string) => {
    line.clear();
    if (!flags.quiet) say(io, text);
  };
  return {
    done: () => line.clear(),
    event(event) {
      if (event.kind === 'loading') return line.show(event.done, event.total, `reading picture ${event.done}`);
      if (event.kind === 'screening') return line.show(event.share, 1, 'comparing pictures');
      if (event.kind === 'broken') return keep(`skipped: ${event.picture.reason}`);
      if (event.kind === 'note') return keep(`note: ${event.text}`);
      if (event.kind === 'coverage') {
        const { step, median, worst, block } = event.point;
        const best = event.best ? '; best so far, models written' : '';
        const left = event.secondsLeft > 0 ? `; ${duration(event.secondsLeft)} left` : '';
        return keep(
          `step ${step}: coverage ${median.toFixed(1)} dB (median), ${worst.toFixed(1)} (worst), hidden centre ${block.toFixed(1)} dB${best}${left}`,
        );
      }
      const { step, steps, losses, secondsLeft } = event;
      const error = losses.reconstruction === undefined ? '' : `, error ${losses.reconstruction.toFixed(4)}`;
      line.show(step, steps, `step ${step} of ${steps}, ${duration(secondsLeft)} left${error}`);
    },
  };
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

const EXAMPLES = `
Examples:
  rgi train good/ --out part.onnx --size 128
  rgi train mixed/ --out part.onnx --size 128 --contaminated
  rgi train carpet/ --out carpet.onnx --crops --scale 4
  rgi train faces/ --out faces.onnx --minutes 60
  rgi train faces/ --out faces.onnx --resume

The architecture is linear unless --steps, --minutes or another setting of a
network is given; then it is light. Of the measured states of a network the one
is stored whose coverage and restoration of a hidden centre are best on average.`;
