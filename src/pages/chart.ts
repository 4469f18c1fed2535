/**
 * Charts as SVG, drawn once by Observable Plot: readable in light and dark, since colours are the page's. Lines differ by
 * dashes and marks too, and the numbers stand in a table for readers who cannot see the lines.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom/worker';
import { type Html, html } from './html.ts';

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Which of the eight line styles; the same method has the same one everywhere. */
  readonly style: number;
  /** A range around the line (quartiles), drawn as a band: low and high at x. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly scale?: 'linear' | 'log';
  readonly xScale?: 'linear' | 'log';
  /** Fixed axes, for rates. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** A level to compare with. */
  readonly reference?: { readonly label: string; readonly y: number };
}

/** Values with their intervals, one row each, on a common axis. */
export interface DotChart {
  readonly title: string;
  readonly xLabel: string;
  readonly rows: readonly {
    readonly label: string;
    readonly value: number;
    readonly interval?: readonly [low: number, high: number];
    readonly style: number;
  }[];
}

/** Line styles; further series begin again with the first. */
export const STYLES = 8;

const DASHES = ['', '7 4', '2 3', '9 3 2 3', '12 4', '4 2', '1 4', '10 2 2 2 2 2'];
const SYMBOLS = ['circle', 'square', 'diamond', 'triangle'] as const;

const WIDTH = 440;
const HEIGHT = 264;

/** Around text, so that it can be read above a line. */
const HALO = { fill: 'var(--text)', stroke: 'var(--paper)', strokeWidth: 4 };

/** Up to this many points of a line each get a mark; of more, four do. */
const MAX_MARKED = 12;

/** Rows of the table of values, at most. */
const MAX_ROWS = 9;

// The drawing needs a document to make elements with; this one is the same in Node and in a browser.
const { document } = parseHTML('<html></html>');

/** A figure with title, chart, key and table of values; undefined where there is nothing to draw. */
export function lineChart(chart: Chart): Html | undefined {
  const series = drawable(chart);
  if (series.length === 0) return undefined;
  const { reference } = chart;
  const svg = draw(chart.title, `${chart.yLabel} against ${chart.xLabel}; the values are in the table below.`, {
    height: HEIGHT,
    marginLeft: 56,
    x: { ...axis(chart.xScale, chart.xRange), label: chart.xLabel, labelAnchor: 'center', labelArrow: 'none' },
    y: { ...axis(chart.scale, chart.yRange), nice: chart.scale !== 'log' && !chart.yRange, label: null, grid: true },
    marks: [
      ...series.flatMap(linesOf),
      ...(reference
        ? [
            Plot.ruleY([reference.y], { strokeDasharray: '3 3' }),
            Plot.text([reference.label], { y: reference.y, frameAnchor: 'right', textAnchor: 'end', dy: -8, ...HALO }),
          ]
        : []),
    ],
  });
  return html`<figure class="chart"><figcaption>${chart.title}<span class="unit">${chart.yLabel}</span></figcaption>
${svg}
${(series.length > 1 || reference) && html`<ul class="key">${series.map((one) => html`<li>${keyOf(one.style)}${one.label}</li>`)}</ul>`}
<details><summary>Values<span class="hidden">: ${chart.title}</span></summary>${valueTable(chart, series)}</details></figure>
`;
}

/** Values with intervals as a figure; undefined where there is nothing to draw. */
export function dotChart({ title, xLabel, rows: all }: DotChart): Html | undefined {
  const rows = all.filter((row) => Number.isFinite(row.value));
  if (rows.length === 0) return undefined;
  const widest = rows.reduce((most, { label }) => Math.max(most, label.length), 0);
  // Names of any length, and of any two rows the same: rows are placed by number.
  const svg = draw(title, `${xLabel} of each row with its interval; the values are in the table.`, {
    height: 56 + 26 * rows.length,
    marginLeft: Math.min(220, 16 + 7 * widest),
    x: { label: xLabel, labelAnchor: 'center', labelArrow: 'none', nice: true, grid: true, tickFormat: tickText },
    y: {
      label: null,
      type: 'point',
      domain: rows.map((_, i) => i),
      tickFormat: (i: number) => shortened(rows[i].label, 28),
      tickSize: 0,
    },
    marks: rows.flatMap(({ value, interval, style }, i) => [
      ...(interval
        ? [Plot.ruleY([i], { y: i, x1: interval[0], x2: interval[1], stroke: ink(style), strokeWidth: 2 })]
        : []),
      Plot.dot([i], { y: i, x: value, r: 4.5, ...shapeOf(style) }),
    ]),
  });
  return html`<figure class="chart"><figcaption>${title}</figcaption>
${svg}</figure>
`;
}

