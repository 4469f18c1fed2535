/** `rgi restore`: its options as commander reads them, and what a method gets of them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { RgiError } from '../../errors.ts';
import type { Fit } from '../../images/resize.ts';
import type { ImageRange } from '../../inspect/facts.ts';
import type { LatentLaw } from '../../inversion/generator.ts';
import { METHOD_NAMES, type MethodName } from '../../inversion/method.ts';
import { type MethodOptions, understoodOptions } from '../../inversion/methods/index.ts';
import { PRESETS } from '../../inversion/presets.ts';
import type { GeneratorFlags } from '../../models/node/networks.ts';
import { MODEL_SECONDS } from '../../models/node/trial.ts';
import { DEVICES, type Device } from '../../runtime/runtime.ts';
import { choice, count, list, numberIn, oneOf, repeated, sizes } from '../arguments.ts';

export type MethodFlags = Omit<MethodOptions, 'thresholdGrey' | 'method'> & {
  readonly method?: MethodName;
  readonly threshold?: number;
};

export interface RuntimeFlags {
  readonly device: Device;
  readonly threads?: number;
}

export interface RestoreFlags extends GeneratorFlags, MethodFlags, RuntimeFlags {
  readonly out: string;
  readonly mask?: string;
  readonly encoder?: string;
  readonly discriminator?: string;
  readonly features?: string;
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
  readonly blend: 'poisson' | 'feather' | 'none';
  readonly grow: number;
  readonly batch?: number;
  readonly npy?: boolean;
  readonly saveGenerator?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly resume?: boolean;
}

const rate = numberIn({ above: 0 });
const weight = numberIn({ from: 0 });

const EXAMPLES = `
Examples:
  # find what is corrupted, and restore it
  rgi restore photo.png --generator faces.onnx --out restored

  # a folder of pictures of any size, brought to the generator's; its weights are tuned too
  rgi restore photos/ --generator faces.onnx --method rrgi --fit cover --out restored

  # compare the layers of a discriminator too
  rgi restore photo.png --generator faces.onnx --discriminator d.onnx --feature-weight 0.1 --out restored

  # the paper's recipe, with the residual at which a pixel is masked given in grey levels
  rgi restore photo.png --generator faces.onnx --preset paper --threshold 20 --out restored

  # inpaint a drawn mask (white = to be filled), as Pan et al. do
  rgi restore photo.png --generator faces.onnx --method dgp --mask drawn.png --discriminator d.onnx --out restored

  # search W of a StyleGAN instead of z ('rgi inspect' lists the names)
  rgi restore photo.png --generator stylegan.onnx --latent /mapping/Mul_output_0 --out restored

Files written to --out, for each picture NAME:
  NAME.restored.png   G(z), what the generator makes of it
  NAME.composite.png  the picture with the found region filled from it, seam blended
  NAME.mask.png       the found region, white
  NAME.softmask.png   how surely: |M|; where M is exact (the default), 1 - (t/r)^2 for a residual r above the threshold t, or
                      the share of masked neighbours; 1 where there is no data
  NAME.residual.png   |picture - restored|, RMS over the channels: black 0 to white 127.5 grey levels and more, always
  NAME.*.npy          with --npy: picture, restored, composite, softmask, residual as float arrays
  NAME.latents.npz    with --npy: the latents
  NAME.weights.npz    with --npy, where weights are tuned (rrgi, dgp): what was added to each (in the library:
                      withWeightChanges)
  NAME.generator.onnx with --save-generator: the generator with these changes, to be used with the same options
  manifest.json       everything needed to repeat the run, and each picture's result`;

/** Options that open a generator; shared by the commands that do. */
export function addGeneratorOptions(command: Command): Command {
  return command
    .option('--latent <name>', 'unknown to search: an input or any value inside; several with commas', list)
    .addOption(
      new Option(
        '--latent-law <law>',
        'law the latents are drawn from (default: as the file says, else normal)',
      ).argParser(oneOf<LatentLaw>(['normal', 'uniform', 'unit'])),
    )
    .addOption(
      new Option(
        '--latent-shape <sizes>',
        'shape of one latent, where the file leaves it open: 128, or 512,1,1',
      ).argParser(sizes),
    )
    .option('--input <name=value>', 'value of another input: a number, or a .npy file; repeatable', repeated)
    .option('--output-name <name>', 'the output that is the picture (default: the largest that looks like one)')
    .addOption(
      new Option(
        '--range <range>',
        "the generator's value range: -1..1, 0..1 or 0..255 (default: found out)",
      ).argParser(oneOf<ImageRange>(['-1..1', '0..1', '0..255'])),
    )
    .addOption(
      new Option('--layout <layout>', "the generator's axes: NCHW or NHWC (default: found out)").argParser(
        oneOf<'NCHW' | 'NHWC'>(['NCHW', 'NHWC']),
      ),
    )
    .addOption(
      new Option('--shape <c,h,w>', "channels, height and width of a generator's flat pictures").argParser(
        pictureShape,
      ),
    )
    .addOption(modelMemory())
    .addOption(modelSeconds());
}

