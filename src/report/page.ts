/** One self-contained page about an evaluation: an overview, a section per case, the settings. */
import { headline } from '../evaluate/aggregate.ts';
import type { MetricName } from '../evaluate/metrics.ts';
import type { Result, Results, TrialRecord } from '../evaluate/record.ts';
import { chartGrid, command, factList, folded, noteLists, settingBlock, tiles, warning } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import { pageHead, pageOf, type Section } from '../pages/shell.ts';
import { chartsOf } from './curves.ts';
import { type Embedded, gallery, trajectories } from './pictures.ts';
import { caseTable, furtherTable, legend, overviewTable } from './tables.ts';

export interface ReportInput {
  readonly title: string;
  readonly results: Results;
  readonly trials: readonly TrialRecord[];
  readonly embedded: Embedded;
  /** About the pictures: how they were compressed, how many were left out. */
  readonly notes: readonly string[];
}

const KINDS = { inpaint: 'Restoration', detect: 'Detection' } as const;

export function reportPage(input: ReportInput): Promise<string> {
  const { results, title } = input;
  const cases = casesOf(results.results);
  const unfinished =
    !results.complete && warning('Not complete:', 'trials are missing. The same command with --resume adds them.');
  return pageOf({
    title,
    kind: 'evaluation',
    head: pageHead(title, unfinished, headTiles(input), facts(input)),
    sections: [overview(input), ...cases.map((rows, i) => caseSection(rows, i, input)), settings(input)],
    footer: html`<p>Made by rgi ${results.versions.rgi ?? ''} from results.json and the trials beside it, which hold every number of this page.</p>`,
  });
}

function overview({ results, notes }: ReportInput): Section {
  const content =
    results.results.length > 0
      ? overviewTable(results.results, mainMetric(results))
      : html`<p>There are no results yet.</p>`;
  const about = html`${legend(results.results)}<p>Intervals are of 95 %, by a bootstrap over the pictures. The last column of a case's table compares two methods on the same pictures, which is surer than comparing their intervals.</p>`;
  return {
    id: 'overview',
    title: 'Overview',
    content: html`${content}${folded('Definitions', about)}${noteLists([...results.notes, ...notes], results.failed)}`,
  };
}

/** How much there is of everything. */
function headTiles({ results: { results }, trials }: ReportInput): Html | undefined {
  if (results.length === 0) return undefined;
  const count = (values: readonly string[]) => String(new Set(values).size);
  return tiles([
    ['pictures', count(trials.map((trial) => JSON.stringify([trial.set, trial.image])))],
    ['cases', String(casesOf(results).length)],
    ['methods', count(results.map((result) => result.method))],
    ['trials', String(trials.length)],
  ]);
}

function facts({ results }: ReportInput): Html {
  const sets = [...new Set(results.results.map((result) => result.set))];
  const methods = [...new Set(results.results.map((result) => result.method))];
  const generator = results.settings.generator as { file?: unknown } | undefined;
  return factList([
    ['What', `${KINDS[results.kind]}${sets.length > 0 ? ` of ${sets.join(', ')}` : ''}`],
    ['Methods', methods.join(', ') || undefined],
    ['Generator', typeof generator?.file === 'string' ? generator.file : undefined],
    ['Seed', results.settings.seed === undefined ? undefined : String(results.settings.seed)],
    ['Device', results.device],
  ]);
}

function caseSection(rows: readonly Result[], i: number, { results, trials, embedded }: ReportInput): Section {
  const [{ set, case: name }] = rows;
  const own = trials.filter((trial) => trial.set === set && trial.case === name);
  const methods = [...new Set(results.results.map((result) => result.method))];
  const metric = mainMetric({ ...results, results: rows });
  const seed = typeof results.settings.seed === 'number' ? results.settings.seed : 0;
  const charts = chartGrid(chartsOf(rows, own, methods, metric));
  const cards = gallery(own, metric, embedded);
  const searches = trajectories(own, embedded);
  const further = furtherTable(rows);
  return {
    id: `case-${i}`,
    title: html`${name} <span class="soft">(${set})</span>`,
    short: name,
    content: html`${caseTable(rows, own, metric, seed)}
${further && folded('Further scores', further)}
${charts && html`<h3>Charts</h3>${charts}`}
${cards && html`<h3>Pictures</h3>${cards}`}
${searches && html`<h3>Trajectories of the searches</h3>${searches}`}
`,
  };
}

function settings({ results }: ReportInput): Section {
  return {
    id: 'settings',
    title: 'Settings, to repeat it',
    short: 'Settings',
    content: html`${command(results.command)}
${settingBlock('Data, generator, cases', results.settings)}
${settingBlock('The methods as they were resolved', results.methods)}
${settingBlock('Versions', { ...results.versions, device: results.device })}
`,
  };
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
