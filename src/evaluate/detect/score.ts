/** What maps are worth, the truth being known: of all pixels together, and of the pictures' scores. */
import { connectedComponents } from '../../arrays/components.ts';
import { quantile } from '../../arrays/sort.ts';
import { aupro } from '../../metrics/aupro.ts';
import { dice } from '../../metrics/overlap.ts';
import { auroc, averagePrecision, oracleDice, paperDice } from '../../metrics/ranking.ts';
import { concatenated } from '../../onnx/concatenate.ts';
import type { MetricName } from '../metrics.ts';
import type { Curve, Pooled } from '../record.ts';

/** One test picture, scored. */
export interface Scored {
  /** Smoothed map, height * width values. */
  readonly map: Float32Array;
  /** True mask, 0 or 1; absent where the picture is defective and no mask is there. */
  readonly truth?: Float32Array;
  readonly defective: boolean;
  readonly score: number;
}

/** The value that a share `rate` of all pixels of good pictures exceeds: a threshold set without any defect. */
export function calibratedThreshold(goodMaps: readonly Float32Array[], rate: number): number {
  return quantile(concatenated(goodMaps).sort(), 1 - rate);
}

/** Everything said of one group of pictures at the threshold that was set on good ones. */
export function detectionMetrics(
  pictures: readonly Scored[],
  height: number,
  width: number,
  threshold: number,
): { metrics: Partial<Record<MetricName, Pooled>>; curves: Curve[] } {
  const known = pictures.filter((one) => one.truth !== undefined);
  const scores = concatenated(known.map((one) => one.map));
  const truth = concatenated(known.map((one) => one.truth!));
  const metrics: Partial<Record<MetricName, Pooled>> = {};
  const put = (name: MetricName, n: number, value: number) => {
    if (Number.isFinite(value)) metrics[name] = { n, pooled: value };
  };
  if (truth.some((label) => label > 0.5)) {
    const n = known.length;
    put('pixel_auroc', n, auroc(truth, scores));
    put('pixel_ap', n, averagePrecision(truth, scores));
    put('aupro', n, aupro(truth, scores, height, width));
    put(
      'dice_calibrated',
      n,
      dice(
        truth,
        scores.map((s) => (s > threshold ? 1 : 0)),
      ),
    );
    put('dice_oracle', n, oracleDice(truth, scores).dice);
  }
  put(
    'image_auroc',
    pictures.length,
    auroc(
      pictures.map((one) => (one.defective ? 1 : 0)),
      pictures.map((one) => one.score),
    ),
  );
  return { metrics, curves: curvesOf(truth, scores, height, width) };
}

/** The paper's scores of one defective picture, of |M| or another raw map; none where nothing is annotated. */
export function paperScores(truth: Float32Array, map: Float32Array): Partial<Record<MetricName, number>> {
  if (!truth.some((label) => label > 0.5)) return {};
  return { auroc_paper: auroc(truth, map), dice_paper: paperDice(truth, map) };
}

const POINTS = 80;
/** Where AUPRO's curve ends. */
const PRO_LIMIT = 0.3;

/** ROC and PRO at thresholds that are evenly spaced quantiles of the good pixels, dense where few are above. */
export function curvesOf(truth: Float32Array, scores: Float32Array, height: number, width: number): Curve[] {
  const plane = height * width;
  const negatives = scores.filter((_, i) => !(truth[i] > 0.5)).sort();
  const positives = scores.filter((_, i) => truth[i] > 0.5).sort();
  if (negatives.length === 0 || positives.length === 0) return [];
  const regions: Float32Array[] = [];
  for (let start = 0; start < truth.length; start += plane) {
    const { labels, sizes } = connectedComponents(truth.subarray(start, start + plane), height, width);
    const own = Array.from(sizes, (size, label) => new Float32Array(label === 0 ? 0 : size));
    const filled = new Uint32Array(sizes.length);
    for (let i = 0; i < plane; i++) if (labels[i]) own[labels[i]][filled[labels[i]]++] = scores[start + i];
    for (const region of own.slice(1)) regions.push(region.sort());
  }
  const cubes = Array.from({ length: POINTS }, (_, i) => (i / (POINTS - 1)) ** 3);
  const rates = [...cubes, PRO_LIMIT].sort((a, b) => a - b);
  const thresholds = rates.map((rate) => quantile(negatives, 1 - rate));
  const above = (sorted: Float32Array, t: number) => shareAbove(sorted, t);
  const x = thresholds.map((t) => above(negatives, t));
  const overlaps = thresholds.map((t) => regions.reduce((sum, region) => sum + above(region, t), 0) / regions.length);
  const within = x.flatMap((rate, i) => (rate <= PRO_LIMIT ? [i] : []));
  const short = (values: readonly number[]) => values.map((v) => Number(v.toPrecision(5)));
  return [
    { kind: 'roc', x: short([...x, 1]), y: short([...thresholds.map((t) => above(positives, t)), 1]) },
    { kind: 'pro', x: short(within.map((i) => x[i])), y: short(within.map((i) => overlaps[i])) },
  ];
}

/** Share of the values (rising) that are above t. */
function shareAbove(sorted: Float32Array, t: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return (sorted.length - low) / sorted.length;
}
