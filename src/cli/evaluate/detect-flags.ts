/** `rgi evaluate detect`: its options. */
import type { Command } from 'commander';
import { DETECTION_LAYOUTS, type DetectionLayout } from '../../evaluate/node/detection-layouts.ts';
import { AUTOENCODER } from '../../gan/autoencoder.ts';
import { choice, count, numberIn, onThisMachine } from '../arguments.ts';
import { addFeatureInputOptions, type FeatureInputFlags } from '../detect/feature-flags.ts';
import { addText } from '../help.ts';
import { addEvaluateOptions, type EvaluateFlags } from './common.ts';

export interface DetectFlags extends EvaluateFlags, FeatureInputFlags {
  readonly generator?: string;
  readonly encoder?: string;
  readonly detector?: string;
  readonly count?: number;
  readonly learn?: number;
  readonly held?: number;
  readonly pixelFalseAlarms: number;
  readonly size?: number;
  readonly dataLayout: DetectionLayout;
}

export const DETECT_METHODS = ['gaussian', 'pca:16', 'pca:64', 'pca:128'];

const EXAMPLES = `
Methods without a generator, which any other must beat:
  gaussian     a Gaussian per pixel and channel of the good pictures
  pca:COUNT    reconstruction by this many principal components
  autoencoder  a convolutional autoencoder, trained here in minutes;
               autoencoder:ssim by structural similarity, autoencoder:steps=500
               for other than ${AUTOENCODER.steps} steps
Methods on the features of a pretrained network (--features; one comes with rgi):
  padim        a Gaussian of the features at each position
  patchcore    the distance to the nearest of 4096 good features, chosen by
               greedy k-centres; patchcore:bank=COUNT for another number
Methods of a generator, whose residual is the map; written as for
'rgi evaluate inpaint':
  rgi  rgi:paper-detect  rrgi  rrgi:paper-detect  anogan  anogan:rgi  invert
  f-anogan     the encoder's answer, scored by its residual and the features of
               the discriminator (f-anogan:kappa=0.5); no search
Methods of a calibrated generator, with its thresholds, as in 'rgi detect':
  policy       or policy:NAME; policy:spaces=pixels and policy:spaces=features are
               its maps of one space alone, under its thresholds of both
Of a file that 'rgi export' made (--detector), as it is run without rgi:
  detector

Examples:
  rgi evaluate detect bottle/ --out baselines
  rgi evaluate detect bottle/ --generator bottle.onnx --out table \\
      --methods gaussian,pca:64,autoencoder,rgi,rrgi,anogan,f-anogan,invert
  rgi report table

The threshold of 'Dice, calibrated' is set on good training pictures held out
from learning (--held): their pixels exceed it at the rate --pixel-false-alarms.
They are those that the generator was not trained on, if its file records them;
else whole groups or blocks of consecutive names, because neighbours are similar.

Files written to --out: results.json, results.csv, results.md, journal.jsonl,
maps/ (float, smoothed), learnt/, pictures/.
Data sets: MVTec AD (train/good, test/DEFECT, ground_truth/DEFECT), BTAD
(train/ok, test/ko, ground_truth/ko), VisA (Data/Images, with split_csv/1cls.csv
in it or beside it), or plain (good/, defect/, masks/; or train/, test/, masks/).`;

export function addDetectOptions(command: Command): Command {
  command
    .argument('<data>', 'a data set of good and defective pictures (see below)')
    .requiredOption('-o, --out <folder>', 'folder of the results', onThisMachine)
    .option('-g, --generator <file>', 'a generator of good pictures (ONNX)')
    .option('--detector <file>', "a detector file of 'rgi export': the method 'detector'");
  addEvaluateOptions(command, {
    methods: DETECT_METHODS,
    // As 'rgi train' and 'rgi detect' cut them.
    fit: 'cover',
    ofEach: 'of each kind',
    pictures: 6,
    features: "that of this package for padim and patchcore, else the discriminator's",
    own: (own) =>
      addFeatureInputOptions(own)
        .option(
          '--pixel-false-alarms <rate>',
          'share of the pixels of good pictures that may be marked',
          numberIn({ above: 0, to: 0.5 }),
          0.01,
        )
        .option('--held <count>', 'good pictures held out, to set the threshold (default: an eighth, 8 to 64)', count)
        .option('--learn <count>', 'train on at most this many good pictures, evenly spaced (default: all)', count)
        .option('--count <count>', 'most test pictures of each kind', count)
        .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)"),
    data: (data) =>
      data
        .option(
          '--size <pixels>',
          "height and width of the pictures (default: the generator's, else 128)",
          numberIn({ integer: true, from: 16, to: 1024 }),
        )
        .addOption(choice('--data-layout <name>', 'layout of the data', DETECTION_LAYOUTS, 'auto')),
  });
  return addText(command, EXAMPLES);
}
