/** The page's tables: medians, with the quartiles below them. */
import { type Html, html } from '../pages/html.ts';
import { below, EMPTY, numberCell, percent, table, tableRow, textCell, textHead } from '../pages/table.ts';
import { ESTIMATORS } from './estimators.ts';
import type { Errors, PathCell, Point, TuningCell } from './record.ts';
import { bestPoint, lowestOf, type Spread, spreadOf, standingOf } from './summary.ts';

interface Column {
  readonly head: string;
  readonly of: (errors: Errors) => number | null | undefined;
  readonly share?: boolean;
}

const COLUMNS: readonly Column[] = [
  { head: 'RMS, grey', of: (e) => e.rms },
  { head: 'corrupted part', of: (e) => e.rmsInside },
  { head: 'intact part', of: (e) => e.rmsOutside },
  { head: 'PSNR, dB', of: (e) => e.psnr },
  { head: 'z', of: (e) => e.z },
  { head: 'mask IoU', of: (e) => e.mask?.iou },
  { head: 'misses', of: (e) => e.mask?.misses, share: true },
  { head: 'false positives', of: (e) => e.mask?.falsePositives, share: true },
  { head: '||M - M*||', of: (e) => e.mask?.distance },
];

/** The last threshold of each cell, found and lowest known, and how the searches stand to the minimum next to z*. */
export function endTable(cells: readonly PathCell[]): Html {
  const levels = cells.some((cell) => cell.level !== undefined);
  return table({
    name: 'Errors at the last threshold',
    about: 'At the last threshold: medians over the pictures, with their quartiles.',
    head: [
      'case',
      ...(levels ? ['level'] : []),
      textHead('loss'),
      ...COLUMNS.map((column) => column.head),
      'lowest known: RMS',
      'above z*',
      'below z*',
    ],
    rows: cells.map((cell) => {
      const point = cell.points[cell.points.length - 1];
      const standing = standingOf(point);
      return tableRow(cell.case, [
        ...(levels ? [numberCell(cell.level, String(cell.level))] : []),
        textCell(ESTIMATORS[cell.estimator].label),
        ...entries(point.search),
        point.truth ? spreadCell(spreadOf(lowestOf(point).map((e) => e.rms))) : EMPTY,
        shareCell(standing?.trapped),
        shareCell(standing?.elsewhere),
      ]);
    }),
  });
}

/** One cell along its thresholds. */
export function pathTable(cell: PathCell): Html {
  const { label } = ESTIMATORS[cell.estimator];
  return table({
    name: `Errors along the thresholds: ${cell.case}, ${label}`,
    about: `${label}:`,
    head: ['threshold', 'lambda', ...COLUMNS.map((column) => column.head)],
    rows: cell.points.map((point) =>
      tableRow(String(point.grey), [numberCell(point.lambda, digits(point.lambda)), ...entries(point.search)]),
    ),
  });
}

/** Each estimator where it is best, and at the last threshold: medians over the first `count` pictures. */
export function relativesTable(cells: readonly PathCell[], count: number): Html {
  return table({
    name: `M-estimators: ${cells[0].case}`,
    about: 'RMS of the image in grey levels: medians over the same pictures, with their quartiles.',
    head: ['loss', 'best threshold', 'RMS there', 'RMS at the last'],
    rows: cells.map((cell) => {
      const best = bestPoint(cell, count);
      const rms = ({ search }: Point) => spreadCell(spreadOf(search.slice(0, count).map((e) => e.rms)));
      return tableRow(ESTIMATORS[cell.estimator].label, [
        numberCell(best.grey, String(best.grey)),
        rms(best),
        rms(cell.points[cell.points.length - 1]),
      ]);
    }),
  });
}

export function tuningTable(cells: readonly TuningCell[]): Html {
  return table({
    name: 'R-RGI by the steps of the weights',
    about: 'RMS in grey levels: medians over the pictures, with their quartiles.',
    head: [
      'gap',
      'level',
      textHead('mask'),
      'steps of weights',
      'RMS outside',
      'RMS inside',
      'to the corruption',
      'misses',
    ],
    rows: cells.flatMap((cell) =>
      cell.points.map((point) =>
        tableRow(cell.gap, [
          numberCell(cell.level, String(cell.level)),
          textCell(cell.maskGiven ? 'given' : 'found'),
          numberCell(point.weightSteps, String(point.weightSteps)),
          spreadCell(spreadOf(point.errors.map((e) => e.rmsOutside))),
          spreadCell(spreadOf(point.errors.map((e) => e.rmsInside))),
          spreadCell(spreadOf(point.toCorruption)),
          cell.maskGiven ? EMPTY : spreadCell(spreadOf(point.errors.map((e) => e.mask?.misses)), true),
        ]),
      ),
    ),
  });
}

function entries(errors: readonly Errors[]): Html[] {
  return COLUMNS.map(({ of, share }) => spreadCell(spreadOf(errors.map(of)), share));
}

function spreadCell(spread: Spread | undefined, share = false): Html {
  if (!spread) return EMPTY;
  const text = share ? percent : digits;
  return numberCell(spread.median, html`${text(spread.median)}${below(`${text(spread.low)} to ${text(spread.high)}`)}`);
}

function shareCell(share: number | undefined): Html {
  return numberCell(share, share === undefined ? '' : percent(share));
}

/** Three digits; powers of ten for small numbers. */
export function digits(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}
