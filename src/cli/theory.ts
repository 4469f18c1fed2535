/** `rgi theory`: its options; opens the generator, runs the experiments, writes the page. */

import path from 'node:path';
import type { Command } from 'commander';
import { messageOf, RgiError } from '../errors.ts';
import { findPictures } from '../evaluate/node/layouts.ts';
import { type Image, stackImages } from '../images/image.ts';
import { readPicture } from '../images/node/read.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { VERSION } from '../jobs/node/program.ts';
import { type GeneratorFlags, openGeneratorFile } from '../models/node/networks.ts';
import { modelHashes } from '../models/node/weight-files.ts';
import { createRuntime } from '../runtime/node/index.ts';
import { findInvariance } from '../theory/measure.ts';
import { runTheory } from '../theory/node/run.ts';
import { PATH, planOf } from '../theory/plan.ts';
import { type Cell, EXPERIMENTS, type Experiment, type Theory } from '../theory/record.ts';
import { prepareSetting } from '../theory/setting.ts';
import { spreadOf } from '../theory/summary.ts';
import { count, list, numberIn, oneOf, onThisMachine } from './arguments.ts';
import { commandLine } from './evaluate/common.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, printJson, say } from './io.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from './model-flags.ts';
import { progressLine } from './progress.ts';
import { checkFolder } from './restore/command.ts';

