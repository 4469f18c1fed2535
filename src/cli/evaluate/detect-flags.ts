/** `rgi evaluate detect`: its options. */
import type { Command } from 'commander';
import { DETECTION_LAYOUTS, type DetectionLayout } from '../../evaluate/node/detection-layouts.ts';
import { AUTOENCODER } from '../../gan/autoencoder.ts';
import { choice, count, numberIn } from '../arguments.ts';
import { addEvaluateOptions, type EvaluateFlags } from './common.ts';

export interface DetectFlags extends EvaluateFlags {
  readonly generator?: string;
  readonly encoder?: string;
  readonly count?: number;
  readonly learn?: number;
  readonly held?: number;
  readonly falseAlarm: number;
  readonly size?: number;
  readonly dataLayout: DetectionLayout;
}

export const DETECT_METHODS = ['gaussian', 'pca:16', 'pca:64', 'pca:128'];

const EXAMPLES = `
Methods that need no generator, and that any other must beat:
  gaussian       a Gaussian per pixel and channel of the good pictures
  pca:COUNT      reconstruction by so many principal components of them (pca:16)
  autoencoder    a convolutional autoencoder, squared error; autoencoder:ssim, structural similarity. Trained here, for
                 minutes (autoencoder:steps=500 for other than ${AUTOENCODER.steps} steps)
Methods of a generator (--generator), whose residual is the map, written as for 'rgi evaluate inpaint':
  rgi  rgi:paper-detect  rrgi  rrgi:paper-detect  anogan  anogan:rgi  invert  rgi:threshold=15
  f-anogan       the encoder's answer, scored by residual and discriminator features (f-anogan:kappa=0.5); no search
What 'rgi detect' does with a generator that 'rgi calibrate' has seen, its thresholds too:
  policy         or policy:NAME

Examples:
  rgi evaluate detect bottle/ --out floors
  rgi evaluate detect bottle/ --generator bottle.onnx --out table \\
      --methods gaussian,pca:64,autoencoder,autoencoder:ssim,rgi,rrgi,anogan,f-anogan,invert
  rgi report table

The threshold behind 'Dice, calibrated' is set on good training pictures that are kept from learning (--held): so that
their pixels exceed it at the rate --false-alarm. No test picture has a part in it. They are those that the generator has
not learnt from, if its file says so; else whole groups or blocks of consecutive names, since neighbours are alike.

Files written to --out: results.json, results.csv, results.md, journal.jsonl, maps/ (float, smoothed), learnt/, pictures/.
Data sets: MVTec AD (train/good, test/DEFECT, ground_truth/DEFECT), BTAD (train/ok, test/ko, ground_truth/ko), VisA
(Data/Images, with split_csv/1cls.csv in it or beside it), or plain (good/, defect/, masks/; or train/, test/, masks/).`;

export function addDetectOptions(command: Command): Command {
  command
    .argument('<data>', 'a data set of good and defective pictures (see below)')
    .requiredOption('-o, --out <folder>', 'where the results go')
    .option('-g, --generator <file>', 'a generator of good pictures (ONNX)');
  return addEvaluateOptions(command, {
    methods: DETECT_METHODS,
    // As 'rgi train' and 'rgi detect' cut them.
    fit: 'cover',
    ofEach: 'of each kind',
    pictures: 6,
    own: (own) =>
      own
        .option(
          '--false-alarm <rate>',
          'share of the pixels of good pictures that exceed the threshold',
          numberIn({ above: 0, to: 0.5 }),
          0.01,
        )
        .option(
          '--held <count>',
          'good pictures kept from learning, to set the threshold (default: an eighth, 8 to 64)',
          count,
        )
        .option('--learn <count>', 'at most so many good pictures, evenly taken (default: all)', count)
        .option('--count <count>', 'at most so many test pictures of each kind', count)
        .option(
          '--encoder <file>',
          "pictures to latents: f-anogan's, and one of several starts (default: the generator's companion); 'none' for none",
        ),
    data: (data) =>
      data
        .option(
          '--size <pixels>',
          "pictures are brought to this size (default: the generator's, else 128)",
          numberIn({ integer: true, from: 16, to: 1024 }),
        )
        .addOption(choice('--data-layout <name>', 'how the data is laid out', DETECTION_LAYOUTS, 'auto')),
  }).addHelpText('after', EXAMPLES);
}
