/** The page of the experiments: what was tried, the theorems' curves, where they break, R-RGI, the relatives, the settings. */
import { selfContained } from '../report/document.ts';
import { type Html, html } from '../report/html.ts';
import { factList, settingBlock } from '../report/shell.ts';
import { STYLE } from '../report/style.ts';
import { againstLevel, alongThresholds, type Line, MEASURES, standingChart, tuningCharts } from './curves.ts';
import { ESTIMATORS, type EstimatorName } from './estimators.ts';
import type { PathCell, PathExperiment, Theory, TuningCell } from './record.ts';
import { lowestOf } from './summary.ts';
import { endTable, pathTable, relativesTable, tuningTable } from './texts.ts';

const TITLE = 'Theorems of RGI as an experiment';

export function theoryPage(theory: Theory): Promise<string> {
  const cells = theory.cells.filter((cell) => cell.kind === 'path');
  const of = (experiment: PathExperiment) => cells.filter((cell) => cell.experiment === experiment);
  const sections: readonly (readonly [id: string, title: string, content: Html | undefined])[] = [
    ['theorems', 'Theorems 1 and 2: lambda towards 0', theorems(of('path'))],
    ['fraction', 'Too much corrupted', fractions(of('fraction'))],
    ['weak', 'Corruption that hardly differs from G(z*)', weak(of('weak'))],
    ['gap', 'Off the manifold', gaps(of('gap'))],
    ['pictures', 'Pictures that were given', pictures(of('pictures'))],
    ['relatives', 'Other M-estimators', relatives(of('relatives'), of('path'))],
    ['tuning', 'R-RGI: is the gap closed, is the corruption fitted?', tuning(theory)],
  ];
  const shown = sections.filter(([, , content]) => content !== undefined);
  const body = html`<a class="skip" href="#main">To the results</a>
<header><h1>${TITLE}</h1>${facts(theory)}${!theory.complete && html`<p class="warning"><strong>Not complete:</strong> experiments are missing. The same command with --resume goes on.</p>`}</header>
<nav aria-label="Contents"><ul>${shown.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}<li><a href="#settings">Settings</a></li></ul></nav>
<main id="main">
${intro(theory)}
${shown.map(([id, title, content]) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`)}
<section aria-labelledby="settings"><h2 id="settings">Settings, to repeat it</h2><pre>${theory.command}</pre>${settingBlock('All settings', { ...theory.settings, versions: theory.versions, device: theory.device, seconds: theory.seconds })}</section>
</main>
<footer><p>Made by rgi ${theory.versions.rgi ?? ''}. theory.json and theory.csv hold the numbers of every picture.</p></footer>`;
  return selfContained({ title: TITLE, style: STYLE, body });
}

function facts({ settings, invariance, notes }: Theory): Html {
  const generator = settings.generator as { readonly file: string; readonly image: readonly number[] };
  return factList([
    ['Generator', `${generator.file}, ${generator.image.join(' x ')}`],
    ['Latents', `${String(settings.count)}, seed ${String(settings.seed)}`],
    [
      'Search',
      `${String(settings.starts)} starts out of ${String(settings.pool)}, ${String(settings.steps)} steps at each threshold`,
    ],
    ['Errors of z', invariance.sentence],
    ...notes.map((note) => ['Note', note] as const),
  ]);
}

function intro({ settings }: Theory): Html {
  return html`<section aria-labelledby="what"><h2 id="what">What is tried</h2>