/** Series without what cannot be drawn: no infinities, and on a logarithmic axis no zero. */
function drawable({ series, scale, xScale }: Chart): Series[] {
  const on = (kind: Chart['scale'], ...values: readonly number[]) =>
    values.every((value) => Number.isFinite(value) && (kind !== 'log' || value > 0));
  return series
    .map((one) => ({
      ...one,
      points: one.points.filter(([x, y]) => on(xScale, x) && on(scale, y)),
      band: one.band?.filter(([x, low, high]) => on(xScale, x) && on(scale, low, high)),
    }))
    .filter((one) => one.points.length > 0);
}

function axis(scale: Chart['scale'] = 'linear', domain?: readonly [number, number]): Plot.ScaleOptions {
  return { type: scale, tickFormat: tickText, ticks: 5, ...(domain ? { domain } : {}) };
}

function linesOf({ label, points, band, style }: Series): Plot.Markish[] {
  const every = points.length <= MAX_MARKED ? 1 : Math.floor(points.length / 4);
  const marked = points.filter((_, i) => i % every === Math.floor(every / 2));
  const title = ([x, y]: readonly [number, number]) => `${label}: ${tickText(y)} at ${tickText(x)}`;
  const [x, y] = [([a]: readonly number[]) => a, ([, b]: readonly number[]) => b];
  return [
    ...(band && band.length > 1
      ? [Plot.areaY(band, { x, y1: y, y2: ([, , high]) => high, fill: ink(style), fillOpacity: 0.14 })]
      : []),
    Plot.line(points, { x, y, stroke: ink(style), strokeWidth: 2, strokeDasharray: dashesOf(style) }),
    Plot.dot(marked, { x, y, r: 3.5, title, ...shapeOf(style) }),
  ];
}

const ink = (style: number) => `var(--s${style % STYLES})`;
const dashesOf = (style: number) => DASHES[style % STYLES] || undefined;

/** Circle, square, diamond, triangle; filled for the first four styles, open for the others. */
function shapeOf(style: number): Plot.DotOptions {
  const filled = style % STYLES < SYMBOLS.length;
  return { symbol: SYMBOLS[style % SYMBOLS.length], stroke: ink(style), fill: filled ? ink(style) : 'var(--paper)' };
}

/** A short piece of a series' line, for keys. */
function keyOf(style: number): Html {
  const middle = { x: 18, y: 6 };
  const fixed = { domain: [0, 36], range: [0, 36], axis: null };
  return svgText(
    Plot.plot({
      document,
      ...{ width: 36, height: 12, margin: 0 },
      x: fixed,
      y: { domain: [0, 12], range: [0, 12], axis: null },
      marks: [
        Plot.line(
          [
            [0, 6],
            [36, 6],
          ],
          { stroke: ink(style), strokeWidth: 2, strokeDasharray: dashesOf(style) },
        ),
        Plot.dot([middle], { ...middle, r: 3.5, ...shapeOf(style) }),
      ],
    }),
    { 'aria-hidden': 'true' },
  );
}

function draw(title: string, about: string, options: Plot.PlotOptions): Html {
  const svg = Plot.plot({ document, width: WIDTH, marginBottom: 42, marginRight: 16, ...options });
  return svgText(svg, { role: 'img', 'aria-label': `${title}. ${about}` });
}

/** Plot's own style element goes: the page's policy allows one style only, and that has these rules. */
function svgText(drawn: Element, attributes: Readonly<Record<string, string>>): Html {
  for (const style of drawn.querySelectorAll('style')) style.remove();
  // The drawing is one picture with one name: names of its parts would be read one by one.
  for (const part of drawn.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value);
  // Ticks without a label, and digits of coordinates that nobody sees.
  const short = drawn.outerHTML
    .replace(/<text[^>]*\/>/g, '')
    .replace(/="[^"]*"/g, (value) => value.replace(/(\.\d\d)\d+/g, '$1'));
  return { html: short };
}

/** At most nine of the series' steps; each series' nearest earlier value. */
function valueTable({ title, xLabel }: Chart, series: readonly Series[]): Html {
  const all = [...new Set(series.flatMap((one) => one.points.map(([x]) => x)))].sort((a, b) => a - b);
  const count = Math.min(MAX_ROWS, all.length);
  const rows = Array.from(
    { length: count },
    (_, i) => all[Math.round((i * (all.length - 1)) / Math.max(1, count - 1))],
  );
  const valueAt = (one: Series, x: number) => {
    const before = one.points.filter(([a]) => a <= x).at(-1);
    return before && x <= one.points[one.points.length - 1][0] ? Number(before[1].toPrecision(3)).toString() : '';
  };
  return html`<div class="scroll" role="group" tabindex="0" aria-label="Values: ${title}"><table><thead><tr><th scope="col">${xLabel}</th>${series.map((one) => html`<th scope="col">${one.label}</th>`)}</tr></thead><tbody>${rows.map(
    (x) => html`<tr><th scope="row">${tickText(x)}</th>${series.map((one) => html`<td>${valueAt(one, x)}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** A number as an axis says it: four digits, powers of ten for very small and large ones. */
export function tickText(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5))
    return value.toExponential(0).replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}\u2026` : text;
}
