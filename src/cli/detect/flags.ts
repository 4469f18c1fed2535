/** `rgi detect`: its options. */
import type { Command } from 'commander';
import { DEFAULT_POLICY } from '../../detect/stored-policy.ts';
import { count } from '../arguments.ts';
import type { EncoderFlags } from '../encoder.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../restore/flags.ts';

export interface DetectFlags extends EncoderFlags, RuntimeFlags {
  readonly out: string;
  readonly policy: string;
  readonly batch?: number;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  rgi calibrate good/ --generator part.onnx
  rgi detect new/ --generator part.onnx --out found
  rgi detect 'line3/*.png' --generator part.onnx --policy strict --out found --json

Files written to --out, for each picture NAME, at its own size:
  NAME.map.npy        how odd each pixel is [H,W], raw: about 1 where it is good; thresholds are in its units
  NAME.map.png        the map in colours, on one scale for all pictures of the policy
  NAME.mask.png       the pixels above the pixel threshold, white
  NAME.overlay.png    the picture with them outlined
  scores.csv          name, score, verdict, number of defects, share of the picture marked
  results.jsonl       the same with every defect's box, area and peak, one JSON line per picture
  manifest.json       everything needed to repeat the run

A picture is defective if its score, the mean of its oddest pixels (how many, the policy says), is above the policy's image
threshold; regions are marked by the pixel threshold, on good pictures too. Exit codes say whether the run
went well, not whether a picture is good.`;

export function addDetectOptions(command: Command): Command {
  command
    .argument('<images...>', 'pictures, .npy arrays [C,H,W] or [N,C,H,W] in [-1,1], folders, or patterns')
    .requiredOption('-g, --generator <file>', 'a generator of good pictures (ONNX), calibrated')
    .requiredOption('-o, --out <folder>', 'where the results go')
    .option('--policy <name>', "a policy that 'rgi calibrate' has stored in the model", DEFAULT_POLICY)
    .option('--encoder <file>', "gives the start of the search (default: the generator's companion); 'none' for none")
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command);
  return command
    .option('--batch <count>', 'pictures or tiles inverted side by side (default: chosen)', count)
    .option('--resume', 'go on with an interrupted run of the same options')
    .option('--json', 'print one JSON line per picture on stdout')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES);
}
