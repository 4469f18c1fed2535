/**
 * The detection metrics on many pixels: maps of 128 x 128 with one square defect in each third, scores N(0,1) plus 1 in defects.
 * Processor seconds, so that other work does not matter; most of the time goes into `argsort`.
 */
import { argsort } from '../src/arrays/sort.ts';
import { curvesOf } from '../src/evaluate/detect/score.ts';
import { aupro } from '../src/metrics/aupro.ts';
import { auroc, averagePrecision, oracleDice } from '../src/metrics/ranking.ts';
import { randomFrom } from '../src/random.ts';
import { processorClock } from './clocks.ts';

const SIDE = 128;
const PLANE = SIDE * SIDE;

/** `metrics [--pixels MILLIONS] [--json]` */
export async function metrics(args: readonly string[]): Promise<void> {
  const at = args.indexOf('--pixels');
  const maps = Math.ceil((1e6 * Number(at < 0 ? 10 : args[at + 1])) / PLANE);
  const random = randomFrom(0);
  const truth = new Float32Array(maps * PLANE);
  for (let n = 0; n < maps; n += 3) {
    const [top, left] = [random.integer(SIDE - 16), random.integer(SIDE - 16)];
    for (let i = 0; i < 256; i++) truth[n * PLANE + (top + (i >> 4)) * SIDE + left + (i & 15)] = 1;
  }
  const scores = random.normals(truth.length).map((v, i) => v + truth[i]);
  const timed: readonly (readonly [string, () => unknown])[] = [
    ['argsort', () => argsort(scores)],
    ['auroc', () => auroc(truth, scores)],
    ['averagePrecision', () => averagePrecision(truth, scores)],
    ['oracleDice', () => oracleDice(truth, scores)],
    ['aupro', () => aupro(truth, scores, SIDE, SIDE)],
    ['curves', () => curvesOf(truth, scores, SIDE, SIDE)],
  ];
  const seconds = timed.map(([name, measure]): [string, number] => {
    const started = processorClock();
    measure();
    return [name, (processorClock() - started) / 1000];
  });
  const pixels = truth.length / 1e6;
  if (args.includes('--json')) {
    console.log(JSON.stringify({ millionPixels: pixels, seconds: Object.fromEntries(seconds) }));
    return;
  }
  for (const [name, time] of seconds)
    console.log(`${name.padEnd(18)} ${time.toFixed(2)} s   ${(pixels / time).toFixed(1)} million pixels a second`);
}
