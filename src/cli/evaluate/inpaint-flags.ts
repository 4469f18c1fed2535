/** `rgi evaluate inpaint`: its options. */
import type { Command } from 'commander';
import { CASE_GROUPS, CASE_NAMES } from '../../evaluate/cases.ts';
import { LAYOUTS, type Layout } from '../../evaluate/node/layouts.ts';
import { FILLS } from '../../images/corruptions.ts';
import { choice, count, list, onThisMachine } from '../arguments.ts';
import { addText } from '../help.ts';
import { addEvaluateOptions, type EvaluateFlags } from './common.ts';

export interface InpaintFlags extends EvaluateFlags {
  readonly generator: string;
  readonly encoder?: string;
  readonly cases?: readonly string[];
  readonly count: number;
  readonly dataLayout: Layout;
}

export const INPAINT_METHODS = ['rgi', 'rgi:paper', 'invert'];
export const INPAINT_CASES = ['standard'];

const EXAMPLES = `
Methods are written NAME[:PRESET or :RECIPE][:SETTING=VALUE]...[+mask]. With
+mask the true mask is given to the method:
  rgi  rgi:paper  rgi:paper:lambda=0.1  rgi+mask  rrgi  rrgi:paper  invert
  yeh  yeh+mask  yeh:rgi+mask  dgp+mask  dgp:rgi+mask

Cases are regions with a fill; without one it is N(-1,1), as in the paper:
  ${CASE_NAMES.join(', ')}
  another fill: ${Object.keys(FILLS)
    .map((fill) => `:${fill}`)
    .join(', ')} (block:smooth, for instance)
  groups: ${Object.keys(CASE_GROUPS).join(', ')}, all

Examples:
  # the defaults, the paper's settings, and both with the mask given
  rgi evaluate inpaint celeba/ -g pggan.onnx --discriminator critic.onnx \\
      --methods rgi,rgi:paper,rrgi:paper,yeh,yeh+mask,dgp+mask \\
      --cases celeba --out table

  # continue after an interruption, or add a method or a case
  rgi evaluate inpaint celeba/ -g pggan.onnx --methods rgi,invert \\
      --out table --resume
  rgi report table

Files written to --out:
  results.json, results.csv, results.md
                 by set, case and method: mean, median, 95% intervals, number of
                 pictures, seconds per picture
  journal.jsonl  scores and curves of every picture, one JSON line each
  pictures/      the first pictures of each case, for 'rgi report'

Data sets: CelebA (aligned; the test part of list_eval_partition.txt), Stanford
Cars (cars_test/), LSUN (NAME_val/), or any folder; of one with train/ and test/
the latter. Pictures are taken in natural order.`;

export function addInpaintOptions(command: Command): Command {
  command
    .argument('<data>', 'a folder of clean pictures, or a data set (see below)')
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'folder of the results', onThisMachine);
  addEvaluateOptions(command, {
    methods: INPAINT_METHODS,
    fit: 'cover',
    ofEach: 'of each case',
    pictures: 8,
    features: "the discriminator's",
    own: (own) =>
      own
        .option(
          '--cases <names>',
          `corruptions, separated by commas (see below; default: ${INPAINT_CASES.join(',')})`,
          list,
        )
        .option('--count <count>', 'most pictures to use', count, 100)
        .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)"),
    data: (data) => data.addOption(choice('--data-layout <name>', 'layout of the data', LAYOUTS, 'auto')),
  });
  return addText(command, EXAMPLES);
}
