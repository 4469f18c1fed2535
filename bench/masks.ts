/**
 * The model of corruption on recorded searches: for each set and case the median IoU, precision and recall of its mask, beside those of the
 * rules before it.
 *
 *   npm run bench -- masks [--data FOLDER] [--sets trousers,smile] [--cases block,clean] [--options '{"coupling":0}'] [--ablation] [--json]
 *   npm run bench -- masks --record FOLDER --trained FOLDER [--sets trousers,smile] [--cases block,clean] [--count 4] [--first 0]
 *
 * --trained has the linear generators that `rgi train` makes of ../shared/data/cartoon_faces/train and smile_faces/train: cartoon.onnx, smile.onnx.
 * Only recordings of pictures that may be shipped are in this repository (bench/masks/data); those of all sets have to be made first.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { CorruptionOptions } from '../src/inversion/mask/corruption/infer-corruption.ts';
import { type CaseScores, compare, type MaskScores } from './masks/compare.ts';
import { CASES, LOST, record, setsOf } from './masks/record.ts';
import { readRecordings } from './masks/recording.ts';
import { argument } from './trials.ts';

export async function masks(args: readonly string[]): Promise<void> {
  const out = argument(args, 'record', '');
  const sets = argument(args, 'sets', '');
  const cases = argument(args, 'cases', [...CASES, ...LOST].join()).split(',');
  const isWanted = (name: string) => sets === '' || sets.split(',').includes(name);
  if (out !== '') {
    mkdirSync(out, { recursive: true });
    const [count, first] = [Number(argument(args, 'count', '4')), Number(argument(args, 'first', '0'))];
    for (const set of setsOf(argument(args, 'trained', out))) {
      if (isWanted(set.name)) await record(set, out, { count, first, cases });
    }
    return;
  }
  const folder = argument(args, 'data', path.join(import.meta.dirname, 'masks/data'));
  const options = JSON.parse(argument(args, 'options', '{}')) as Partial<CorruptionOptions>;
  const pictures = Number(argument(args, 'pictures', 'Infinity'));
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.npz'))) {
    const set = path.basename(file, '.npz');
    if (!isWanted(set)) continue;
    for (const recording of readRecordings(path.join(folder, file))) {
      if (!cases.includes(recording.name)) continue;
      console.log(row(set, recording.name, compare(recording, options, pictures), args.includes('--verbose')));
    }
  }
}

function row(set: string, name: string, scores: CaseScores, verbose: boolean): string {
  const shown = ({ iou, precision, recall, masked }: MaskScores) =>
    name === 'clean' || (LOST as readonly string[]).includes(name)
      ? `${(100 * masked).toFixed(2).padStart(6)}%`.padEnd(16)
      : `${iou.toFixed(3)} ${precision.toFixed(2)}/${recall.toFixed(2)}`.padEnd(16);
  const cells = [
    set.padEnd(14),
    name.padEnd(10),
    shown(scores.before),
    shown(scores.model),
    '|',
    shown(scores.beforeGiven),
    shown(scores.modelGiven),
    `${scores.milliseconds.toFixed(0)} ms`,
  ];
  const details = scores.made.map(({ evidence, parameters: { theta, field, coupling, outlierShares } }) => {
    const digits = (values: readonly number[]) => values.map((v) => v.toPrecision(2)).join(' ');
    const grey = 127.5 * Math.sqrt(theta[0]);
    return `    evidence ${evidence.toFixed(2)} s ${grey.toFixed(1)} theta ${digits(theta)} h ${field.toFixed(1)} beta ${coupling.toFixed(1)} out ${digits(outlierShares)}`;
  });
  return [cells.join(' '), ...(verbose ? details : [])].join('\n');
}
