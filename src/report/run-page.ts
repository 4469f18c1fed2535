/** A run on a user's own pictures (`rgi detect`, `rgi restore`) as one page: a table of them, curves, the pictures, settings. */
import { type Chart, lineChart } from './chart.ts';
import { type Html, html } from './html.ts';
import { type Embedded, thumb } from './pictures.ts';
import { factList, noteLists, pageOf, settingBlock } from './shell.ts';
import { table } from './tables.ts';

/** One number of each picture, sorted by and shown. */
export interface Column {
  readonly key: string;
  readonly label: string;
  readonly digits: number;
}

export interface RunPicture {
  readonly name: string;
  /** In a few words: a verdict, how a search ended. */
  readonly state: string;
  /** Stands out in lists. */
  readonly marked?: boolean;
  /** What a user should know of it. */
  readonly message?: string;
  readonly values: Readonly<Record<string, number | undefined>>;
  readonly thumbs: readonly { readonly file: string; readonly caption: string; readonly alt: string }[];
}

export interface RunReport {
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string | undefined])[];
  readonly complete: boolean;
  /** What the table's columns are, in a sentence or two. */
  readonly about: string;
  /** What a picture's state is called. */
  readonly stateLabel: string;
  readonly columns: readonly Column[];
  /** In an order whose name is `order`. */
  readonly pictures: readonly RunPicture[];
  readonly order: string;
  readonly charts: readonly Chart[];
  readonly notes: readonly string[];
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
  readonly settings: readonly (readonly [title: string, value: unknown])[];
  readonly embedded: Embedded;
}

export function runPage(run: RunReport): Promise<string> {
  const charts = run.charts.flatMap((chart) => lineChart(chart) ?? []);
  const cards = cardsOf(run);
  const link = (id: string, text: string) => html`<li><a href="#${id}">${text}</a></li>`;
  const body = html`<a class="skip" href="#main">To the results</a>
<header><h1>${run.title}</h1>${factList(run.facts)}${!run.complete && html`<p class="warning"><strong>Not complete:</strong> pictures are missing. The same command with --resume goes on.</p>`}</header>
<nav aria-label="Contents"><ul>${link('list', 'List')}${charts.length > 0 && link('curves', 'Curves')}${cards && link('pictures', 'Pictures')}${link('settings', 'Settings')}</ul></nav>
<main id="main">
<section aria-labelledby="list"><h2 id="list">List</h2>
${run.pictures.length > 0 ? listOf(run) : html`<p>There are no pictures yet.</p>`}
${noteLists(run.notes, run.failed)}</section>
${charts.length > 0 && html`<section aria-labelledby="curves"><h2 id="curves">Curves</h2><div class="charts">${charts}</div></section>`}
${cards && html`<section aria-labelledby="pictures"><h2 id="pictures">Pictures</h2>${cards}</section>`}
<section aria-labelledby="settings"><h2 id="settings">Settings, to repeat it</h2>
${run.settings.map(([title, value]) => settingBlock(title, value))}
</section>
</main>
<footer><p>Made by rgi from the files of the run, which hold every number of this page.</p></footer>`;
  return pageOf(run.title, body);
}

function listOf({ about, stateLabel, columns, pictures }: RunReport): Html {
  return table({
    name: 'Pictures',
    about,
    head: ['Picture', stateLabel, ...columns.map((column) => column.label)].map(
      (label) => html`<th scope="col">${label}</th>`,
    ),
    rows: pictures.map(
      ({ name, state, marked, values }) =>
        html`<tr><th scope="row">${name}</th><td>${marked ? html`<strong>${state}</strong>` : state}</td>${columns.map(({ key, digits }) => numberCell(values[key], digits))}</tr>`,
    ),
  });
}

function numberCell(value: number | undefined, digits: number): Html {
  if (value === undefined) return html`<td></td>`;
  return html`<td data-value="${value}">${value.toFixed(digits)}</td>`;
}

/** A card per picture; undefined where no picture can be shown. */
function cardsOf({ columns, pictures, order, embedded }: RunReport): Html | undefined {
  const shown = pictures.filter(({ thumbs }) => thumbs.some(({ file }) => embedded.has(file)));
  if (shown.length === 0) return undefined;
  const sorts = columns.map(({ key, label }) => ({ key, name: label }));
  return html`<ul class="cards" data-sorts="${JSON.stringify(sorts)}" data-order="${order}">${shown.map(
    ({ name, state, marked, message, values, thumbs }) => {
      const numbers = columns.flatMap(({ key, label, digits }) =>
        values[key] === undefined ? [] : [`${label.toLowerCase()} ${values[key].toFixed(digits)}`],
      );
      return html`<li class="card" data-scores="${JSON.stringify(values)}"><h4>${name}</h4><div class="row"><p><span>${marked ? html`<strong>${state}</strong>` : state}</span> <span class="soft">${numbers.join(', ')}</span></p>${message && html`<p>${message}</p>`}<div class="thumbs${thumbs.length > 4 && ' five'}">${thumbs.map(({ file, caption, alt }) => thumb(file, caption, alt, embedded))}</div></div></li>
`;
    },
  )}</ul>`;
}