<p>RGI minimises L((1-M)x, (1-M)G(z)) + lambda ||M|| over z and M. Its theorems say: where x = G(z*) but for a corrupted region, where z* leaves the fewest mismatched pixels, where every corrupted pixel differs from G(z*), and where the minimum is the global one, z and M go to z* and M* as lambda goes to 0.</p>
<p>Here z* is drawn, G(z*) corrupted with a known mask, and lambda lowered step by step. It is given as the residual, in grey levels of 255, at which a pixel starts to be masked. ${String(settings.starts)} searches run side by side, begun at robustly chosen latents, the k-th at the k-th threshold; the one of the lowest objective counts (<em>found</em>). No search can be known to be global, so one more begins at z* at each threshold: where it ends lower, the others sit in a local minimum or were not followed to the end of a flat valley, and the theorem is not to blame. <em>Lowest known</em> is the lower of both: what the theorems speak of.</p>
<p>Lines are medians over the latents, bands the quartiles; errors of the image are RMS of G(z) minus the clean picture in grey levels; those of z are relative to ||z*||; ||M - M*|| is the mean over the pixels.</p></section>`;
}

function theorems(cells: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const cases = [...new Set(cells.map((cell) => cell.case))];
  return html`<h3>At the end of the path</h3>${endTable(cells)}${cases.map((name) => {
    const own = cells.filter((cell) => cell.case === name);
    const lines = own.flatMap((cell, i): Line[] => [
      { label: `${label(cell)}: found`, cell, style: 2 * i },
      { label: `${label(cell)}: lowest known`, cell, style: 2 * i + 1, lowest: true, band: false },
    ]);
    return html`<h3>${caseName(name)}</h3>${charts([
      alongThresholds('Error of the image', 'RMS, grey levels', lines, MEASURES.rms, { scale: 'log' }),
      alongThresholds('Error where corrupted', 'RMS, grey levels', lines, MEASURES.inside, { scale: 'log' }),
      alongThresholds('Error of z', '||z - z*|| / ||z*||', lines, MEASURES.z, { scale: 'log' }),
      alongThresholds('Error of the mask', '||M - M*||, mean over the pixels', lines, MEASURES.distance),
      standingChart(own),
    ])}<details><summary>All errors at each threshold</summary>${own.map(pathTable)}</details>`;
  })}`;
}

function fractions(cells: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const fraction = 'share of corrupted pixels';
  return html`<p>Random pixels, N(-1,1), ${label(cells[0])}. With more than about half corrupted, z* need not leave the fewest mismatched pixels.</p>${charts(
    [
      alongThresholds(
        'Error of the image',
        'RMS, grey levels',
        byLevel(cells, (level) => `${100 * level}% corrupted`),
        MEASURES.rms,
        { scale: 'log' },
      ),
      againstLevel(
        'At the last threshold',
        fraction,
        'RMS, grey levels',
        cells,
        [
          { label: 'found', style: 0, errors: (point) => point.search, measure: MEASURES.rms },
          { label: 'lowest known', style: 1, errors: lowestOf, measure: MEASURES.rms },
        ],
        { scale: 'log' },
      ),
      againstLevel(
        'The mask at the last threshold',
        fraction,
        'share',
        cells,
        [
          { label: 'sound pixels masked', style: 0, errors: (point) => point.search, measure: MEASURES.falsePositives },
          { label: 'corrupted pixels missed', style: 1, errors: (point) => point.search, measure: MEASURES.misses },
        ],
        { yRange: [0, 1] },
      ),
    ],
  )}${endTable(cells)}`;
}

function weak(cells: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const lines = byLevel(cells, (level) => `deviation ${level}`);
  return html`<p>A block of a quarter of the picture, G(z*) + N(0, s), ${label(cells[0])}: what lies below the threshold is not masked, and pulls z.</p>${charts(
    [
      alongThresholds('Error of the image', 'RMS, grey levels', lines, MEASURES.rms, { scale: 'log' }),
      alongThresholds('Corrupted pixels missed', 'share', lines, MEASURES.misses, { yRange: [0, 1] }),
    ],
  )}${endTable(cells)}`;
}

function gaps(cells: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const lines = byLevel(cells, (level) => `gap ${level}`);
  return html`<p>A smooth random field is added to the clean picture, its standard deviation in grey levels the gap; 49% random pixels are corrupted, ${label(cells[0])}. No z leaves residual 0 now: below the gap, sound pixels are masked.</p>${charts(
    [
      alongThresholds('Error of the image', 'RMS, grey levels', lines, MEASURES.rms, { scale: 'log' }),
      alongThresholds('Sound pixels masked', 'share', lines, MEASURES.falsePositives, { yRange: [0, 1] }),
    ],
  )}${endTable(cells)}`;
}

function pictures(cells: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const lines = cells.map((cell, style): Line => ({ label: cell.case, cell, style }));
  return html`${charts([
    alongThresholds('Error of the image', 'RMS, grey levels', lines, MEASURES.rms, { scale: 'log' }),
    alongThresholds('Mask', 'IoU', lines, MEASURES.iou, { yRange: [0, 1] }),
  ])}${endTable(cells)}`;
}

const ORDER: readonly EstimatorName[] = ['rgi-l2', 'rgi-l1', 'truncated', 'rgi-huber', 'huber', 'absolute', 'squares'];

function relatives(cells: readonly PathCell[], path: readonly PathCell[]): Html | undefined {
  if (cells.length === 0) return undefined;
  const cases = [...new Set(cells.map((cell) => cell.case))];
  return html`<p>The exact mask put back, RGI is an M-estimator: squares up to the threshold and bounded beyond (a redescending loss like Geman and McClure's), or truncated absolute values. Beside it, from the same starts and with the same optimiser, on the same pictures: least squares, least absolute values, Huber's loss (which Winsorises the residuals in the normal equations), truncated squares (which Winsorise them in the loss; RGI with M in {0,1}), and Huber's loss under RGI's exact mask.</p>${cases.map(
    (name) => {
      const own = [...path, ...cells].filter((cell) => cell.case === name);
      const count = Math.min(...own.map((cell) => cell.points[0].search.length));
      const ordered = ORDER.flatMap((estimator) => own.filter((cell) => cell.estimator === estimator));
      const lines = ordered.map(
        (cell): Line => ({
          label: label(cell),
          cell,
          style: ORDER.indexOf(cell.estimator),
          first: count,
          band: false,
        }),
      );
      return html`<h3>${caseName(name)}</h3>${charts([
        alongThresholds('Error of the image', 'RMS, grey levels', lines, MEASURES.rms, { scale: 'log' }),
        alongThresholds('Error of z', '||z - z*|| / ||z*||', lines, MEASURES.z, { scale: 'log' }),
      ])}${relativesTable(ordered, count)}`;
    },
  )}`;
}

function tuning({ cells }: Theory): Html | undefined {
  const own = cells.filter((cell) => cell.kind === 'tuning');
  if (own.length === 0) return undefined;
  const groups = new Map<string, TuningCell[]>();
  for (const cell of own) {
    const key = `${cell.gap} ${cell.level}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return html`<p>The clean picture is G(z*) plus a smooth field, or made by a G whose weights were perturbed. The default search (RGI) comes first; then the weights move at a constant rate. Block of a quarter, N(-1,1).</p>${[...groups.values()].map((group) => html`<h3>${gapName(group[0])}</h3>${charts(tuningCharts(group))}`)}${tuningTable(own)}`;
}

function gapName({ gap, level, gapGrey }: TuningCell): string {
  const how = gap === 'smooth' ? `a smooth field of ${level} grey levels` : `weights perturbed by ${100 * level}%`;
  return `Gap: ${how} (RMS to G(z*): ${gapGrey.toPrecision(2)})`;
}

function byLevel(cells: readonly PathCell[], name: (level: number) => string): Line[] {
  return cells.map((cell, style): Line => ({ label: name(cell.level ?? 0), cell, style, band: false }));
}

function label({ estimator }: PathCell): string {
  return ESTIMATORS[estimator].label;
}

const CASE_NAMES: Readonly<Record<string, string>> = {
  block: 'Central block, 25%, N(-1,1)',
  random: 'Random pixels, 49%, N(-1,1)',
  irregular: 'Free-form strokes, 15 to 30%, N(-1,1)',
};

function caseName(name: string): string {
  return CASE_NAMES[name] ?? name;
}

function charts(all: readonly (Html | undefined)[]): Html {
  return html`<div class="charts">${all.flatMap((chart) => chart ?? [])}</div>`;
}
