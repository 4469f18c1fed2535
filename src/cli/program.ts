/** The program: its commands, and `run`, which turns arguments into an exit code and never throws. */
import { Command, CommanderError } from 'commander';
import { RgiError } from '../errors.ts';
import { count, numberIn, repeated } from './arguments.ts';
import { addCalibrateOptions, type CalibrateFlags, calibrateCommand } from './detect/calibrate.ts';
import { detectCommand } from './detect/detect.ts';
import { addDetectOptions as addProductOptions, type DetectFlags as ProductDetectFlags } from './detect/flags.ts';
import { type DoctorFlags, doctor } from './doctor.ts';
import { evaluateDetectCommand } from './evaluate/detect.ts';
import { addDetectOptions, type DetectFlags } from './evaluate/detect-flags.ts';
import { evaluateInpaintCommand } from './evaluate/inpaint.ts';
import { addInpaintOptions, type InpaintFlags } from './evaluate/inpaint-flags.ts';
import { EXIT, EXIT_CODES_HELP, type ExitCode, report } from './failures.ts';
import { type GradcheckFlags, gradcheck } from './gradcheck.ts';
import { type InspectFlags, inspect } from './inspect.ts';
import type { Io } from './io.ts';
import { type ReportFlags, reportCommand } from './report.ts';
import { restore } from './restore/command.ts';
import { addGeneratorOptions, addRestoreOptions, addRuntimeOptions, type RestoreFlags } from './restore/flags.ts';
import { addTheoryOptions, type TheoryFlags, theoryCommand } from './theory.ts';
import { addTrainOptions, type TrainFlags, train } from './train.ts';
import { VERSION } from './version.ts';

const seed = numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 });

