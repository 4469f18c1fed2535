/** The report's tables: an overview of methods by case, and everything about one case. */
import { bestOf, shownOf } from '../evaluate/aggregate.ts';
import { factsOf, type MetricName } from '../evaluate/metrics.ts';
import type { Pooled, Result, TrialRecord } from '../evaluate/record.ts';
import { pairedDifference, type Summary } from '../evaluate/statistics.ts';
import { cellOf, metricsOf } from '../evaluate/tables.ts';
import { type Html, html } from '../pages/html.ts';
import { below, EMPTY, numberCell, table, tableRow } from '../pages/table.ts';

/** Methods by case in one metric: what most readers came for. */
export function overviewTable(results: readonly Result[], metric: MetricName): Html {
  const facts = factsOf(metric);
  // Cases of which there is no such number (good pictures have no defects to find) are left out.
  const scored = results.filter((result) => result.metrics[metric] !== undefined);
  const places = [...new Set(scored.map(placeOf))];
  const methods = [...new Set(results.map((result) => result.method))];
  const groups = places.map((place) => results.filter((result) => placeOf(result) === place));
  const best = new Set(groups.flatMap((group) => [...bestOf(group, metric, facts.better, facts.digits)]));
  const oneSet = new Set(results.map((result) => result.set)).size === 1;
  const title = ([first]: readonly Result[]) => (oneSet ? first.case : `${first.set}: ${first.case}`);
  const better = facts.better === 'neither' ? '' : `, ${facts.better} is better`;
  const pooled = results.some((result) => 'pooled' in (result.metrics[metric] ?? {}));
  const apart = results.some((result) => result.maskGiven)
    ? ', methods with the true mask compared among themselves'
    : '';
  const rows = methods.map((method) => {
    const own = groups.map((group) => group.find((one) => one.method === method));
    const maskGiven = own.some((one) => one?.maskGiven ?? false);
    const cells = own.map((one) => cell(one?.metrics[metric], metric, one !== undefined && best.has(one)));
    return tableRow(methodHead(method, maskGiven), cells);
  });
  return table({
    name: 'Methods by case',
    about: `${titleOf(metric)}${pooled ? ', of all pixels or pictures together' : ': the median over the pictures'}${better}. Bold: the best of a column${apart}.`,
    head: ['Method', ...groups.map(title)],
    rows,
  });
}

/** The scores of one case that matter most, and by how much each method differs from the first on the same pictures. */
export function caseTable(
  rows: readonly Result[],
  trials: readonly TrialRecord[],
  metric: MetricName,
  seed: number,
): Html {
  const metrics = metricsOf(rows).filter((name) => factsOf(name).short);
  const cells = cellsOf(rows, metrics);
  const [reference] = rows;
  const facts = factsOf(metric);
  const images = [...new Set(trials.map((trial) => trial.image))];
  const valuesOf = (method: string) => {
    const own = trials.filter((trial) => trial.method === method);
    const values = new Map(own.map((trial) => [trial.image, trial.metrics[metric]]));
    return images.map((image) => values.get(image));
  };
  const first = valuesOf(reference.method);
  const compared = rows.length > 1 && first.some((value) => typeof value === 'number');
  const signed = (value: number) => `${value > 0 ? '+' : ''}${value.toFixed(facts.digits)}`;
  const difference = (row: Result) => {
    if (row === reference) return numberCell(0, html`<span class="soft">reference</span>`);
    const paired = pairedDifference(valuesOf(row.method), first, { seed });
    if (!paired) return EMPTY;
    const interval = below(paired.interval?.map(signed).join(' to '));
    return numberCell(paired.median, html`${signed(paired.median)}${interval}`);
  };
  return table({
    name: `Scores: ${reference.case}`,
    about: `Median over the pictures, and its 95 % interval; a number alone is of all pixels or pictures together.${compared ? ` The last column: ${titleOf(metric)} less that of ${reference.method}, picture by picture.` : ''}`,
    head: [
      'Method',
      ...metrics.map(titleOf),
      ...(compared ? [`${facts.label} against ${reference.method}`] : []),
      'Pictures',
    ],
    rows: rows.map((row, i) =>
      tableRow(methodHead(row.method, row.maskGiven), [
        ...cells[i],
        ...(compared ? [difference(row)] : []),
        countCell(row),
      ]),
    ),
  });
}

/** The other scores; undefined where there are none. */
export function furtherTable(rows: readonly Result[]): Html | undefined {
  const metrics = metricsOf(rows).filter((name) => !factsOf(name).short);
  if (metrics.length === 0) return undefined;
  const cells = cellsOf(rows, metrics);
  return table({
    name: `Further scores: ${rows[0].case}`,
    about: 'Median over the pictures (the mean where the name says so), and its 95 % interval.',
    head: ['Method', ...metrics.map(titleOf)],
    rows: rows.map((row, i) => tableRow(methodHead(row.method, row.maskGiven), cells[i])),
  });
}

/** A method's name; whether it was given the mask stands with it, since it decides what its numbers can be compared with. */
function methodHead(method: string, maskGiven: boolean): Html {
  return html`${method}${below(maskGiven ? 'true mask given' : undefined)}`;
}

function countCell(row: Result): Html {
  const diverged = row.diverged > 0 ? `${row.diverged} diverged` : undefined;
  return numberCell(row.n, html`${row.n}${below(diverged)}`);
}

/** The cells of each row. */
function cellsOf(rows: readonly Result[], metrics: readonly MetricName[]): Html[][] {
  const best = metrics.map((name) => bestOf(rows, name, factsOf(name).better, factsOf(name).digits));
  return rows.map((row) => metrics.map((name, k) => cell(row.metrics[name], name, best[k].has(row))));
}

/** What the numbers are. */
export function legend(results: readonly Result[]): Html {
  return html`<dl class="facts">${metricsOf(results).map((name) => html`<dt>${factsOf(name).label}</dt><dd>${factsOf(name).about}</dd>`)}</dl>`;
}

function titleOf(name: MetricName): string {
  const { label, unit } = factsOf(name);
  return unit === undefined ? label : `${label} (${unit})`;
}

function cell(value: Summary | Pooled | undefined, metric: MetricName, best: boolean): Html {
  if (value === undefined) return EMPTY;
  const shown = cellOf(value, metric);
  const exact = shownOf(value, metric).value;
  const number = best ? html`<strong>${shown.value}<span class="hidden"> (best)</span></strong>` : shown.value;
  return numberCell(exact, html`${number}${below(shown.interval)}`);
}

function placeOf(result: Result): string {
  return JSON.stringify([result.set, result.case]);
}
