/** The program: its commands, and `run`, which turns arguments into an exit code and never throws. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../jobs/node/program.ts';
import { count, numberIn, onThisMachine, repeated } from './arguments.ts';
import { batchDetect, batchRestore } from './batch/command.ts';
import {
  addBatchDetectOptions,
  addBatchRestoreOptions,
  type BatchDetectFlags,
  type BatchRestoreFlags,
} from './batch/flags.ts';
import { addCalibrateOptions, type CalibrateFlags, calibrateCommand } from './detect/calibrate.ts';
import { detectCommand } from './detect/detect.ts';
import { addExportOptions, type ExportFlags, exportCommand } from './detect/export.ts';
import { addDetectOptions as addProductOptions, type DetectFlags as ProductDetectFlags } from './detect/flags.ts';
import { type DoctorFlags, doctor } from './doctor.ts';
import { evaluateDetectCommand } from './evaluate/detect.ts';
import { addDetectOptions, type DetectFlags } from './evaluate/detect-flags.ts';
import { evaluateInpaintCommand } from './evaluate/inpaint.ts';
import { addInpaintOptions, type InpaintFlags } from './evaluate/inpaint-flags.ts';
import { EXIT, type ExitCode, exitCodesHelp, report } from './failures.ts';
import { type GradcheckFlags, gradcheck } from './gradcheck.ts';
import { fitted, helpStyle, helpWidth } from './help.ts';
import { type InspectFlags, inspect } from './inspect.ts';
import type { Io } from './io.ts';
import { addMergeOptions, type MergeFlags, mergeCommand } from './merge.ts';
import { addGeneratorOptions, addRuntimeOptions, latentShape, modelMemory, modelSeconds } from './model-flags.ts';
import { addQueueOptions, type QueueAction, type QueueFlags, queueCommand } from './queue.ts';
import { type ReportFlags, reportCommand } from './report.ts';
import { restore } from './restore/command.ts';
import { addRestoreOptions, type RestoreFlags } from './restore/flags.ts';
import { addServeOptions, type ServeFlags, serveCommand } from './serve.ts';
import { addStudioOptions, type StudioFlags, studioCommand } from './studio.ts';
import { addTheoryOptions, type TheoryFlags, theoryCommand } from './theory.ts';
import { train } from './train.ts';
import { addTrainOptions, type TrainFlags } from './train-flags.ts';
import { unknownHelp, usageError } from './usage.ts';
import { addWorkerOptions, type WorkerFlags, workerCommand } from './worker.ts';

const seed = numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 });

/** Runs the program with `argv` (without node and script). Everything it says goes through `io`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const options = { json: argv.includes('--json'), debug: argv.includes('--debug') };
  let exitCode: ExitCode = EXIT.done;
  const complaints: string[] = [];
  const program = build(io, complaints, (code) => {
    exitCode = code;
  });
  const noSuchHelp = unknownHelp(program, argv);
  if (noSuchHelp) return report(noSuchHelp, io, options);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io, options);
    if (error.exitCode === 0) return EXIT.done;
    if (error.code === 'commander.help') return EXIT.unusable;
    return report(usageError(program, argv, error, complaints.join(' ')), io, options);
  }
}

function build(io: Io, complaints: string[], done: Done): Command {
  const text = (examples: string) => fitted(examples, helpWidth(io.columns));
  const program = new Command('rgi')
    .description('Finds what is corrupted in a picture, and restores it: no mask is needed.')
    .version(`rgi ${VERSION}`, '-V, --version', 'print the version')
    .option('--debug', 'print the stack trace of errors')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .showSuggestionAfterError(false)
    .configureHelp(helpStyle(io.columns))
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: (text) => complaints.push(text) })
    .exitOverride()
    // Every command opens models, whose trials end with the program.
    .hook('preAction', (_, command) => void command.setOptionValue('signal', io.signal))
    .addHelpText('after', () => text(PROGRAM_EXAMPLES));

  const add = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .addHelpText('afterAll', ({ command }) => text(`\n${exitCodesHelp(resumed(command))}`));

  addRestoreOptions(add('restore', 'restore pictures and find what is corrupted in them')).action(
    async (images: string[], flags: RestoreFlags) => done(await restore(images, flags, io)),
  );

  addCalibrateOptions(add('calibrate', 'set the thresholds of detection on good pictures')).action(
    async (folder: string, flags: CalibrateFlags) => done(await calibrateCommand(folder, flags, io)),
  );

  addProductOptions(add('detect', 'find defects: anomaly maps, regions, verdicts')).action(
    async (images: string[], flags: ProductDetectFlags) => done(await detectCommand(images, flags, io)),
  );

  addExportOptions(add('export', 'make one ONNX file of a calibrated model, to be run without rgi')).action(
    async (file: string, flags: ExportFlags) => done(await exportCommand(file, flags, io)),
  );

  addRuntimeOptions(addTrainOptions(add('train', 'train a generator on a folder of good pictures'))).action(
    async (folder: string, flags: TrainFlags) => done(await train(folder, flags, io)),
  );

  addModelCommands(add, text, io, done);

  addEvaluations(add('evaluate', 'compare methods on a data set, and write tables'), io, done);

  addTheoryOptions(add('theory', 'test the theorems of RGI by experiment')).action(async (flags: TheoryFlags) =>
    done(await theoryCommand(flags, io)),
  );

  addBatch(add('batch', 'restore or detect on any number of pictures'), io, done);

  addMergeOptions(add('merge', 'join the results of several runs of the same settings')).action(
    async (folders: string[], flags: MergeFlags) => done(await mergeCommand(folders, flags, io)),
  );

  addWorkerOptions(add('worker', 'compute pictures of a queue in Redis or Valkey')).action(async (flags: WorkerFlags) =>
    done(await workerCommand(flags, io)),
  );

  addQueueOptions(add('queue', 'look at the queue, and at what failed in it')).action(
    async (what: QueueAction, keys: string[], flags: QueueFlags) => done(await queueCommand(what, keys, flags, io)),
  );

  addServeOptions(add('serve', 'restore and detect over HTTP')).action(async (flags: ServeFlags) =>
    done(await serveCommand(flags, io)),
  );

  addStudioOptions(add('studio', 'restore, inspect and explore in a browser')).action(async (flags: StudioFlags) =>
    done(await studioCommand(flags, io)),
  );

  add('report', 'make one self-contained page of the results of a run')
    .argument('<folder>', "the --out of 'rgi evaluate', 'rgi detect' or 'rgi restore'")
    .option('-o, --out <file>', 'the page (default: report.html in the folder)', onThisMachine)
    .option('--title <text>', 'title of the page')
    .option('--limit <megabytes>', 'largest total size of the pictures in it', numberIn({ from: 0 }), 24)
    .option('--json', 'print the file and its size as one JSON document')
    .option('-q, --quiet', 'print nothing but errors')
    .addHelpText('after', () => text(REPORT_EXAMPLES))
    .action(async (folder: string, flags: ReportFlags) => done(await reportCommand(folder, flags, io)));

  return program;
}

/** What an interrupted command leaves; of a group, what its commands leave. */
function resumed(command: Command): string {
  const all = command.commands.length > 0 ? command.commands : [command];
  return all.every(({ options }) => options.some(({ long }) => long === '--resume'))
    ? 'can be resumed'
    : 'run it again from the start';
}

