/** From scored pictures to results: all defects pooled, then each kind against the same good pictures, then the good ones. */
import { aggregate } from '../aggregate.ts';
import type { MetricName } from '../metrics.ts';
import type { Result, TrialRecord } from '../record.ts';
import { detectionMetrics, type Scored } from './score.ts';

/** The kind of a picture without defect. */
export const GOOD = 'good';

export const ALL_DEFECTS = 'all defects';

/** One method on one set. */
export interface ScoredSet {
  readonly set: string;
  readonly method: string;
  readonly height: number;
  readonly width: number;
  readonly seed: number;
  readonly threshold: number;
  /** Per picture, in one order: what is known of it, its record (case: 'good' or the defect), its smoothed map. */
  readonly truths: readonly (Float32Array | undefined)[];
  readonly records: readonly TrialRecord[];
  readonly maps: readonly Float32Array[];
}

export function resultsOf(scored: ScoredSet): Result[] {
  const { records, maps, truths, set, method, height, width, threshold, seed } = scored;
  const pictures = records.map((record, i): Scored => {
    const truth = truths[i];
    return { map: maps[i], defective: record.case !== GOOD, score: record.score!, ...(truth ? { truth } : {}) };
  });
  const kinds = [...new Set(records.map((record) => record.case))].filter((defect) => defect !== GOOD);
  const group = (name: string, has: (defect: string) => boolean): Result => {
    const own = records.filter((record) => has(record.case)).map((record) => ({ ...record, case: name }));
    const [summary] = aggregate(own, seed);
    const compared = pictures.filter((one, i) => !one.defective || has(records[i].case));
    const pooled = name === GOOD ? { metrics: {}, curves: [] } : detectionMetrics(compared, height, width, threshold);
    return {
      ...summary,
      set,
      case: name,
      method,
      maskGiven: false,
      metrics: { ...pooled.metrics, ...summary.metrics },
      ...(pooled.curves.length > 0 ? { curves: pooled.curves } : {}),
    };
  };
  return [
    ...(kinds.length > 1 ? [group(ALL_DEFECTS, (defect) => defect !== GOOD)] : []),
    ...kinds.map((kind) => group(kind, (defect) => defect === kind)),
    ...(records.some((record) => record.case === GOOD) ? [group(GOOD, (defect) => defect === GOOD)] : []),
  ];
}

/** Tables read case by case. */
export function byCase(results: readonly Result[]): Result[] {
  const cases = [...new Set(results.map((result) => result.case))];
  return cases.flatMap((name) => results.filter((result) => result.case === name));
}

/** One line on a method that is done. */
export function describeMethodResults(results: readonly Result[], method: string): string {
  const first = results.find((result) => result.method === method)!;
  const shown = (name: MetricName) => {
    const value = first.metrics[name];
    return value && 'pooled' in value ? value.pooled.toFixed(3) : '-';
  };
  return `${first.case}, ${method}: pixel AUROC ${shown('pixel_auroc')}, AP ${shown('pixel_ap')}, AUPRO ${shown('aupro')}, Dice ${shown('dice_calibrated')} (oracle ${shown('dice_oracle')}), image AUROC ${shown('image_auroc')}`;
}