/** Runs the program with `argv` (without node and script). Everything it says goes through `io`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const options = { json: argv.includes('--json'), debug: argv.includes('--debug') };
  let exitCode: ExitCode = EXIT.done;
  const said: string[] = [];
  const program = build(io, said, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io, options);
    if (error.exitCode === 0) return EXIT.done;
    if (error.code === 'commander.help') return EXIT.unusable;
    return report(new RgiError('usage', usageSentence(said.join(' '), argv)), io, options);
  }
}

/** Commander's words on one line, with where to look. */
function usageSentence(text: string, argv: readonly string[]): string {
  const line = text
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (.*)\?\)\s*$/, '. Did you mean $1?')
    .replace(/\s+/g, ' ')
    .trim();
  const command = COMMANDS.find((name) => name === argv.find((arg) => !arg.startsWith('-')));
  const help = `See 'rgi ${command ? `${command} ` : ''}--help'.`;
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.?]$/.test(line) ? '' : '.'} ${help}`;
}

const COMMANDS = [
  'restore',
  'calibrate',
  'detect',
  'inspect',
  'gradcheck',
  'doctor',
  'evaluate',
  'report',
  'theory',
  'train',
] as const;

function build(io: Io, said: string[], done: (code: ExitCode) => void): Command {
  const program = new Command('rgi')
    .description('Restores pictures that are grossly corrupted in places nobody has marked, and finds those places.')
    .version(`rgi ${VERSION}`, '-V, --version', 'print the version')
    .option('--debug', 'print the stack of errors')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: 110 })
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: (text) => said.push(text) })
    .exitOverride()
    .addHelpText('after', PROGRAM_EXAMPLES);

  const add = (name: string, description: string) =>
    program.command(name).description(description).addHelpText('afterAll', `\n${EXIT_CODES_HELP}`);

  addRestoreOptions(add('restore', 'restores pictures and finds what is corrupted in them')).action(
    async (images: string[], flags: RestoreFlags) => done(await restore(images, flags, io)),
  );

  addCalibrateOptions(add('calibrate', 'finds out, on good pictures, from where on a product is defective')).action(
    async (folder: string, flags: CalibrateFlags) => done(await calibrateCommand(folder, flags, io)),
  );

  addProductOptions(add('detect', 'examines pictures of a product: anomaly maps, defects, verdicts')).action(
    async (images: string[], flags: ProductDetectFlags) => done(await detectCommand(images, flags, io)),
  );

  addRuntimeOptions(addTrainOptions(add('train', 'trains a generator on a folder of good pictures'))).action(
    async (folder: string, flags: TrainFlags) => done(await train(folder, flags, io)),
  );

  addRuntimeOptions(
    addGeneratorOptions(
      add('inspect', 'tells what a model is, what is differentiable in it, and what would fail').argument(
        '<model>',
        'an ONNX file',
      ),
    )
      .option('--samples <file>', 'write a sheet of its pictures (PNG)')
      .option('--count <count>', 'how many', count, 16)
      .option('--seed <number>', 'seed of the latents', seed, 1),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (file: string, flags: InspectFlags) => done(await inspect(file, flags, io)));

  addRuntimeOptions(
    add('gradcheck', "checks a model's gradients, by central differences or against recorded ones")
      .argument('[model]', 'an ONNX file')
      .option('--reference <file>', 'an .npz with z (or image), y, g, grad_z (or grad_image) of L = sum(g * y)')
      .option('--wrt <tensor=key...>', 'further recorded gradients: weight=key; without --reference: names to check')
      .option(
        '--tolerance <number>',
        'relative error in the norm (default: 1e-4 with --reference, 0.03 without)',
        numberIn({ above: 0 }),
      )
      .option('--input <name=value>', 'value of an input: a number, or a .npy file; repeatable', repeated)
      .option('--output-name <name>', 'the output that is differentiated (default: the first)')
      .option('--directions <count>', 'random directions per tensor, without --reference', count, 3)
      .option('--seed <number>', 'seed of the latents and directions', seed, 1),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', GRADCHECK_EXAMPLES)
    .action(async (file: string | undefined, flags: GradcheckFlags) => done(await gradcheck(file, flags, io)));

  addRuntimeOptions(
    addGeneratorOptions(
      add('doctor', 'tells which devices there are, and whether a generator can be inverted').option(
        '-g, --generator <file>',
        'a generator (ONNX) whose own samples are inverted: must succeed',
      ),
    )
      .option('--steps <count>', 'steps of that trial', count)
      .option('--seed <number>', 'seed of the samples', seed, 0),
  )
    .option('--json', 'print one JSON document')
    .addHelpText('after', DOCTOR_EXAMPLES)
    .action(async (flags: DoctorFlags) => done(await doctor(flags, io)));

  const evaluate = add('evaluate', 'compares methods by the protocols of the paper, and writes tables');
  addInpaintOptions(
    evaluate.command('inpaint').description('restores corrupted pictures whose clean form is known'),
  ).action(async (data: string, flags: InpaintFlags) => done(await evaluateInpaintCommand(data, flags, io)));

  addDetectOptions(
    evaluate.command('detect').description('finds annotated defects, having learnt from good pictures alone'),
  ).action(async (data: string, flags: DetectFlags) => done(await evaluateDetectCommand(data, flags, io)));

  addTheoryOptions(add('theory', 'the theorems of RGI as an experiment: do its errors vanish with lambda?')).action(
    async (flags: TheoryFlags) => done(await theoryCommand(flags, io)),
  );

  add('report', 'makes one self-contained page of a run: tables, curves, pictures')
    .argument('<folder>', "what 'rgi evaluate', 'rgi detect' or 'rgi restore' wrote (its --out)")
    .option('-o, --out <file>', 'the page (default: report.html in the folder)')
    .option('--title <text>', 'its title')
    .option('--limit <megabytes>', 'at most so much of pictures', numberIn({ from: 0 }), 24)
    .option('--json', 'print file and size as one JSON document')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', REPORT_EXAMPLES)
    .action(async (folder: string, flags: ReportFlags) => done(await reportCommand(folder, flags, io)));

  return program;
}

const REPORT_EXAMPLES = `
Examples:
  rgi report table
  rgi report table --out table.html --title "CelebA, 128 x 128"
  rgi report found`;

const PROGRAM_EXAMPLES = `
Examples:
  rgi doctor                                            what this machine can do
  rgi inspect faces.onnx --samples samples.png          what a model is
  rgi restore photo.png --generator faces.onnx --out restored
  rgi help restore

${EXIT_CODES_HELP}`;

const INSPECT_EXAMPLES = `
Examples:
  rgi inspect faces.onnx
  rgi inspect faces.onnx --samples samples.png --count 36 --seed 7
  rgi inspect biggan.onnx --input label=3 --json`;

const GRADCHECK_EXAMPLES = `
Examples:
  rgi gradcheck faces.onnx
  rgi gradcheck faces.onnx --wrt layers.0.weight --directions 5
  rgi gradcheck faces.onnx --reference faces.npz --wrt layers.0.weight=grad_early layers.12.weight=grad_late --json`;

const DOCTOR_EXAMPLES = `
Examples:
  rgi doctor
  rgi doctor --generator faces.onnx --json`;

/** The commands and their options, for benches that parse command lines without running what they ask for. */
export { build as buildProgram };
