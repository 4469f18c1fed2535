/** A run on a user's own pictures (`rgi detect`, `rgi restore`) as one page: a table of them, curves, the pictures, settings. */
import { type Chart, lineChart } from '../pages/chart.ts';
import { chartGrid, factList, noteLists, settingBlock, tiles, warning } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import { pageHead, pageOf, type Section } from '../pages/shell.ts';
import { numberCell, table, tableRow, textCell, textHead } from '../pages/table.ts';
import { type Embedded, thumb } from './pictures.ts';

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
  /** The numbers that matter most, shown large: what each is, and the number. */
  readonly tiles?: readonly (readonly [label: string, value: string | undefined])[];
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
  /** Further sections, after the list. */
  readonly sections?: readonly Section[];
  readonly notes: readonly string[];
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
  readonly settings: readonly (readonly [title: string, value: unknown])[];
  readonly embedded: Embedded;
}

export function runPage(run: RunReport): Promise<string> {
  const charts = chartGrid(run.charts.map(lineChart));
  const cards = cardsOf(run);
  const list = run.pictures.length > 0 ? listOf(run) : html`<p>There are no pictures yet.</p>`;
  const section = (id: string, title: string, content: Html | undefined): Section[] =>
    content ? [{ id, title, content }] : [];
  const unfinished =
    !run.complete && warning('Not complete:', 'pictures are missing. The same command with --resume adds them.');
  const unusable =
    run.failed.length > 0 &&
    warning(`${run.failed.length} of the pictures could not be used:`, 'see the notes below the list.');
  return pageOf({
    title: run.title,
    kind: 'run',
    head: pageHead(run.title, unfinished, unusable, tiles(run.tiles ?? []), factList(run.facts)),
    sections: [
      ...section('pictures', 'Pictures', cards),
      ...section('list', 'List', html`${list}${noteLists(run.notes, run.failed)}`),
      ...(run.sections ?? []),
      ...section('charts', 'Charts', charts),
      {
        id: 'settings',
        title: 'Settings, to repeat it',
        short: 'Settings',
        content: html`${run.settings.map(([title, value]) => settingBlock(title, value))}`,
      },
    ],
    footer: html`<p>Made by rgi from the files of the run, which hold every number of this page.</p>`,
  });
}

function listOf({ about, stateLabel, columns, pictures }: RunReport): Html {
  return table({
    name: 'Pictures',
    about,
    head: ['Picture', textHead(stateLabel), ...columns.map((column) => column.label)],
    rows: pictures.map(({ name, state, marked, values }) =>
      tableRow(name, [
        textCell(marked ? html`<strong>${state}</strong>` : state),
        ...columns.map(({ key, digits }) => numberCell(values[key], values[key]?.toFixed(digits) ?? '')),
      ]),
    ),
  });
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
      return html`<li class="card" data-scores="${JSON.stringify(values)}"><h3>${name}</h3><div class="row"><p><span>${marked ? html`<strong>${state}</strong>` : state}</span> <span class="soft">${numbers.join(', ')}</span></p>${message && html`<p>${message}</p>`}<div class="thumbs${thumbs.length > 4 && ' five'}">${thumbs.map(({ file, caption, alt }) => thumb(file, caption, alt, embedded))}</div></div></li>
`;
    },
  )}</ul>`;
}
