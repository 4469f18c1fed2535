/**
 * The tables of a study, in Markdown: medians over the pictures, and how methods differ on the same pictures.
 *
 *   npm run bench -- comparison --out study
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { aggregate } from '../src/evaluate/aggregate.ts';
import type { MetricName } from '../src/evaluate/metrics.ts';
import type { Result, TrialRecord } from '../src/evaluate/record.ts';
import { type Interval, pairedDifference } from '../src/evaluate/statistics.ts';
import { readEvaluation } from '../src/report/node/read.ts';
import { LAMBDAS } from './study.ts';
import { argument } from './trials.ts';

/** Pairs to compare: what an unknown mask costs, and the gain over DGP with the mask given and over the paper's recipe. */
const PAIRS = [
  ['rgi+mask', 'rgi'],
  ['rrgi+mask', 'rrgi'],
  ['dgp+mask', 'rrgi'],
  ...LAMBDAS.map((lambda) => ['rgi', `rgi:paper:lambda=${lambda}`] as const),
] as const;

export async function comparison(args: readonly string[]): Promise<void> {
  const out = argument(args, 'out', 'inpaint-study');
  for (const set of readdirSync(out).sort()) {
    const folders = readdirSync(path.join(out, set)).sort();
    const evaluations = await Promise.all(folders.map((kind) => readEvaluation(path.join(out, set, kind))));
    const records = evaluations.flatMap(({ trials }) => trials);
    const cases = [...new Set(records.map((record) => record.case))];
    const results = aggregate(records);
    console.log(`\n## ${set}\n`);
    console.log('| corrupted | method | n | PSNR | SSIM | in the hole | mask IoU | s |');
    console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
    for (const name of cases) {
      for (const result of results) if (result.case === name) console.log(row(result));
    }
    console.log('\nDifference in PSNR on the same pictures, median [95% interval] (number of pictures):\n');
    for (const [a, b] of PAIRS) {
      const line = cases.flatMap((name) => differenceOf(records, name, a, b));
      if (line.length > 0) console.log(`- ${a} minus ${b}: ${line.join(', ')}`);
    }
  }
}

function row({ case: name, method, n, metrics }: Result): string {
  const median = (metric: MetricName, digits: number): string => {
    const value = metrics[metric];
    return value && 'median' in value ? value.median.toFixed(digits) : '';
  };
  const psnr = metrics.psnr && 'median' in metrics.psnr ? metrics.psnr : undefined;
  const cells = [
    `${median('psnr', 1)}${interval(psnr?.medianInterval, 1)}`,
    median('ssim', 3),
    median('psnr_hole', 1),
    median('mask_iou', 2),
    median('seconds', 2),
  ];
  return `| ${[name, method, n, ...cells].join(' | ')} |`;
}

function differenceOf(records: readonly TrialRecord[], name: string, a: string, b: string): string[] {
  const psnrOf = (method: string) =>
    new Map(records.filter((r) => r.case === name && r.method === method).map((r) => [r.image, r.metrics.psnr]));
  const [first, second] = [psnrOf(a), psnrOf(b)];
  const both = [...first.keys()].filter((image) => second.has(image));
  const difference = pairedDifference(
    both.map((image) => first.get(image)),
    both.map((image) => second.get(image)),
  );
  if (!difference) return [];
  return [`${name} ${difference.median.toFixed(2)}${interval(difference.interval, 2)} (${difference.n})`];
}

function interval(bounds: Interval | null | undefined, digits: number): string {
  return bounds ? ` [${bounds.map((bound) => bound.toFixed(digits)).join(' to ')}]` : '';
}
