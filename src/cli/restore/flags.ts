/** `rgi restore`: its options. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Box } from '../../images/image.ts';
import { WRITTEN_FORMATS, type WrittenFormat } from '../../images/node/stored.ts';
import type { Alignment } from '../../images/own-size/view.ts';
import type { Fit } from '../../images/resize.ts';
import { PRESETS } from '../../inversion/methods/presets.ts';
import { METHOD_NAMES } from '../../inversion/spec/method.ts';
import type { GeneratorFlags } from '../../models/node/networks.ts';
import { bytes, choice, count, numberIn, onThisMachine } from '../arguments.ts';
import { addText } from '../help.ts';
import { type InputFlags, RECURSIVE } from '../inputs.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../model-flags.ts';
import { addMethodOptions, type MethodFlags } from './method-flags.ts';

export interface RestoreFlags extends GeneratorFlags, MethodFlags, RuntimeFlags, InputFlags {
  /** Of `rgi batch` only. */
  readonly upload?: string;
  /** Of `rgi restore` only. */
  readonly fromLatents?: string;
  readonly out: string;
  readonly mask?: string;
  readonly keep?: string;
  readonly hide?: string;
  readonly region?: Box;
  readonly align?: Alignment | 'auto';
  readonly tiles?: number | true;
  readonly encoder?: string;
  readonly discriminator?: string;
  readonly features?: string;
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
  readonly blend: 'poisson' | 'feather' | 'none';
  readonly grow: number;
  readonly batch?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly format?: WrittenFormat;
  readonly npy?: boolean;
  readonly saveGenerator?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

const rate = numberIn({ above: 0 });

const EXAMPLES = `
Examples:
  # find what is corrupted, and restore it
  rgi restore photo.png --generator faces.onnx --out restored

  # a folder of pictures of any size; the generator's weights are tuned too
  rgi restore photos/ -g faces.onnx --method rrgi --out restored

  # the face is a part of the picture: named, or found
  rgi restore photo.jpg -g faces.onnx --region 620,60,320,320 --out restored
  rgi restore photo.jpg -g faces.onnx --align auto --out restored

  # a large scan, by a generator of its texture
  rgi restore scan.tif -g linen.onnx --tiles 4 --out restored

  # correct a mask that was found: white in good.png stays, in bad.png goes
  rgi restore photo.jpg -g faces.onnx --keep good.png --hide bad.png -o again

  # the same, from where an earlier run with --npy ended
  rgi restore photo.jpg -g faces.onnx --hide bad.png -o again \\
      --from-latents restored

  # compare the features of a discriminator too
  rgi restore photo.png -g faces.onnx --discriminator d.onnx \\
      --feature-weight 0.1 --out restored

  # the settings of the paper, with the threshold in grey levels
  rgi restore photo.png -g faces.onnx --preset paper --threshold 20 -o restored

  # fill a given mask (white = to be filled) by the method of Pan et al.
  rgi restore photo.png -g faces.onnx --method dgp --mask drawn.png \\
      --discriminator d.onnx --out restored

  # search W+ of a StyleGAN instead of z; inner values go by their names, too
  rgi restore photo.png -g stylegan.onnx --latent w+ -o out

Files written to --out, for each picture NAME:
  NAME.restored.png   G(z), the generator's picture, at the generator's size
  NAME.composite.EXT  the picture at its own size and in its own format, with
                      the masked region filled from G(z); other pixels are
                      those of the file (JPEG is compressed again: --format)
  NAME.mask.png       the masked region, white, at the picture's own size
  NAME.softmask.png   probability of corruption, 1 where there is no data; with
                      --threshold, --lambda or a paper preset |M|, at most 1
  NAME.residual.png   |picture - G(z)|, RMS over the channels; black is 0, white
                      is 127.5 grey levels and more
  NAME.*.npy          with --npy: picture, restored, composite, softmask and
                      residual as float arrays at the generator's size
  NAME.latents.npz    with --npy: the latents
  NAME.weights.npz    with --npy and tuned weights (rrgi, dgp): what was added
                      to each weight
  NAME.generator.onnx with --save-generator: the tuned generator
  manifest.json       the settings of the run and the result of each picture`;

