/** `rgi evaluate detect`: its options. */
import type { Command } from 'commander';
import { DETECTION_LAYOUTS, type DetectionLayout } from '../../evaluate/node/detection-layouts.ts';
import type { Fit } from '../../images/resize.ts';
import { choice, count, list, numberIn } from '../arguments.ts';
import type { GeneratorFlags } from '../networks.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../restore/flags.ts';

export interface DetectFlags extends Omit<GeneratorFlags, 'generator'>, RuntimeFlags {
  readonly generator?: string;
  readonly out: string;
  readonly methods?: readonly string[];
  readonly count?: number;
  readonly held: number;
  readonly falseAlarm: number;
  readonly seed: number;
  readonly size?: number;
  readonly dataLayout: DetectionLayout;
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
  readonly discriminator?: string;
  readonly features?: string;
  readonly batch?: number;
  readonly pictures: number;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Methods that need no generator, and that any other must beat:
  gaussian       a Gaussian per pixel and channel of the good pictures
  pca:COUNT      reconstruction by so many principal components of them (pca:16)
Methods of a generator (--generator), whose residual is the map, written as for 'rgi evaluate inpaint':
  rgi  rgi:paper-detect  rrgi  anogan  anogan:rgi  invert  rgi:threshold=15

Examples:
  rgi evaluate detect bottle/ --out floors
  rgi evaluate detect bottle/ --generator bottle.onnx --methods gaussian,pca:64,rgi,anogan,invert --out table
  rgi report table

The threshold behind 'Dice, calibrated' is set on good training pictures that are kept from learning (--held): so that
their pixels exceed it at the rate --false-alarm. No test picture has a part in it.

Files written to --out: results.json, results.csv, results.md, records.jsonl, maps/ (float, smoothed), pictures/.
Data sets: MVTec AD (train/good, test/DEFECT, ground_truth/DEFECT), BTAD (train/ok, test/ko, ground_truth/ko), VisA
(Data/Images, with split_csv/1cls.csv in it or beside it), or plain (good/, defect/, masks/; or train/, test/, masks/).`;

export function addDetectOptions(command: Command): Command {
  command
    .argument('<data>', 'a data set of good and defective pictures (see below)')
    .requiredOption('-o, --out <folder>', 'where the results go')
    .option('-g, --generator <file>', 'a generator of good pictures (ONNX)')
    .option(
      '--methods <names>',
      'what is compared, with commas between them (see below; default: gaussian,pca:16,pca:64,pca:128)',
      list,
    )
    .option(
      '--false-alarm <rate>',
      'share of the pixels of good pictures that exceed the threshold',
      numberIn({ above: 0, to: 0.5 }),
      0.01,
    )
    .option('--held <count>', 'good pictures kept from learning, to set the threshold', count, 40)
    .option('--count <count>', 'at most so many test pictures of each kind', count)
    .option('--seed <number>', 'seed of starts and intervals', numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }), 0)
    .option('--discriminator <file>', "the discriminator, for priors and features; 'none' for not even its companion")
    .option('--features <file>', 'another network whose layers are compared (a VGG)')
    .optionsGroup('Data:')
    .option(
      '--size <pixels>',
      "pictures are brought to this size (default: the generator's, else 128)",
      numberIn({ integer: true, from: 16, to: 1024 }),
    )
    .addOption(choice('--data-layout <name>', 'how the data is laid out', DETECTION_LAYOUTS, 'auto'))
    .addOption(
      choice('--fit <how>', 'pictures of another size', ['refuse', 'contain', 'cover', 'stretch'] as const, 'stretch'),
    )
    .addOption(choice('--grey <how>', 'colour pictures for a grey generator', ['refuse', 'luma'] as const, 'luma'))
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command);
  return command
    .option('--batch <count>', 'pictures inverted side by side (default: chosen)', count)
    .option('--pictures <count>', 'of each kind so many pictures are kept', numberIn({ integer: true, from: 0 }), 6)
    .option('--resume', 'take over what is already in --out')
    .option('--json', 'print results.json on stdout')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES);
}
