/**
 * The model of corruption on recorded searches: for each set and case the median IoU, precision and recall of its mask, beside those of the
 * rules before it.
 *
 *   npm run bench -- masks [--data FOLDER] [--sets trousers,smile] [--cases block,clean] [--pictures 4] [--options '{"freedom":4}'] [--details]
 *   npm run bench -- masks --ablation [--data FOLDER] [--sets ...]
 *   npm run bench -- masks --record FOLDER --trained FOLDER [--sets trousers,smile] [--cases block,clean] [--count 4] [--first 0]
 *
 * The left half of a row is of the search without a mask, the right half of one that was given the true mask. --ablation: the model without each of
 * its terms; the mean IoU of a set's cases, and the share masked of clean pictures.
 * --trained has the linear generators that `rgi train` makes of ../shared/data/cartoon_faces/train and smile_faces/train: cartoon.onnx, smile.onnx.
 * Only recordings of pictures that may be given away are in this repository (bench/masks/data); those of the other sets have to be made first.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { CorruptionOptions } from '../src/inversion/mask/corruption/infer-corruption.ts';
import { type CaseScores, compare, type MaskScores } from './masks/compare.ts';
import { CASES, LOST, record, setsOf } from './masks/record.ts';
import { type Recording, readRecordings } from './masks/recording.ts';
import { argument, mean } from './trials.ts';

/** The model without one of its terms each. */
const ABLATION: Readonly<Record<string, Partial<CorruptionOptions>>> = {
  'all terms': {},
  'no displacement': { displacement: false },
  'no brightness': { brightness: false },
  'one scale of noise': { displacement: false, brightness: false },
  'independent channels': { correlated: false },
  'Gaussian residuals': { freedom: Number.POSITIVE_INFINITY },
  'no values that repeat': { values: 0 },
  'independent pixels': { maxCoupling: 0 },
  'no intact pixels beforehand': { intactShare: 0 },
};

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
    const recordings = readRecordings(path.join(folder, file)).filter(({ name }) => cases.includes(name));
    if (args.includes('--ablation')) for (const line of ablated(set, recordings, pictures)) console.log(line);
    else
      for (const recording of recordings) {
        const scores = (['found', 'given'] as const).map((of) => compare(recording, of, options, pictures));
        console.log(row(set, recording.name, scores, args.includes('--details')));
      }
  }
}

function isLost(name: string): boolean {
  return (LOST as readonly string[]).includes(name);
}

function row(set: string, name: string, scores: readonly CaseScores[], detailed: boolean): string {
  const shown = (own: MaskScores | undefined) => {
    if (!own) return ''.padEnd(16);
    const { iou, precision, recall, masked } = own;
    if (name === 'clean' || isLost(name)) return `${(100 * masked).toFixed(2).padStart(6)}%`.padEnd(16);
    return `${iou.toFixed(3)} ${precision.toFixed(2)}/${recall.toFixed(2)}`.padEnd(16);
  };
  const cells = scores.flatMap(({ before, model }) => ['|', shown(before), shown(model)]);
  const [{ milliseconds, outOfDomain, made }] = scores;
  const outside = outOfDomain > 0 ? `, ${(100 * outOfDomain).toFixed(0)}% out of domain` : '';
  const line = [set.padEnd(14), name.padEnd(10), ...cells, `| ${milliseconds.toFixed(0)} ms${outside}`].join(' ');
  const details = made.map(({ evidence, parameters }) => `    ${JSON.stringify({ evidence, ...parameters })}`);
  return [line, ...(detailed ? details : [])].join('\n');
}

/** For each term, what a set's masks are without it. */
function ablated(set: string, recordings: readonly Recording[], pictures: number): string[] {
  const kept = recordings.filter(({ name }) => !isLost(name));
  return Object.entries(ABLATION).map(([name, options]) => {
    const scores = kept.map((recording) => ({
      name: recording.name,
      ...compare(recording, 'found', options, pictures),
    }));
    const iou = mean(scores.flatMap((own) => (own.name === 'clean' ? [] : [own.model.iou])));
    const clean = scores.find((own) => own.name === 'clean')?.model.masked ?? Number.NaN;
    const lowest = scores.reduce((a, b) => (b.model.iou < a.model.iou ? b : a));
    return `${set.padEnd(14)} ${name.padEnd(28)} IoU ${iou.toFixed(3)}, clean ${(100 * clean).toFixed(2)}%, lowest ${lowest.model.iou.toFixed(3)} (${lowest.name})`;
  });
}