function region(text: string): Box {
  const [left, top, width, height, ...more] = numbersOf(text);
  if (
    more.length === 0 &&
    [left, top].every((n) => Number.isInteger(n) && n >= 0) &&
    [width, height].every((n) => Number.isInteger(n) && n > 0)
  )
    return { left, top, width, height };
  throw new InvalidArgumentError('It is left, top, width and height in whole pixels, such as 100,40,512,512.');
}

function alignment(text: string): Alignment | 'auto' {
  if (text === 'auto') return text;
  const [x, y, scale, degrees = 0, ...more] = numbersOf(text);
  if (more.length === 0 && [x, y, scale, degrees].every(Number.isFinite) && scale > 0) return { x, y, scale, degrees };
  throw new InvalidArgumentError(
    "It is x, y, scale and degrees: where the centre of the generator's picture lies, how many pixels one of its pixels covers, and its turn, such as 300,200,4.5,10; or auto.",
  );
}

function numbersOf(text: string): number[] {
  return text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
}

export function addRestoreOptions(command: Command): Command {
  command.argument('<images...>', 'pictures, folders, patterns, or .npy arrays [C,H,W] or [N,C,H,W] in [-1,1]');
  addRestoreSettings(command, () =>
    command
      .option(...RECURSIVE)
      .option(
        '--from-latents <path>',
        'begin at latents of an earlier run: NAME.latents.npz (--npy), or a folder of them',
      ),
  );
  command.option('--json', 'print the manifest on stdout');
  return addText(command, EXAMPLES);
}

/**
 * All but what says which pictures. What nearly every call needs stands first; the others follow by what they are about. `addPictureOptions`
 * adds more of the pictures' own.
 */
export function addRestoreSettings(command: Command, addPictureOptions: () => void): Command {
  command
    .optionsGroup('Common options:')
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'folder of the results', onThisMachine)
    .addOption(choice('-m, --method <name>', 'method (default: rgi; with --preset best: rrgi)', METHOD_NAMES))
    .addOption(choice('--preset <name>', 'settings (default: fast for rgi, best for rrgi, else paper)', PRESETS))
    .option('--mask <path>', 'given masks, white = corrupted: one file for all pictures, or a folder')
    .option('--threshold <grey>', 'residual above which a pixel is masked, in grey levels (0 to 255)', rate)
    .addOption(
      choice('--fit <how>', 'pictures of another size', ['refuse', 'contain', 'cover', 'stretch'] as const, 'contain'),
    )
    .option('--resume', 'continue an interrupted run of the same settings')
    .option('-q, --quiet', 'print nothing but errors')
    .helpOption('-h, --help', 'print help');
  // Help belongs to the first ten.
  command.optionsGroup('Method:');
  addMethodOptions(command);
  command.optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Pictures:');
  addPictureOptions();
  command
    .option('--keep <path>', 'what is known to be good, white: never masked; files as of --mask')
    .option('--hide <path>', 'what is known to be corrupted, white: masked; files as of --mask')
    .addOption(
      new Option('--region <x,y,w,h>', 'restore this part of each picture only, in its pixels').argParser(region),
    )
    .addOption(
      new Option(
        '--align <x,y,scale,turn>',
        "where the generator's picture lies: its centre, pixels of the picture for one of its own, turn clockwise; or auto to find it",
      ).argParser(alignment),
    )
    .option(
      '--tiles [factor]',
      'by tiles, for generators of textures; of each picture made smaller by a factor (default: 1)',
      numberIn({ from: 1 }),
    )
    .addOption(choice('--grey <how>', 'colour pictures for a grey generator', ['refuse', 'luma'] as const, 'refuse'))
    .addOption(choice('--blend <how>', 'seam of the composite', ['poisson', 'feather', 'none'] as const, 'poisson'))
    .option('--grow <pixels>', 'the mask is grown by this much for the composite', numberIn({ from: 0, to: 64 }), 1)
    .addOption(choice('--format <name>', "format of the composite (default: the picture's own)", WRITTEN_FORMATS))
    .optionsGroup('Running:');
  return addRuntimeOptions(command)
    .option('--batch <count>', 'most pictures inverted together (default: chosen)', count)
    .option(
      '--memory <size>',
      'hold less, and compute inner values twice, where a search needs more than this (4GB, 800MB), and refuse one that still does (default: no bound)',
      bytes,
    )
    .option('--overwrite', 'remove what an earlier run wrote to --out, and start again')
    .option('--npy', 'write the float arrays too')
    .option('--save-generator', 'write the generator as tuned to each picture (rrgi, dgp)');
}
