/** The experiments' curves: errors against the threshold with their quartiles, against a level, against steps of the weights. */
import { type Chart, lineChart, type Series } from '../report/chart.ts';
import type { Html } from '../report/html.ts';
import { ESTIMATORS } from './estimators.ts';
import type { Errors, PathCell, Point, TuningCell } from './record.ts';
import { lowestOf, spreadOf, standingOf } from './summary.ts';

/** Errors below are drawn here: a logarithm needs a floor, and single precision ends near it. */
const FLOOR = 1e-4;

const THRESHOLD = 'threshold, grey levels (lambda falls to the left)';

type Measure = (errors: Errors) => number | null | undefined;

const floored = (value: number | null) => (value === null ? null : Math.max(FLOOR, value));

export const MEASURES = {
  rms: (errors: Errors) => floored(errors.rms),
  inside: (errors: Errors) => floored(errors.rmsInside),
  z: (errors: Errors) => floored(errors.z),
  distance: (errors: Errors) => errors.mask?.distance,
  iou: (errors: Errors) => errors.mask?.iou,
  misses: (errors: Errors) => errors.mask?.misses,
  falsePositives: (errors: Errors) => errors.mask?.falsePositives,
} as const satisfies Record<string, Measure>;

/** What a curve along the thresholds is drawn of. */
export interface Line {
  readonly label: string;
  readonly cell: PathCell;
  readonly style: number;
  /** Of the lowest minimum known, instead of the search's. */
  readonly lowest?: boolean;
  /** Only so many of the pictures, the first. */
  readonly first?: number;
  readonly band?: boolean;
}

export function alongThresholds(
  title: string,
  yLabel: string,
  lines: readonly Line[],
  measure: Measure,
  options: Pick<Chart, 'scale' | 'yRange'> = {},
): Html | undefined {
  return lineChart({
    title,
    yLabel,
    xLabel: THRESHOLD,
    xScale: 'log',
    series: lines.map((line) => seriesOf(line, measure)),
    ...options,
  });
}

function seriesOf({ label, style, cell, lowest, first, band = true }: Line, measure: Measure): Series {
  const rising = cell.points.toReversed();
  const spreads = rising.flatMap((point) => {
    const errors = lowest ? lowestOf(point) : point.search;
    const spread = spreadOf(errors.slice(0, first).map(measure));
    return spread ? [{ grey: point.grey, ...spread }] : [];
  });
  return {
    label,
    style,
    points: spreads.map(({ grey, median }) => [grey, median]),
    ...(band ? { band: spreads.map(({ grey, low, high }) => [grey, low, high]) } : {}),
  };
}

/** How many searches ended above, or below, the minimum next to z*. */
export function standingChart(cells: readonly PathCell[]): Html | undefined {
  const series = cells.flatMap((cell, i): Series[] => {
    const rising = cell.points.toReversed().flatMap((point) => {
      const standing = standingOf(point);
      return standing ? [{ grey: point.grey, ...standing }] : [];
    });
    if (rising.length === 0) return [];
    const name = ESTIMATORS[cell.estimator].label;
    return [
      {
        label: `${name}: above (trapped, or still on the way)`,
        style: 2 * i,
        points: rising.map((p) => [p.grey, p.trapped]),
      },
      { label: `${name}: below (z* is not least)`, style: 2 * i + 1, points: rising.map((p) => [p.grey, p.elsewhere]) },
    ];
  });
  return lineChart({
    title: 'Searches that end above, or below, the minimum next to z*',
    yLabel: 'share of the pictures',
    xLabel: THRESHOLD,
    xScale: 'log',
    yRange: [0, 1],
    series,
  });
}

/** An error at one threshold (the last by default) against the level of a series of cells. */
export function againstLevel(
  title: string,
  xLabel: string,
  yLabel: string,
  cells: readonly PathCell[],
  lines: readonly {
    readonly label: string;
    readonly style: number;
    readonly errors: (point: Point) => readonly Errors[];
    readonly measure: Measure;
  }[],
  options: Pick<Chart, 'scale' | 'yRange' | 'xScale'> & { readonly grey?: number } = {},
): Html | undefined {
  const { grey, ...axes } = options;
  const series = lines.map(({ label, style, errors, measure }): Series => {
    const spreads = cells.flatMap((cell) => {
      const point = cell.points.find((one) => one.grey === grey) ?? cell.points[cell.points.length - 1];
      const spread = spreadOf(errors(point).map(measure));
      return spread && cell.level !== undefined ? [{ level: cell.level, ...spread }] : [];
    });
    return {
      label,
      style,
      points: spreads.map(({ level, median }) => [level, median]),
      band: spreads.map(({ level, low, high }) => [level, low, high]),
    };
  });
  return lineChart({ title, xLabel, yLabel, series, ...axes });
}

/** R-RGI against the steps of the weights, without and with the true mask. */
export function tuningCharts(cells: readonly TuningCell[]): Html[] {
  const along = (
    title: string,
    yLabel: string,
    valuesOf: (cell: TuningCell, i: number) => readonly (number | null | undefined)[],
    only = cells,
  ) =>
    lineChart({
      title,
      yLabel,
      xLabel: 'steps in which the weights moved',
      series: only.map((cell): Series => {
        const spreads = cell.points.flatMap((point, i) => {
          const spread = spreadOf(valuesOf(cell, i));
          return spread ? [{ at: point.weightSteps, ...spread }] : [];
        });
        return {
          label: cell.told ? 'the true mask given' : 'mask found',
          style: cell.told ? 1 : 0,
          points: spreads.map(({ at, median }) => [at, median]),
          band: spreads.map(({ at, low, high }) => [at, low, high]),
        };
      }),
    });
  const found = cells.filter((cell) => !cell.told);
  const errors = (measure: Measure) => (cell: TuningCell, i: number) => cell.points[i].errors.map(measure);
  return [
    along(
      'Error outside the corruption',
      'RMS, grey levels',
      errors((e) => e.rmsOutside),
    ),
    along(
      'Error inside the corruption',
      'RMS, grey levels',
      errors((e) => e.rmsInside),
    ),
    along(
      'Distance to the corrupted values: falls where they are fitted',
      'RMS, grey levels',
      (cell, i) => cell.points[i].toCorruption,
    ),
    along(
      'Corrupted pixels that the mask misses',
      'share',
      errors((e) => e.mask?.misses),
      found,
    ),
  ].flatMap((chart) => chart ?? []);
}
