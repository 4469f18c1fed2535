/** From trials to tables. */
import { expect, test } from 'vitest';
import { aggregate, bestOf } from '../../src/evaluate/aggregate.ts';
import { type Results, type TrialRecord, thinned } from '../../src/evaluate/record.ts';
import { csvOf, markdownOf } from '../../src/evaluate/tables.ts';

const trial = (method: string, index: number, psnr: number | null, more: Partial<TrialRecord> = {}): TrialRecord => ({
  kind: 'inpaint',
  key: `${method}${index}`,
  set: 'faces',
  case: 'block',
  method,
  maskGiven: method.endsWith('+mask'),
  image: `${index}.png`,
  index,
  code: 'step-limit',
  metrics: { psnr },
  seconds: 1,
  ...more,
});

const results = (trials: TrialRecord[]): Results => ({
  format: 1,
  kind: 'inpaint',
  complete: true,
  command: 'rgi evaluate inpaint faces',
  versions: {},
  device: 'cpu',
  settings: {},
  methods: {},
  notes: [],
  failed: [],
  results: aggregate(trials),
  trials: trials.map((one) => one.key),
});

test('trials are summarised by case and method in their order; a diverged search is counted apart', () => {
  const [a, b] = aggregate([
    trial('b', 0, 20),
    trial('a', 0, 10),
    trial('b', 1, 30),
    trial('b', 2, null, { code: 'diverged', metrics: {} }),
  ]);
  expect(a).toMatchObject({ method: 'b', n: 2, diverged: 1, metrics: { psnr: { n: 2, mean: 25, median: 25 } } });
  expect(b).toMatchObject({ method: 'a', n: 1, diverged: 0 });
});

test('the best is among those that know as much; what prints the same ties; alone is not best', () => {
  const rows = aggregate([trial('a', 0, 20.001), trial('b', 0, 20.002), trial('c', 0, 12), trial('d+mask', 0, 40)]);
  expect([...bestOf(rows, 'psnr', 'higher', 2)].map((row) => row.method)).toEqual(['a', 'b']);
  expect([...bestOf(rows, 'psnr', 'lower', 2)].map((row) => row.method)).toEqual(['c']);
  expect(bestOf(rows, 'psnr', 'neither', 2).size).toBe(0);
});

test('Markdown has the best in bold and its interval beside it', () => {
  const text = markdownOf(
    results([trial('rgi', 0, 20), trial('rgi', 1, 22), trial('in|vert', 0, 10), trial('in|vert', 1, 11)]),
  );
  expect(text).toContain('| rgi | no | 2 | **21.00** [20.00 to 22.00] | **1.00** [1.00 to 1.00] |');
  expect(text).toContain('| in\\|vert | no | 2 | 10.50 [10.00 to 11.00] | **1.00** [1.00 to 1.00] |');
});

test('CSV has a row per metric; commas, quotes and formulas in names do no harm', () => {
  const text = csvOf(
    results([trial('rgi', 0, 20), trial('rgi', 1, 22, { seconds: 2 })].map((t) => ({ ...t, set: '=a,"b' }))),
  );
  expect(text).toBe(
    'set,case,method,mask_given,metric,statistic,n,mean,mean_low,mean_high,median,median_low,median_high\n' +
      `"'=a,""b",block,rgi,false,psnr,per picture,2,21,20,22,21,20,22\n` +
      `"'=a,""b",block,rgi,false,seconds,per picture,2,1.5,1,2,1.5,1,2\n`,
  );
});

test('a long history keeps its ends and at most so many steps', () => {
  const loss = Array.from({ length: 1000 }, (_, i) => 1 / (i + 1));
  const thin = thinned({ loss, masked: loss }, 50);
  expect(thin.step).toHaveLength(50);
  expect([thin.step[0], thin.step.at(-1)]).toEqual([0, 999]);
  expect(thin.loss.at(-1)).toBe(0.001);
  expect(thinned({ loss: [3], masked: [0] })).toEqual({ step: [0], loss: [3], masked: [0] });
});
