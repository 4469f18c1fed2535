/** The experiments' curves: errors against the threshold with their quartiles, against a level, against steps of the weights. */
import { type Chart, lineChart, type Series } from '../pages/chart.ts';
import type { Html } from '../pages/html.ts';
import { ESTIMATORS } from './estimators.ts';
import type { Errors, PathCell, Point, TuningCell, TuningPoint } from './record.ts';
import { lowestOf, meanStanding, spreadOf } from './summary.ts';

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
  /** Only this many of the pictures, the first ones. */
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

/** How many searches ended above, or below, the minimum next to z*: per estimator, over all cases. */
export function standingChart(cells: readonly PathCell[]): Html | undefined {
  const estimators = [...new Set(cells.map((cell) => cell.estimator))];
  const series = estimators.flatMap((estimator, i): Series[] => {
    const own = cells.filter((cell) => cell.estimator === estimator);
    const greys = [...new Set(own.flatMap(({ points }) => points.map(({ grey }) => grey)))].sort((a, b) => a - b);
    const rising = greys.flatMap((grey) => {
      const standing = meanStanding(own.flatMap(({ points }) => points.find((point) => point.grey === grey) ?? []));
      return standing ? [{ grey, ...standing }] : [];
    });
    if (rising.length === 0) return [];
    const { label } = ESTIMATORS[estimator];
    return [
      { label: `${label}: above`, style: 2 * i, points: rising.map(({ grey, trapped }) => [grey, trapped]) },
      { label: `${label}: below`, style: 2 * i + 1, points: rising.map(({ grey, elsewhere }) => [grey, elsewhere]) },
    ];
  });
  return lineChart({
    title: 'Searches that end above or below the minimum next to z*',
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

/** One line of a chart of R-RGI against the steps of the weights. */
export interface TuningLine {
  readonly label: string;
  readonly cell: TuningCell;
  readonly style: number;
}

/** R-RGI against the steps of the weights; `valuesOf` gives the values of all pictures at a point. */
export function alongTuning(
  title: string,
  yLabel: string,
  lines: readonly TuningLine[],
  valuesOf: (point: TuningPoint) => readonly (number | null | undefined)[],
): Html | undefined {
  return lineChart({
    title,
    yLabel,
    xLabel: 'steps in which the weights moved',
    series: lines.map(({ label, cell, style }): Series => {
      const spreads = cell.points.flatMap((point) => {
        const spread = spreadOf(valuesOf(point));
        return spread ? [{ at: point.weightSteps, ...spread }] : [];
      });
      return {
        label,
        style,
        points: spreads.map(({ at, median }) => [at, median]),
        band: spreads.map(({ at, low, high }) => [at, low, high]),
      };
    }),
  });
}

/** All charts of one gap, without and with the true mask. */
export function tuningCharts(cells: readonly TuningCell[]): (Html | undefined)[] {
  const lines = cells.map(
    (cell): TuningLine => ({
      label: cell.maskGiven ? 'true mask given' : 'mask found',
      cell,
      style: cell.maskGiven ? 1 : 0,
    }),
  );
  const found = lines.filter(({ cell }) => !cell.maskGiven);
  const errors = (measure: Measure) => (point: TuningPoint) => point.errors.map(measure);
  return [
    alongTuning(
      'Error outside the corruption',
      'RMS, grey levels',
      lines,
      errors((e) => e.rmsOutside),
    ),
    alongTuning(
      'Error inside the corruption',
      'RMS, grey levels',
      lines,
      errors((e) => e.rmsInside),
    ),
    alongTuning('Distance to the corrupted values: falls where they are fitted', 'RMS, grey levels', lines, (point) => [
      ...point.toCorruption,
    ]),
    alongTuning(
      'Corrupted pixels that the mask misses',
      'share',
      found,
      errors((e) => e.mask?.misses),
    ),
  ];
}
