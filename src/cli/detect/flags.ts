/** `rgi detect`: its options. */
import type { Command } from 'commander';
import { DEFAULT_POLICY } from '../../detect/stored-policy.ts';
import type { EncoderFlags } from '../../models/node/encoder.ts';
import { count, onThisMachine } from '../arguments.ts';
import { addText } from '../help.ts';
import { type InputFlags, RECURSIVE } from '../inputs.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../model-flags.ts';
import { featureFile } from './feature-flags.ts';

export interface DetectFlags extends EncoderFlags, RuntimeFlags, InputFlags {
  /** Of `rgi batch` only. */
  readonly upload?: string;
  readonly out: string;
  readonly policy: string;
  readonly features?: string;
  readonly batch?: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  rgi calibrate good/ --generator part.onnx
  rgi detect new/ --generator part.onnx --out found
  rgi detect 'line3/*.png' -g part.onnx --policy strict --out found --json

Files written to --out, for each picture NAME, at its own size:
  NAME.map.npy        anomaly score of each pixel [H,W]: about 1 where it is
                      good; thresholds are in the same units
  NAME.map.png        the map in colours, on one scale for all pictures
  NAME.mask.png       the pixels above the pixel threshold, white
  NAME.overlay.png    the picture with these regions outlined: red where it is
                      defective, amber where it is under the limit
  scores.csv          score, verdict, number of regions, marked share
  results.jsonl       the same with box, area and peak of every region
  manifest.json       the settings of the run

The score of a picture is the mean of its highest pixel scores; the policy says
of how many. A picture is defective if its score is above the policy's limit of
pictures, and marked if it only has regions above the limit of pixels. Both are
set so that a stated share of good pictures is above them (--false-alarms of
'rgi calibrate'). The exit code says whether the run went well, not whether a
picture is good.`;

export function addDetectOptions(command: Command): Command {
  command.argument('<images...>', 'pictures, folders, patterns, or .npy arrays [C,H,W] or [N,C,H,W] in [-1,1]');
  addDetectSettings(command, () => command.option(...RECURSIVE))
    .option('--json', 'print one JSON line per picture on stdout')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

/** All but what says which pictures and what is printed; `addPictureOptions` adds more of the pictures' own. */
export function addDetectSettings(command: Command, addPictureOptions: () => void): Command {
  command
    .requiredOption('-g, --generator <file>', 'a calibrated generator of good pictures (ONNX)')
    .requiredOption('-o, --out <folder>', 'folder of the results', onThisMachine)
    .option('--policy <name>', "the policy to use, by the name given to 'rgi calibrate'", DEFAULT_POLICY)
    .option(
      '--features <file>',
      "the feature network that the policy was made with: a file, or 'bundled' (default: found by its name)",
      featureFile,
    )
    .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)");
  addPictureOptions();
  command.optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  return addRuntimeOptions(command)
    .option('--batch <count>', 'most pictures or tiles inverted together (default: chosen)', count)
    .option('--resume', 'continue an interrupted run of the same settings')
    .option('--overwrite', 'remove what an earlier run wrote to --out, and start again');
}
