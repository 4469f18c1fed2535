/** `rgi evaluate inpaint`: its options. */
import type { Command } from 'commander';
import { CASE_GROUPS, CASE_NAMES } from '../../evaluate/cases.ts';
import { LAYOUTS, type Layout } from '../../evaluate/node/layouts.ts';
import { FILLS } from '../../images/corruptions.ts';
import { choice, count, list } from '../arguments.ts';
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
Methods are written NAME[:PRESET or :RECIPE][:SETTING=VALUE]...[+mask]; with +mask they are told the true mask:
  rgi  rgi:paper  rgi:paper:lambda=0.1  rgi+mask  rrgi (what 'restore --preset best' does)  rrgi:paper
  yeh  yeh+mask  yeh:rgi+mask  dgp+mask  dgp:rgi+mask  invert

Cases are regions, filled with N(-1,1) like the paper's or with what they are named after:
  ${CASE_NAMES.join(', ')}
  each with another fill: ${Object.keys(FILLS)
    .map((fill) => `:${fill}`)
    .join(', ')} (block:smooth)
  groups: ${Object.keys(CASE_GROUPS).join(', ')}, all

Examples:
  # our default, the paper's recipe and what they would reach if told the mask, on 100 pictures
  rgi evaluate inpaint celeba/ --generator pggan.onnx --discriminator critic.onnx \\
      --methods rgi,rgi:paper,rrgi:paper,yeh,yeh+mask,dgp+mask --cases celeba --out table

  # go on after an interruption, or add a method or a case to what is there
  rgi evaluate inpaint celeba/ --generator pggan.onnx --methods rgi,invert --out table --resume
  rgi report table

Files written to --out:
  results.json, results.csv, results.md   per set, case and method: mean, median, 95% intervals, n, seconds per picture
  journal.jsonl                           every picture's scores and the curves of its search, one JSON line each
  pictures/                               the first pictures of each case, for 'rgi report'

Data sets: CelebA (aligned; list_eval_partition.txt beside img_align_celeba/: its test part), Stanford Cars (cars_test/),
LSUN (NAME_val/), or any folder (of one with train/ and test/, the latter). Pictures are taken in natural order.`;

export function addInpaintOptions(command: Command): Command {
  command
    .argument('<data>', 'a folder of clean pictures, or a data set (see below)')
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'where the results go');
  return addEvaluateOptions(command, {
    methods: INPAINT_METHODS,
    fit: 'cover',
    ofEach: 'of each case',
    pictures: 8,
    own: (own) =>
      own
        .option(
          '--cases <names>',
          `corruptions, with commas between them (see below; default: ${INPAINT_CASES.join(',')})`,
          list,
        )
        .option('--count <count>', 'at most so many pictures', count, 100)
        .option(
          '--encoder <file>',
          "gives one of several starts (default: the generator's companion); 'none' for none",
        ),
    data: (data) => data.addOption(choice('--data-layout <name>', 'how the data is laid out', LAYOUTS, 'auto')),
  }).addHelpText('after', EXAMPLES);
}
