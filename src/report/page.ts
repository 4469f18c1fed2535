/** One self-contained page about an evaluation; without its script only sorting and the slider are missing. */
import { headline } from '../evaluate/aggregate.ts';
import type { MetricName } from '../evaluate/metrics.ts';
import type { Result, Results, TrialRecord } from '../evaluate/record.ts';
import { chartsOf } from './curves.ts';
import { type Html, html } from './html.ts';
import { type Embedded, gallery, ways } from './pictures.ts';
import { factList, noteLists, pageOf, settingBlock } from './shell.ts';
import { caseTable, furtherTable, legend, overviewTable } from './tables.ts';

export interface ReportInput {
  readonly title: string;
  readonly results: Results;
  readonly trials: readonly TrialRecord[];
  readonly embedded: Embedded;
  /** Said of the pictures: how they were made small, how many were left out. */
  readonly notes: readonly string[];
}

const KINDS = { inpaint: 'Restoration', detect: 'Detection' } as const;

export function reportPage(input: ReportInput): Promise<string> {
  const { results, title } = input;
  const sections = casesOf(results.results).map((rows, i) => caseSection(rows, i, input));
  const metric = mainMetric(results);
  const body = html`<a class="skip" href="#main">To the results</a>
<header><h1>${title}</h1>${facts(input)}${!results.complete && html`<p class="warning"><strong>Not complete:</strong> trials are missing. The same command with --resume goes on.</p>`}</header>
<nav aria-label="Contents"><ul><li><a href="#overview">Overview</a></li>${casesOf(results.results).map((rows, i) => html`<li><a href="#case-${i}">${rows[0].case}</a></li>`)}<li><a href="#settings">Settings</a></li></ul></nav>
<main id="main">
<section aria-labelledby="overview"><h2 id="overview">Overview</h2>
${results.results.length > 0 ? overviewTable(results.results, metric) : html`<p>There are no results yet.</p>`}
<details><summary>What the numbers are</summary>${legend(results.results)}<p>Intervals are of 95 %, by a bootstrap over the pictures. The last column of a case's table compares two methods on the same pictures, which is surer than comparing their intervals.</p></details>
${noteLists([...results.notes, ...input.notes], results.failed)}</section>
${sections}
${settings(input)}
</main>
<footer><p>Made by rgi ${results.versions.rgi ?? ''} from results.json and the trials beside it, which hold every number of this page.</p></footer>`;
  return pageOf(title, body);
}

function facts({ results, trials }: ReportInput): Html {
  const images = new Set(trials.map((trial) => JSON.stringify([trial.set, trial.image]))).size;
  const sets = [...new Set(results.results.map((result) => result.set))];
  const methods = [...new Set(results.results.map((result) => result.method))];
  const generator = results.settings.generator as { file?: unknown } | undefined;
  const rows: [string, string | undefined][] = [
    ['What', `${KINDS[results.kind]} of ${images} pictures of ${sets.join(', ') || 'no set'}`],
    ['Methods', methods.join(', ') || undefined],
    ['Generator', typeof generator?.file === 'string' ? generator.file : undefined],
    ['Seed', results.settings.seed === undefined ? undefined : String(results.settings.seed)],
    ['Device', results.device],
  ];
  return factList(rows);
}

function caseSection(rows: readonly Result[], i: number, { results, trials, embedded }: ReportInput): Html {
  const [{ set, case: name }] = rows;
  const own = trials.filter((trial) => trial.set === set && trial.case === name);
  const methods = [...new Set(results.results.map((result) => result.method))];
  const metric = mainMetric({ ...results, results: rows });
  const seed = typeof results.settings.seed === 'number' ? results.settings.seed : 0;
  const charts = chartsOf(rows, own, methods);
  const cards = gallery(own, metric, embedded);
  const searches = ways(own, embedded);
  const further = furtherTable(rows);
  return html`<section aria-labelledby="case-${i}"><h2 id="case-${i}">${name} <span class="soft">(${set})</span></h2>
${caseTable(rows, own, metric, seed)}
${further && html`<details><summary>Further scores</summary>${further}</details>`}
${charts.length > 0 && html`<h3>Curves</h3><div class="charts">${charts}</div>`}
${cards && html`<h3>Pictures</h3>${cards}`}
${searches && html`<h3>The way of the search</h3>${searches}`}
</section>
`;
}

function settings({ results }: ReportInput): Html {
  return html`<section aria-labelledby="settings"><h2 id="settings">Settings, to repeat it</h2>
<pre>${results.command}</pre>
${settingBlock('Data, generator, cases', results.settings)}
${settingBlock('The methods as they were resolved', results.methods)}
${settingBlock('Versions', { ...results.versions, device: results.device })}
</section>`;
}

/** The metric that overviews show and pictures are sorted by: the first of these that there is. */
function mainMetric(results: Pick<Results, 'results'>): MetricName {
  const wanted: readonly MetricName[] = ['psnr', 'pixel_auroc', 'image_auroc', 'seconds'];
  return wanted.find((metric) => results.results.some((row) => headline(row, metric) !== undefined)) ?? 'psnr';
}

function casesOf(results: readonly Result[]): Result[][] {
  const cases = new Map<string, Result[]>();
  for (const result of results) {
    const key = JSON.stringify([result.set, result.case]);
    cases.set(key, [...(cases.get(key) ?? []), result]);
  }
  return [...cases.values()];
}

/** The title of an evaluation that was given none. */
export function titleOf({ kind, results }: Results): string {
  const sets = [...new Set(results.map((result) => result.set))];
  return `${KINDS[kind]}${sets.length > 0 ? `: ${sets.join(', ')}` : ''}`;
}
