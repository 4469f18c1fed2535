/** `rgi evaluate`: its options as commander reads them, and the command line that repeats a run. */
import type { Command } from 'commander';
import { CASE_GROUPS, CASE_NAMES } from '../../evaluate/cases.ts';
import { LAYOUTS, type Layout } from '../../evaluate/node/layouts.ts';
import { FILLS } from '../../images/corruptions.ts';
import type { Fit } from '../../images/resize.ts';
import { choice, count, list, numberIn } from '../arguments.ts';
import type { GeneratorFlags } from '../networks.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../restore/flags.ts';

export interface InpaintFlags extends GeneratorFlags, RuntimeFlags {
  readonly out: string;
  readonly methods: readonly string[];
  readonly cases: readonly string[];
  readonly count: number;
  readonly seed: number;
  readonly dataLayout: Layout;
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
  readonly discriminator?: string;
  readonly features?: string;
  readonly batch?: number;
  readonly pictures: number;
  readonly snapshots: number;
  readonly snapshotSteps: number;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Methods are written NAME[:PRESET or :RECIPE][:SETTING=VALUE]...[+mask]; with +mask they are told the true mask:
  rgi  rgi:paper  rgi:paper:lambda=0.1  rgi+mask  rrgi:paper  yeh  yeh+mask  yeh:rgi+mask  dgp+mask  dgp:rgi+mask  invert

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
  records.jsonl                           every picture's scores and the curves of its search, one JSON line each
  pictures/                               the first pictures of each case, for 'rgi report'

Data sets: CelebA (aligned; list_eval_partition.txt beside img_align_celeba/: its test part), Stanford Cars (cars_test/),
LSUN (NAME_val/), or any folder (of one with train/ and test/, the latter). Pictures are taken in natural order.`;

export function addInpaintOptions(command: Command): Command {
  command
    .argument('<data>', 'a folder of clean pictures, or a data set (see below)')
    .requiredOption('-g, --generator <file>', 'the generator (ONNX)')
    .requiredOption('-o, --out <folder>', 'where the results go')
    .option(
      '--methods <names>',
      'what is compared, with commas between them (see below; default: rgi,rgi:paper,invert)',
      list,
    )
    .option('--cases <names>', 'corruptions, with commas between them (see below; default: standard)', list)
    .option('--count <count>', 'at most so many pictures', count, 100)
    .option(
      '--seed <number>',
      'seed of corruptions, starts and intervals',
      numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }),
      0,
    )
    .option('--discriminator <file>', "the discriminator, for priors and features; 'none' for not even its companion")
    .option('--features <file>', 'another network whose layers are compared (a VGG)')
    .optionsGroup('Data:')
    .addOption(choice('--data-layout <name>', 'how the data is laid out', LAYOUTS, 'auto'))
    .addOption(
      choice('--fit <how>', 'pictures of another size', ['refuse', 'contain', 'cover', 'stretch'] as const, 'cover'),
    )
    .addOption(choice('--grey <how>', 'colour pictures for a grey generator', ['refuse', 'luma'] as const, 'luma'))
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command);
  return command
    .option('--batch <count>', 'pictures inverted side by side (default: chosen)', count)
    .option('--pictures <count>', 'of each case so many pictures are kept', numberIn({ integer: true, from: 0 }), 8)
    .option(
      '--snapshots <count>',
      'of so many of them the way of the search, too (each is searched twice for it)',
      numberIn({ integer: true, from: 0 }),
      0,
    )
    .option('--snapshot-steps <count>', 'pictures along that way', count, 16)
    .option('--resume', 'take over what is already in --out')
    .option('--json', 'print results.json on stdout')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES);
}

/** Flags that decide nothing about the results. */
const INCIDENTAL = new Set(['resume', 'json', 'quiet', 'out', 'device', 'threads']);

/** The command that repeats a run, into the same folder. */
export function commandLine(words: readonly string[], flags: Readonly<Record<string, unknown>>): string {
  const options = Object.entries(flags).flatMap(([key, value]) => {
    if ((INCIDENTAL.has(key) && key !== 'out') || value === undefined || value === false) return [];
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) return [flag];
    if (!Array.isArray(value)) return [flag, String(value)];
    // Values of inputs hold commas of their own.
    return key === 'input' ? value.flatMap((one) => [flag, String(one)]) : [flag, value.join(',')];
  });
  return ['rgi', ...words, ...options].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
