/** The page's tables: medians, with the quartiles below them. */
import { type Html, html } from '../report/html.ts';
import { ESTIMATORS } from './estimators.ts';
import type { Errors, PathCell, TuningCell } from './record.ts';
import { lowestOf, type Spread, spreadOf, standingOf } from './summary.ts';

interface Column {
  readonly head: string;
  readonly of: (errors: Errors) => number | null | undefined;
  readonly share?: boolean;
}

const COLUMNS: readonly Column[] = [
  { head: 'RMS, grey', of: (e) => e.rms },
  { head: 'corrupted part', of: (e) => e.rmsInside },
  { head: 'sound part', of: (e) => e.rmsOutside },
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
  return table(
    [
      'case',
      ...(levels ? ['level'] : []),
      'loss',
      ...COLUMNS.map((column) => column.head),
      'lowest known: RMS',
      'above z*',
      'below z*',
    ],
    cells.map((cell) => {
      const point = cell.points[cell.points.length - 1];
      const standing = standingOf(point);
      return [
        cell.case,
        ...(levels ? [String(cell.level)] : []),
        ESTIMATORS[cell.estimator].label,
        ...entries(point.search),
        point.truth ? spreadCell(spreadOf(lowestOf(point).map((e) => e.rms))) : '',
        standing ? percent(standing.trapped) : '',
        standing ? percent(standing.elsewhere) : '',
      ];
    }),
  );
}

/** One cell along its thresholds. */
export function pathTable(cell: PathCell): Html {
  const rows = cell.points.map((point) => [String(point.grey), digits(point.lambda), ...entries(point.search)]);
  return html`<h4>${ESTIMATORS[cell.estimator].label}</h4>${table(['threshold', 'lambda', ...COLUMNS.map((c) => c.head)], rows)}`;
}

/** Each estimator where it is best, and at the last threshold: medians over the first `count` pictures. */
export function relativesTable(cells: readonly PathCell[], count: number): Html {
  const rms = (errors: readonly Errors[]) => spreadOf(errors.slice(0, count).map((e) => e.rms));
  return table(
    ['loss', 'best threshold', 'RMS there', 'RMS at the last'],
    cells.map((cell) => {
      const best = cell.points.reduce((a, b) =>
        (rms(b.search)?.median ?? Number.POSITIVE_INFINITY) < (rms(a.search)?.median ?? Number.POSITIVE_INFINITY)
          ? b
          : a,
      );
      return [
        ESTIMATORS[cell.estimator].label,
        String(best.grey),
        spreadCell(rms(best.search)),
        spreadCell(rms(cell.points[cell.points.length - 1].search)),
      ];
    }),
  );
}

export function tuningTable(cells: readonly TuningCell[]): Html {
  return table(
    ['gap', 'level', 'mask', 'steps of weights', 'RMS outside', 'RMS inside', 'to the corruption', 'misses'],
    cells.flatMap((cell) =>
      cell.points.map((point) => [
        cell.gap,
        String(cell.level),
        cell.told ? 'given' : 'found',
        String(point.weightSteps),
        spreadCell(spreadOf(point.errors.map((e) => e.rmsOutside))),
        spreadCell(spreadOf(point.errors.map((e) => e.rmsInside))),
        spreadCell(spreadOf(point.toCorruption)),
        cell.told ? '' : spreadCell(spreadOf(point.errors.map((e) => e.mask?.misses)), true),
      ]),
    ),
  );
}

function entries(errors: readonly Errors[]): (Html | string)[] {
  return COLUMNS.map(({ of, share }) => spreadCell(spreadOf(errors.map(of)), share));
}

function spreadCell(spread: Spread | undefined, share = false): Html | string {
  if (!spread) return '';
  const text = share ? percent : digits;
  return html`${text(spread.median)}<span class="interval">${text(spread.low)} to ${text(spread.high)}</span>`;
}

function digits(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

function percent(value: number): string {
  return `${Number((100 * value).toPrecision(3))}%`;
}

function table(heads: readonly string[], rows: readonly (readonly (Html | string)[])[]): Html {
  const body = rows.map(
    ([first, ...rest]) => html`<tr><th scope="row">${first}</th>${rest.map((entry) => html`<td>${entry}</td>`)}</tr>`,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`;
}
