/** What `rgi train` is asked: its flags, and its help. */
import type { Command } from 'commander';
import { type Architecture, AUGMENT_BELOW } from '../gan/settings.ts';
import type { Reconstruction } from '../gan/steps/generator-step.ts';
import { choice, count, numberIn, oneOf, onThisMachine } from './arguments.ts';
import { addFeatureInputOptions, type FeatureInputFlags, featureFile } from './detect/feature-flags.ts';
import { addText } from './help.ts';
import type { RuntimeFlags } from './model-flags.ts';

export interface TrainFlags extends RuntimeFlags, FeatureInputFlags {
  readonly out: string;
  readonly size?: number;
  readonly channels?: 'grey' | 'colour';
  readonly crops?: boolean;
  readonly scale?: number;
  readonly mirror?: boolean;
  readonly limit?: number;
  readonly by?: 'folder';
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
    .requiredOption(
      '-o, --out <file>',
      'the generator (ONNX); other files are named after it; with --by a folder',
      onThisMachine,
    )
    .addOption(choice('--by <level>', 'for each folder in <folder> a model and a policy', ['folder'] as const))
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
    .option('--held <count>', 'pictures held out for measuring (default: an eighth, 8 to 64, at most half)', count)
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
    .optionsGroup('With --contaminated or --by folder:')
    .option(
      '--features <file>',
      "network whose feature maps are compared: a file, or 'bundled' (default: bundled)",
      featureFile,
    );
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

const EXAMPLES = `
Examples:
  rgi train good/ --out part.onnx --size 128
  rgi train products/ --by folder --out models --size 128
  rgi train mixed/ --out part.onnx --size 128 --contaminated
  rgi train carpet/ --out carpet.onnx --crops --scale 4
  rgi train faces/ --out faces.onnx --minutes 60
  rgi train faces/ --out faces.onnx --resume

The architecture is linear unless --steps, --minutes or another setting of a
network is given; then it is light. Of the measured states of a network the one
is stored whose coverage and restoration of a hidden centre are best on average.`;