/** The budget of a model that is not known. */
export function modelMemory(): Option {
  const text = 'memory that a model may take when it is first run (default: half of the machine, at most 8192)';
  return new Option('--model-memory <megabytes>', text).argParser(count);
}

export function modelSeconds(): Option {
  const text = `time that a model may take when it is first run (default: ${MODEL_SECONDS})`;
  return new Option('--model-seconds <seconds>', text).argParser(count);
}

function pictureShape(text: string): number[] {
  const shape = sizes(text);
  if (shape.length === 3 && shape[0] <= 4) return shape;
  throw new InvalidArgumentError('It is channels (1 to 4), height and width, such as 1,28,28.');
}

export function addRuntimeOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--device <device>', `where to compute: ${DEVICES.join(', ')}`)
        .default('cpu')
        .argParser(oneOf(DEVICES)),
    )
    .option('--threads <count>', 'threads of the CPU (default: its cores)', count);
}

export function addRestoreOptions(command: Command): Command {
  command
    .argument('<images...>', 'pictures, .npy arrays [C,H,W] or [N,C,H,W] in [-1,1], folders, or patterns')
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'where the results go')
    .optionsGroup('Method:')
    .addOption(choice('-m, --method <name>', 'how to invert (default: rgi; with --preset best: rrgi)', METHOD_NAMES))
    .addOption(
      choice(
        '--preset <name>',
        'settings of rgi (default: fast), of rrgi (default: best), of yeh, dgp (default: paper)',
        PRESETS,
      ),
    )
    .addOption(
      choice('--recipe <name>', 'whose settings of yeh, dgp, anogan (default: original)', ['original', 'rgi'] as const),
    )
    .option('--mask <path>', 'masks, white = corrupted: a file for all pictures, or a folder with one for each')
    .option('--encoder <file>', "gives one of several starts (default: the generator's companion); 'none' for none")
    .option('--discriminator <file>', "the discriminator, for priors and features; 'none' for not even its companion")
    .option('--features <file>', 'another network whose layers are compared (a VGG; default: the discriminator)')
    .option('--feature-layers <names>', 'its values that are compared (default: its activations)', list)
    .option('--feature-weight <weight>', 'weight of that comparison beside the residual (rgi, rrgi, invert)', rate)
    .addOption(choice('--feature-distance <name>', 'how they are compared (default: l2)', ['l1', 'l2'] as const))
    .option('--lambda <number>', 'weight of the mask', rate)
    .option('--threshold <grey>', 'the same as a residual in grey levels (0 to 255) at which a pixel is masked', rate)
    .addOption(choice('--loss <name>', 'residual', ['l1', 'l2', 'huber'] as const))
    .option('--huber-grey <grey>', "where Huber's loss turns linear, in grey levels", rate)
    .addOption(choice('--reduction <name>', 'losses and ||M|| per image', ['sum', 'mean'] as const))
    .addOption(choice('--mask-form <name>', 'the mask', ['free', 'clipped', 'exact'] as const))
    .option('--steps <count>', 'steps of optimisation', count)
    .option('--starts <count>', 'searches per picture, the best is kept', count)
    .option('--pool <count>', 'random latents the starts are chosen from', count)
    .option(
      '--seed <number>',
      'seed of the random latents (default: 0)',
      numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }),
    )
    .option(
      '--latent-rate <rate>',
      'learning rate of the latent (presets fast, best: the longest move of a step)',
      rate,
    )
    .option('--mask-rate <rate>', 'learning rate of a free mask', rate)
    .option('--weight-rate <rate>', 'learning rate of the weights (rrgi)', rate)
    .option('--weights <names>', 'weights to tune (rrgi, dgp; default: all)', list)
    .option(
      '--latent-prior <weight>',
      'weight of a Gaussian prior on the latent (presets fast and best: in place of their own; 0: none)',
      weight,
    )
    .option('--critic-prior <weight>', "weight of the discriminator's prior", weight)
    .addOption(
      choice('--importance <name>', 'weights of the known pixels (yeh)', ['none', 'released', 'described'] as const),
    )
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command
    .optionsGroup('Pictures:')
    .addOption(
      choice('--fit <how>', 'pictures of another size', ['refuse', 'contain', 'cover', 'stretch'] as const, 'refuse'),
    )
    .addOption(choice('--grey <how>', 'colour pictures for a grey generator', ['refuse', 'luma'] as const, 'refuse'))
    .addOption(choice('--blend <how>', 'seam of the composite', ['poisson', 'feather', 'none'] as const, 'poisson'))
    .option('--grow <pixels>', 'the composite fills the mask grown by so much', numberIn({ from: 0, to: 64 }), 1)
    .optionsGroup('Running:');
  addRuntimeOptions(command);
  return command
    .option('--batch <count>', 'pictures inverted side by side at most (default: chosen)', count)
    .option('--resume', 'go on with an interrupted run of the same options')
    .option('--npy', 'write the float arrays too')
    .option('--save-generator', 'write the generator as it was tuned to each picture too (rrgi, dgp)')
    .option('--json', 'print the manifest on stdout')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES);
}

