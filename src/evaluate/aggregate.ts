/** From trials to results: grouped by set, case and method, in the order in which they were asked for. */
import { factsOf, METRIC_NAMES, type MetricName } from './metrics.ts';
import type { Pooled, Result, TrialRecord } from './record.ts';
import { type Interval, type Summary, summarise } from './statistics.ts';

/** Summaries over the pictures of each set, case and method; `seed` is that of the bootstrap. */
export function aggregate(trials: readonly TrialRecord[], seed = 0): Result[] {
  return [...groups(trials).values()].map((group) => {
    const [{ set, case: name, method, maskGiven }] = group;
    const metrics: Partial<Record<MetricName, Summary>> = {};
    for (const metric of METRIC_NAMES) {
      const values = group.map((trial) => (metric === 'seconds' ? trial.seconds : trial.metrics[metric]));
      const summary = summarise(values, { seed });
      if (summary) metrics[metric] = summary;
    }
    const diverged = group.filter((trial) => trial.code === 'diverged').length;
    return { set, case: name, method, maskGiven, n: group.length - diverged, diverged, metrics };
  });
}

/** Trials by set, case and method. */
export function groups(trials: readonly TrialRecord[]): Map<string, TrialRecord[]> {
  const found = new Map<string, TrialRecord[]>();
  for (const trial of trials) {
    const key = JSON.stringify([trial.set, trial.case, trial.method]);
    const group = found.get(key);
    if (group) group.push(trial);
    else found.set(key, [trial]);
  }
  return found;
}

/** The number a table shows for a metric: the pooled value, or the median over the pictures (the mean where it is said so). */
export function headline(result: Result, metric: MetricName): number | undefined {
  const value = result.metrics[metric];
  return value && shownOf(value, metric).value;
}

/** What tables show of a metric, and its 95 % interval where it has one. */
export function shownOf(
  value: Summary | Pooled,
  metric: MetricName,
): { readonly value: number; readonly interval?: Interval } {
  if ('pooled' in value) return { value: value.pooled };
  const mean = factsOf(metric).statistic === 'mean';
  const interval = mean ? value.meanInterval : value.medianInterval;
  return { value: mean ? value.mean : value.median, ...(interval ? { interval } : {}) };
}

/** Which rows are best in a metric, ties included. Methods with the true mask given compete among themselves only. */
export function bestOf(
  rows: readonly Result[],
  metric: MetricName,
  better: 'higher' | 'lower' | 'neither',
  digits: number,
): Set<Result> {
  const best = new Set<Result>();
  if (better === 'neither') return best;
  for (const maskGiven of [false, true]) {
    const group = rows.filter((row) => row.maskGiven === maskGiven && headline(row, metric) !== undefined);
    if (group.length < 2) continue;
    // What is printed the same is the same.
    const shown = (row: Result) => Number(headline(row, metric)!.toFixed(digits)) * (better === 'higher' ? 1 : -1);
    const top = Math.max(...group.map(shown));
    for (const row of group) if (shown(row) === top) best.add(row);
  }
  return best;
}
