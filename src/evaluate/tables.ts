/** Results as text: `results.csv` (long: a row per metric) and `results.md` (a table per set and case, best in bold). */

import { escapeControls } from '../errors.ts';
import { csvText } from '../jobs/document.ts';
import { bestOf, shownOf } from './aggregate.ts';
import { factsOf, METRIC_NAMES, type MetricName } from './metrics.ts';
import type { Pooled, Result, Results } from './record.ts';
import type { Interval, Summary } from './statistics.ts';

const COLUMNS = [
  'set',
  'case',
  'method',
  'mask_given',
  'metric',
  'statistic',
  'n',
  'mean',
  'mean_low',
  'mean_high',
  'median',
  'median_low',
  'median_high',
] as const;

export function csvOf(results: Pick<Results, 'results'>): string {
  const rows = results.results.flatMap((result) =>
    metricsOf([result]).map((metric) => {
      const value = result.metrics[metric]!;
      const start = [result.set, result.case, result.method, String(result.maskGiven), metric];
      if ('pooled' in value) return [...start, 'pooled', value.n, value.pooled, '', '', '', '', ''];
      const interval = (pair: Interval | null) => pair ?? ['', ''];
      return [
        ...start,
        'per picture',
        value.n,
        value.mean,
        ...interval(value.meanInterval),
        value.median,
        ...interval(value.medianInterval),
      ];
    }),
  );
  return csvText([COLUMNS, ...rows]);
}

export function markdownOf(results: Results): string {
  const parts = [`# Evaluation: ${results.kind}`, ''];
  if (!results.complete)
    parts.push('**Incomplete: trials are missing.** Run the same command with `--resume` to continue.', '');
  parts.push(
    'Each number is a median over the pictures, or a mean where its name says so. Brackets: 95% bootstrap interval over the pictures.',
    'Numbers without brackets are pooled over all pixels or pictures. Bold: the best of a column; methods with the true mask given are compared separately.',
    '',
  );
  for (const [title, rows] of tablesOf(results.results))
    parts.push(`## ${markdownText(title)}`, '', ...markdownTable(rows), '');
  const used = metricsOf(results.results);
  parts.push(
    '## Definitions',
    '',
    ...used.map((metric) => `- **${factsOf(metric).label}**: ${factsOf(metric).about}`),
    '',
  );
  if (results.notes.length > 0)
    parts.push('## Notes', '', ...results.notes.map((note) => `- ${markdownText(note)}`), '');
  if (results.failed.length > 0) {
    parts.push(
      '## Unusable pictures',
      '',
      ...results.failed.map(({ file, reason }) => `- ${markdownText(file)}: ${markdownText(reason)}`),
      '',
    );
  }
  parts.push('## How to repeat it', '', fence(results.command), '');
  return parts.join('\n');
}

/** Rows by set and case, with a title each. */
export function tablesOf(results: readonly Result[]): Map<string, Result[]> {
  const tables = new Map<string, Result[]>();
  for (const result of results) {
    const title = `${result.set}: ${result.case}`;
    tables.set(title, [...(tables.get(title) ?? []), result]);
  }
  return tables;
}

/** The metrics that any of the rows has, in the order of the catalogue. */
export function metricsOf(rows: readonly Result[]): MetricName[] {
  return METRIC_NAMES.filter((metric) => rows.some((row) => row.metrics[metric] !== undefined));
}

export interface Cell {
  /** "19.70", or "" where there is none. */
  readonly value: string;
  /** "18.9 to 20.1", or "". */
  readonly interval: string;
}

/** A metric as tables show it. */
export function cellOf(value: Summary | Pooled | undefined, metric: MetricName): Cell {
  if (value === undefined) return { value: '', interval: '' };
  const { digits } = factsOf(metric);
  const shown = shownOf(value, metric);
  const interval = shown.interval?.map((bound) => bound.toFixed(digits)).join(' to ') ?? '';
  return { value: shown.value.toFixed(digits), interval };
}

function markdownTable(rows: readonly Result[]): string[] {
  const metrics = metricsOf(rows);
  const best = new Map(
    metrics.map((metric) => [metric, bestOf(rows, metric, factsOf(metric).better, factsOf(metric).digits)]),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const title = (metric: MetricName) => {
    const { label, unit } = factsOf(metric);
    return unit === undefined ? label : `${label} (${unit})`;
  };
  return [
    line(['Method', 'Mask given', 'n', ...metrics.map(title)]),
    line(['---', '---', '---:', ...metrics.map(() => '---:')]),
    ...rows.map((row) =>
      line([
        markdownText(row.method),
        row.maskGiven ? 'yes' : 'no',
        row.diverged > 0 ? `${row.n} (${row.diverged} diverged)` : String(row.n),
        ...metrics.map((metric) => {
          const { value, interval } = cellOf(row.metrics[metric], metric);
          const strong = best.get(metric)!.has(row) ? `**${value}**` : value;
          return interval === '' ? strong : `${strong} [${interval}]`;
        }),
      ]),
    ),
  ];
}

function markdownText(text: string): string {
  return escapeControls(text)
    .replace(/[\\`*_{}[\]<>#|~]/g, '\\$&')
    .replace(/\s+/g, ' ');
}

/** A code block whose fence is longer than any run of backticks inside. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const ticks = '`'.repeat(longest + 1);
  return `${ticks}sh\n${text}\n${ticks}`;
}