/** The command line's name of each option of a method. */
const FLAG_NAMES: Partial<Record<keyof MethodOptions, string>> = { thresholdGrey: '--threshold' };

export function flagOf(option: keyof MethodOptions): string {
  return FLAG_NAMES[option] ?? `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const METHOD_KEYS = [
  'preset',
  'recipe',
  'loss',
  'huberGrey',
  'reduction',
  'maskForm',
  'lambda',
  'steps',
  'starts',
  'pool',
  'seed',
  'latentRate',
  'maskRate',
  'weightRate',
  'weights',
  'importance',
  'latentPrior',
  'criticPrior',
  'featureLayers',
  'featureWeight',
  'featureDistance',
] as const satisfies readonly (keyof MethodFlags)[];

/**
 * The method's own options, those not given left out. An option it has no use for is refused by its flag's name; the
 * threshold of a method without a mask of its own says which residuals count as found, and is no option of the method.
 */
export function methodOptionsOf(flags: MethodFlags): MethodOptions {
  const { method = flags.preset === 'best' ? 'rrgi' : 'rgi' } = flags;
  if (flags.lambda !== undefined && flags.threshold !== undefined) {
    throw new RgiError('usage', 'Give --lambda or --threshold, not both: they say the same in different units.');
  }
  const given = METHOD_KEYS.filter((key) => flags[key] !== undefined);
  const understood = understoodOptions(method);
  const odd = given.find((key) => !understood.includes(key));
  if (odd) {
    const flagNames = understood.filter((key) => key !== 'method').map(flagOf);
    throw new RgiError(
      'usage',
      `The method '${method}' has no use for ${flagOf(odd)}; it takes ${flagNames.join(', ')}.`,
    );
  }
  const lone = (['featureLayers', 'featureDistance'] as const).find((key) => given.includes(key));
  if (lone && understood.includes('featureWeight') && flags.featureWeight === undefined) {
    throw new RgiError('usage', `${flagOf(lone)} needs --feature-weight, the weight of that comparison.`);
  }
  const own = Object.fromEntries(given.map((key) => [key, flags[key]]));
  const threshold = understood.includes('thresholdGrey') ? flags.threshold : undefined;
  return { method, ...own, ...(threshold === undefined ? {} : { thresholdGrey: threshold }) };
}