export interface TheoryFlags extends GeneratorFlags, RuntimeFlags {
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly steps: number;
  readonly starts: number;
  readonly pool: number;
  readonly experiments?: readonly Experiment[];
  readonly pictures?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Experiments:
  path       Theorems 1 and 2: random z*, G(z*) corrupted under a known mask,
             lambda lowered towards 0
  fraction   10% to 90% corrupted
  weak       corruption that hardly differs from G(z*)
  gap        clean pictures off the manifold: by a smooth field, or real ones
             (--pictures)
  relatives  least squares, least absolute, Huber (Winsorised), truncated
             squares, bounded Huber beside RGI
  tuning     R-RGI on such pictures, by the number of steps that tune weights

Examples:
  rgi train faces/ --out lin.onnx --architecture linear
  rgi theory --generator lin.onnx --out theory
  rgi theory -g faces.onnx --out theory --count 32 --pictures faces/test
  rgi theory -g faces.onnx --out theory --experiments path,relatives

Files written to --out: theory.html (the page), theory.json (all numbers and
settings), theory.csv (the same, one number a row).`;

export function addTheoryOptions(command: Command): Command {
  const experiment = oneOf(EXPERIMENTS);
  const seed = numberIn({ integer: true, from: 0, to: 2 ** 31 });
  command
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'folder of the page and the numbers', onThisMachine)
    .option('--count <count>', 'latents z* of the theorems; other experiments take a share', count, 20)
    .option(
      '--experiments <names>',
      'experiments, separated by commas (default: all)',
      (text: string, before?: readonly Experiment[]) => list(text, before).map(experiment),
    )
    .option('--pictures <folder>', 'clean pictures of the domain, for the experiment gap')
    .option('--steps <count>', `steps at each of the ${PATH.length} thresholds`, count, 100)
    .option(
      '--starts <count>',
      'searches per picture, besides the one from z*',
      numberIn({ integer: true, from: 1, to: 31 }),
      3,
    )
    .option('--pool <count>', 'random latents that the starts are chosen from', count, 1000)
    .option('--seed <number>', 'seed of all random numbers', seed, 0)
    .option('--resume', 'continue an interrupted run of the same settings')
    .option('--overwrite', 'remove what an earlier run wrote to --out, and start again')
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command)
    .option('--json', 'print theory.json on stdout')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

export async function theoryCommand(flags: TheoryFlags, io: Io): Promise<ExitCode> {
  const experiments = flags.experiments ?? EXPERIMENTS;
  if (flags.experiments?.includes('pictures') && flags.pictures === undefined) {
    throw new RgiError('usage', "The experiment 'pictures' needs --pictures, a folder of clean pictures.");
  }
  await checkFolder(flags.out);
  const started = performance.now();
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const { generator, law, notes: openedNotes } = await openGeneratorFile(runtime, flags);
    const wanted = Math.max(1, Math.ceil(flags.count / 3));
    const loaded = flags.pictures === undefined ? undefined : await load(flags.pictures, generator, wanted);
    const pictures = loaded?.pictures;
    const notes = [...openedNotes, ...(loaded?.notes ?? [])];
    const given = pictures && { folder: flags.pictures!, count: pictures.dims[0] };
    const plans = planOf({ count: flags.count, pictures: given, experiments });
    const { seed, steps, starts, pool } = flags;
    const invariance = await findInvariance(generator, runtime, seed + 5);
    const setting = await prepareSetting(
      { generator, invariance, pictures, seed, steps, starts, pool },
      flags.count,
      runtime,
    );
    const settings = {
      generator: {
        file: flags.generator,
        ...(await modelHashes(flags.generator)),
        latents: generator.latents,
        law,
        inputs: flags.input ?? [],
        image: [generator.channels, generator.height, generator.width],
      },
      count: flags.count,
      seed,
      steps,
      starts,
      pool,
      path: PATH,
    };
    const theory = (cells: readonly Cell[], complete: boolean): Theory => ({
      format: 1,
      complete,
      command: commandLine(['theory'], { ...flags }),
      versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
      device: runtime.device,
      settings,
      invariance,
      notes,
      seconds: Math.round((performance.now() - started) / 1000),
      cells,
    });
    const quiet = flags.quiet ?? false;
    if (!quiet) for (const note of [...notes, invariance.sentence]) say(io, `note: ${note}`);
    const progress = progressLine(io, quiet);
    const { out, resume, overwrite } = flags;
    const job = { folder: out, plans, setting, description: settings, theory, resume, overwrite };
    const made = await runTheory(job, runtime, {
      signal: io.signal,
      onProgress: (done, total, what) => progress.show(done, total, what),
      onWarning(message) {
        progress.clear();
        say(io, `warning: ${message}`);
      },
      onCell(cell, what) {
        progress.clear();
        if (!quiet) say(io, `${what}: ${describe(cell)}`);
      },
    });
    progress.clear();
    if (flags.json) printJson(io, made);
    if (!made.complete) {
      say(io, 'Interrupted. Run the same command with --resume to continue.');
      return EXIT.interrupted;
    }
    if (!quiet) say(io, path.join(flags.out, 'theory.html'));
    return EXIT.done;
  } finally {
    await runtime.dispose();
  }
}

function describe(cell: Cell): string {
  const grey = (errors: readonly { readonly rms: number }[]) =>
    `${(spreadOf(errors.map((e) => e.rms))?.median ?? Number.NaN).toPrecision(3)} grey levels`;
  if (cell.kind === 'tuning') {
    const [first, last] = [cell.points[0], cell.points[cell.points.length - 1]];
    return `RMS ${grey(first.errors)}, after ${last.weightSteps} steps of the weights ${grey(last.errors)}`;
  }
  const last = cell.points[cell.points.length - 1];
  return `RMS ${grey(last.search)} at the last threshold`;
}

/** The first pictures of a folder that can be used, as the generator takes them; the others are noted. Throws `input` where there are none. */
async function load(
  folder: string,
  { channels, height, width }: Generator,
  wanted: number,
): Promise<{ pictures: Image; notes: string[] }> {
  const { files } = await findPictures(folder);
  const images: Image[] = [];
  const reasons: string[] = [];
  for (const { path: file } of files) {
    if (images.length >= wanted) break;
    try {
      const options = { channels, size: { height, width }, fit: 'cover', grey: 'luma' } as const;
      images.push((await readPicture(file, options)).image);
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      reasons.push(messageOf(error));
    }
  }
  if (images.length === 0)
    throw new RgiError('input', `None of the ${files.length} pictures of ${folder} could be used: ${reasons[0]}`, {
      file: folder,
    });
  return { pictures: stackImages(images), notes: reasons.map((reason) => `A picture is left out: ${reason}`) };
}
