/** The report's tables: an overview of methods by case, and everything about one case. */
import { bestOf, shownOf } from '../evaluate/aggregate.ts';
import { factsOf, type MetricName } from '../evaluate/metrics.ts';
import type { Pooled, Result, TrialRecord } from '../evaluate/record.ts';
import { pairedDifference, type Summary } from '../evaluate/statistics.ts';
import { cellOf, metricsOf } from '../evaluate/tables.ts';
import { type Html, html } from './html.ts';

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
  const apart = results.some((result) => result.told) ? ', methods that were told the mask apart' : '';
  const rows = methods.map((method) => {
    const own = groups.map((group) => group.find((one) => one.method === method));
    const told = own.some((one) => one?.told ?? false);
    const cells = own.map((one) => cell(one?.metrics[metric], metric, one !== undefined && best.has(one)));
    return html`<tr>${methodHead(method, told)}${cells}</tr>`;
  });
  return table({
    name: 'Overview',
    about: `${titleOf(metric)}${pooled ? ', of all pixels or pictures together' : ': the median over the pictures'}${better}. Bold: the best of a column${apart}.`,
    head: [FIRST_HEAD, ...groups.map((group) => html`<th scope="col">${title(group)}</th>`)],
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
    if (row === reference) return html`<td data-value="0"><span class="soft">reference</span></td>`;
    const paired = pairedDifference(valuesOf(row.method), first, { seed });
    if (!paired) return EMPTY;
    return html`<td data-value="${paired.median}">${signed(paired.median)}${intervalOf(paired.interval?.map(signed).join(' to '))}</td>`;
  };
  return table({
    name: `Scores: ${reference.case}`,
    about: `Median over the pictures, and its 95 % interval; a number alone is of all pixels or pictures together.${compared ? ` The last column: ${titleOf(metric)} less that of ${reference.method}, picture by picture.` : ''}`,
    head: [
      FIRST_HEAD,
      ...heads(metrics),
      ...(compared ? [html`<th scope="col">${facts.label} against ${reference.method}</th>`] : []),
      LAST_HEAD,
    ],
    rows: rows.map(
      (row, i) =>
        html`<tr>${methodHead(row.method, row.told)}${cells[i]}${compared && difference(row)}${countCell(row)}</tr>`,
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
    head: [FIRST_HEAD, ...heads(metrics)],
    rows: rows.map((row, i) => html`<tr>${methodHead(row.method, row.told)}${cells[i]}</tr>`),
  });
}

export interface Table {
  readonly name: string;
  readonly about: string;
  readonly head: readonly Html[];
  readonly rows: readonly Html[];
}

/** The text stands before the table, where it is not scrolled away with it. */
export function table({ name, about, head, rows }: Table): Html {
  return html`<p class="soft">${about}</p>
<div class="scroll" role="region" tabindex="0" aria-label="${name}"><table class="sortable" aria-label="${name}">
<thead><tr>${head}</tr></thead>
<tbody>${rows}</tbody></table></div>
`;
}

const FIRST_HEAD = html`<th scope="col">Method</th>`;
const LAST_HEAD = html`<th scope="col">Pictures</th>`;

function heads(metrics: readonly MetricName[]): Html[] {
  return metrics.map((name) => html`<th scope="col">${titleOf(name)}</th>`);
}

/** A method's name; what it was told stands with it, since it decides what its numbers can be compared with. */
function methodHead(method: string, told: boolean): Html {
  return html`<th scope="row">${method}${intervalOf(told ? 'told the true mask' : undefined)}</th>`;
}

function countCell(row: Result): Html {
  const diverged = row.diverged > 0 ? `${row.diverged} diverged` : undefined;
  return html`<td data-value="${row.n}">${row.n}${intervalOf(diverged)}</td>`;
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

const EMPTY = html`<td><span aria-hidden="true">–</span><span class="hidden">none</span></td>`;

function cell(value: Summary | Pooled | undefined, metric: MetricName, best: boolean): Html {
  if (value === undefined) return EMPTY;
  const shown = cellOf(value, metric);
  const exact = shownOf(value, metric).value;
  const number = best ? html`<strong>${shown.value}<span class="hidden"> (best)</span></strong>` : shown.value;
  return html`<td data-value="${exact}">${number}${intervalOf(shown.interval)}</td>`;
}

function intervalOf(text: string | undefined): Html | undefined {
  return text ? html`<span class="interval">${text}</span>` : undefined;
}

function placeOf(result: Result): string {
  return JSON.stringify([result.set, result.case]);
}
