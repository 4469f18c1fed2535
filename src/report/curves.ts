/** Curves of a case: how the searches went, and how scores separate good from defective. */

import { quantile } from '../arrays/sort.ts';
import { shownOf } from '../evaluate/aggregate.ts';
import { factsOf, type MetricName } from '../evaluate/metrics.ts';
import type { Result, TrialRecord } from '../evaluate/record.ts';
import { type Chart, dotChart, lineChart, type Series } from '../pages/chart.ts';
import type { Html } from '../pages/html.ts';

/** Charts of one case; methods keep the line style of their place in `methods`. */
export function chartsOf(
  rows: readonly Result[],
  trials: readonly TrialRecord[],
  methods: readonly string[],
  metric: MetricName,
): Html[] {
  const shares = trials.map((trial) => trial.metrics.true_share).filter((share) => typeof share === 'number');
  const trueShare =
    shares.length > 0
      ? quantile(
          shares.sort((a, b) => a - b),
          0.5,
        )
      : undefined;
  const charts: Chart[] = [
    ...historyCharts(trials, methods, trueShare),
    {
      title: 'ROC of the pixels',
      xLabel: 'false positive rate',
      yLabel: 'true positive rate',
      xRange: [0, 1],
      yRange: [0, 1],
      series: curveSeries(rows, methods, 'roc'),
    },
    {
      title: 'Overlap of the regions (PRO)',
      xLabel: 'false positive rate',
      yLabel: 'mean overlap of the true regions',
      xRange: [0, 0.3],
      yRange: [0, 1],
      series: curveSeries(rows, methods, 'pro'),
    },
  ];
  return [scoreChart(rows, methods, metric), ...charts.map(lineChart)].flatMap((chart) => chart ?? []);
}

/** The metric of each method with its interval; of one method alone it says no more than the table. */
function scoreChart(rows: readonly Result[], methods: readonly string[], metric: MetricName): Html | undefined {
  if (rows.length < 2) return undefined;
  const { label, unit } = factsOf(metric);
  return dotChart({
    title: `${label} of the methods`,
    xLabel: unit === undefined ? label : `${label} (${unit})`,
    rows: rows.flatMap(({ method, metrics }) => {
      const summary = metrics[metric];
      if (summary === undefined) return [];
      const { value, interval } = shownOf(summary, metric);
      return [{ label: method, value, interval, style: methods.indexOf(method) }];
    }),
  });
}

type History = NonNullable<TrialRecord['history']>;

/** A search, by the method it was of. */
export type Searched = Pick<TrialRecord, 'method' | 'maskGiven' | 'history'>;

/** Loss and masked share along the searches; `trueShare` is what is truly corrupted, where it is known. */
export function historyCharts(trials: readonly Searched[], methods: readonly string[], trueShare?: number): Chart[] {
  return [
    {
      title: 'Loss along the search',
      xLabel: 'step',
      yLabel: 'loss, relative to its largest (median over the pictures)',
      scale: 'log',
      series: historySeries(trials, methods, (history) => {
        const largest = Math.max(...history.loss.filter(Number.isFinite), 1e-30);
        return history.loss.map((loss) => loss / largest);
      }),
    },
    {
      title: 'Masked share along the search',
      xLabel: 'step',
      yLabel: 'mean |M| (median over the pictures)',
      series: historySeries(
        trials.filter((trial) => !trial.maskGiven && trial.history?.masked.some((share) => share !== 0)),
        methods,
        (history) => history.masked,
      ),
      reference: trueShare === undefined ? undefined : { label: 'truly corrupted', y: trueShare },
    },
  ];
}

/** Per method the median over pictures at each of its steps; searches that ended earlier keep their last value. */
function historySeries(
  trials: readonly Searched[],
  methods: readonly string[],
  valuesOf: (history: History) => readonly number[],
): Series[] {
  return methods.flatMap((method, style) => {
    const histories = trials.flatMap((trial) =>
      trial.method === method && trial.history?.step.length ? [trial.history] : [],
    );
    if (histories.length === 0) return [];
    const longest = histories.reduce((a, b) => (b.step[b.step.length - 1] > a.step[a.step.length - 1] ? b : a));
    const curves = histories.map((history) => ({ step: history.step, values: valuesOf(history) }));
    const points = longest.step.map((step): [number, number] => {
      const values = curves.map((curve) => valueAt(curve.step, curve.values, step)).filter(Number.isFinite);
      return [
        step,
        values.length > 0
          ? quantile(
              values.sort((a, b) => a - b),
              0.5,
            )
          : Number.NaN,
      ];
    });
    return [{ label: method, points, style }];
  });
}

/** The value at the last kept step not after `step`. */
function valueAt(steps: readonly number[], values: readonly number[], step: number): number {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return values[low];
}

function curveSeries(rows: readonly Result[], methods: readonly string[], kind: 'roc' | 'pro'): Series[] {
  return rows.flatMap((row) =>
    (row.curves ?? [])
      .filter((curve) => curve.kind === kind)
      .map((curve) => ({
        label: row.method,
        style: methods.indexOf(row.method),
        points: curve.x.map((x, i): [number, number] => [x, curve.y[i]]),
      })),
  );
}