type Add = (name: string, description: string) => Command;
type Done = (code: ExitCode) => void;

/** What is asked about a model or about this machine: inspect, gradcheck, doctor. */
function addModelCommands(add: Add, text: (examples: string) => string, io: Io, done: Done): void {
  addRuntimeOptions(
    addGeneratorOptions(add('inspect', 'show what a model is, and what would fail').argument('<model>', 'an ONNX file'))
      .option('--samples <file>', 'write a sheet of random samples (PNG)')
      .option('--count <count>', 'number of samples', count, 16)
      .option('--seed <number>', 'seed of the random latents', seed, 1),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', () => text(INSPECT_EXAMPLES))
    .action(async (file: string, flags: InspectFlags) => done(await inspect(file, flags, io)));

  addRuntimeOptions(
    add('gradcheck', "check a model's gradients")
      .argument('[model]', 'an ONNX file')
      .option('--reference <file>', 'an .npz with z (or image), y, g and grad_z (or grad_image) of the loss sum(g * y)')
      .option(
        '--wrt <tensor=key...>',
        'further tensors to check; with --reference as TENSOR=KEY, the array of its gradient',
      )
      .option(
        '--tolerance <number>',
        'largest relative error of the norm (default: 1e-4 with --reference, else 0.03)',
        numberIn({ above: 0 }),
      )
      .option('--input <name=value>', 'value of an input: a number or a .npy file; repeatable', repeated)
      .addOption(latentShape())
      .option('--output-name <name>', 'the output that is differentiated (default: the first)')
      .addOption(modelMemory())
      .addOption(modelSeconds())
      .option('--directions <count>', 'random directions per tensor (without --reference)', count, 3)
      .option('--seed <number>', 'seed of the latents and the directions', seed, 1),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', () => text(GRADCHECK_EXAMPLES))
    .action(async (file: string | undefined, flags: GradcheckFlags) => done(await gradcheck(file, flags, io)));

  addRuntimeOptions(
    addGeneratorOptions(
      add('doctor', 'show the devices, and try to invert a generator').option(
        '-g, --generator <file>',
        'a generator (ONNX): its own samples are inverted, which must succeed',
      ),
    )
      .option('--steps <count>', 'steps of this trial', count)
      .option('--seed <number>', 'seed of the samples', seed, 0),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', () => text(DOCTOR_EXAMPLES))
    .action(async (flags: DoctorFlags) => done(await doctor(flags, io)));
}

function addEvaluations(evaluate: Command, io: Io, done: Done): void {
  addInpaintOptions(
    evaluate.command('inpaint').description('restore corrupted pictures whose clean form is known'),
  ).action(async (data: string, flags: InpaintFlags) => done(await evaluateInpaintCommand(data, flags, io)));

  addDetectOptions(
    evaluate.command('detect').description('find annotated defects after learning from good pictures'),
  ).action(async (data: string, flags: DetectFlags) => done(await evaluateDetectCommand(data, flags, io)));
}

function addBatch(batch: Command, io: Io, done: Done): void {
  addBatchRestoreOptions(
    batch.command('restore').description('restore all pictures of a folder, a pattern or a manifest'),
  ).action(async (list: string, flags: BatchRestoreFlags) => done(await batchRestore(list, flags, io)));

  addBatchDetectOptions(
    batch.command('detect').description('inspect all pictures of a folder, a pattern or a manifest'),
  ).action(async (list: string, flags: BatchDetectFlags) => done(await batchDetect(list, flags, io)));
}

const REPORT_EXAMPLES = `
Examples:
  rgi report table
  rgi report table --out table.html --title "CelebA, 128 x 128"
  rgi report found`;

const PROGRAM_EXAMPLES = `
Examples:
  rgi doctor
  rgi inspect faces.onnx --samples samples.png
  rgi restore photo.png --generator faces.onnx --out restored
  rgi help restore

${exitCodesHelp('commands with --resume can continue')}`;

const INSPECT_EXAMPLES = `
Examples:
  rgi inspect faces.onnx
  rgi inspect faces.onnx --samples samples.png --count 36 --seed 7
  rgi inspect biggan.onnx --input label=3 --json`;

const GRADCHECK_EXAMPLES = `
Examples:
  rgi gradcheck faces.onnx
  rgi gradcheck faces.onnx --wrt layers.0.weight --directions 5
  rgi gradcheck faces.onnx --reference faces.npz --wrt layers.0.weight=grad_0`;

const DOCTOR_EXAMPLES = `
Examples:
  rgi doctor
  rgi doctor --generator faces.onnx --json`;

/** The commands and their options, for benches that parse command lines without running what they ask for. */
export { build as buildProgram };
