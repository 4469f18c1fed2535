/**
 * Line charts as SVG, drawn once: readable in light and dark (colours are the page's), lines told apart by dashes and
 * marks too, and the numbers in a table for who cannot see them.
 */
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

const SIZE = { width: 520, height: 300, left: 58, right: 12, top: 14, bottom: 44 } as const;

export const STYLES = 8;

const DASHES = ['', '7 4', '2 3', '9 3 2 3', '12 4', '4 2', '1 4', '10 2 2 2 2 2'];

/** A figure with title, chart, key and table of values; undefined where there is nothing to draw. */
export function lineChart(chart: Chart): Html | undefined {
  const log = chart.scale === 'log';
  const logX = chart.xScale === 'log';
  const series = chart.series
    .map((one) => ({
      ...one,
      points: one.points.filter(([x, y]) => [x, y].every(Number.isFinite) && (!log || y > 0) && (!logX || x > 0)),
      band: one.band?.filter(([x, low, high]) => [x, low, high].every(Number.isFinite) && (!log || low > 0)),
    }))
    .filter((one) => one.points.length > 0);
  if (series.length === 0) return undefined;
  const xs = series.flatMap((one) => one.points.map(([x]) => x));
  const ys = series
    .flatMap((one) => [...one.points.map(([, y]) => y), ...(one.band ?? []).flatMap(([, low, high]) => [low, high])])
    .concat(chart.reference ? [chart.reference.y] : []);
  const xRange = chart.xRange ?? [minOf(xs), maxOf(xs)];
  const yTicks = log ? logTicks(minOf(ys), maxOf(ys)) : linearTicks(...(chart.yRange ?? [minOf(ys), maxOf(ys)]));
  const xTicks = (logX ? logTicks : linearTicks)(...xRange).filter(
    (t) => t >= xRange[0] - 1e-9 && t <= xRange[1] + 1e-9,
  );
  const yRange: [number, number] = [Math.min(yTicks[0], minOf(ys)), Math.max(yTicks[yTicks.length - 1], maxOf(ys))];
  const position = (x: number) => (logX ? Math.log10(x) : x);
  const along = scaleTo([position(xRange[0]), position(xRange[1])], [SIZE.left, SIZE.width - SIZE.right]);
  const x = (value: number) => along(position(value));
  const value = (y: number) => (log ? Math.log10(y) : y);
  const y = scaleTo([value(yRange[0]), value(yRange[1])], [SIZE.height - SIZE.bottom, SIZE.top]);
  const at = (number: number) => number.toFixed(1);
  const grid = yTicks.map((t) => {
    const h = at(y(value(t)));
    return html`<line class="grid" x1="${SIZE.left}" x2="${SIZE.width - SIZE.right}" y1="${h}" y2="${h}"/><text x="${SIZE.left - 6}" y="${at(y(value(t)) + 4)}" text-anchor="end">${tickText(t)}</text>`;
  });
  const marks = xTicks.map(
    (t) => html`<text x="${at(x(t))}" y="${SIZE.height - SIZE.bottom + 17}" text-anchor="middle">${tickText(t)}</text>`,
  );
  const lines = series.map((one) => {
    const path = one.points.map(([a, b], i) => `${i ? 'L' : 'M'}${at(x(a))} ${at(y(value(b)))}`).join('');
    const every = Math.max(1, Math.floor(one.points.length / 4));
    const shapes = one.points
      .filter((_, i) => i % every === Math.floor(every / 2) || one.points.length === 1)
      .map(([a, b]) => mark(one.style, x(a), y(value(b))));
    const range = one.band ?? [];
    const band = [
      ...range.map(([a, , high]) => `${at(x(a))},${at(y(value(high)))}`),
      ...range.toReversed().map(([a, low]) => `${at(x(a))},${at(y(value(low)))}`),
    ].join(' ');
    return html`<g class="s${one.style % STYLES}">${band !== '' && html`<polygon class="band" points="${band}"/>`}<path class="line" d="${path}" stroke-dasharray="${DASHES[one.style % STYLES]}"/>${shapes}</g>`;
  });
  const level = chart.reference;
  const reference =
    level &&
    html`<line class="reference" x1="${SIZE.left}" x2="${SIZE.width - SIZE.right}" y1="${at(y(value(level.y)))}" y2="${at(y(value(level.y)))}"/><text x="${SIZE.width - SIZE.right}" y="${at(y(value(level.y)) - 5)}" text-anchor="end">${level.label}</text>`;
  return html`<figure class="chart">
<figcaption>${chart.title}</figcaption>
<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${chart.title}. ${chart.yLabel} against ${chart.xLabel}; the values are in the table below.">
${grid}${marks}<text x="${(SIZE.left + SIZE.width - SIZE.right) / 2}" y="${SIZE.height - 6}" text-anchor="middle">${chart.xLabel}</text>${reference}${lines}
</svg>
<ul class="key">${series.map((one) => html`<li>${keyOf(one.style)}${one.label}</li>`)}</ul>
<details><summary>Values: ${chart.yLabel}</summary>${valueTable(chart, series)}</details>
</figure>
`;
}

/** A short piece of a series' line, for keys. */
function keyOf(style: number): Html {
  return html`<svg class="s${style % STYLES}" viewBox="0 0 36 12" width="36" height="12" aria-hidden="true"><path class="line" d="M0 6L36 6" stroke-dasharray="${DASHES[style % STYLES]}"/>${mark(style, 18, 6)}</svg>`;
}

/** Circle, square, diamond, triangle; filled for the first four styles, open for the others. */
function mark(style: number, x: number, y: number): Html {
  const place = (points: readonly (readonly [number, number])[]) =>
    points.map(([a, b]) => `${(x + a).toFixed(1)},${(y + b).toFixed(1)}`).join(' ');
  const shape = style % 4;
  const filled = style % STYLES < 4 ? 'mark' : 'mark open';
  if (shape === 0) return html`<circle class="${filled}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5"/>`;
  const corners: readonly (readonly [number, number])[][] = [
    [
      [-3.2, -3.2],
      [3.2, -3.2],
      [3.2, 3.2],
      [-3.2, 3.2],
    ],
    [
      [0, -4.5],
      [4.5, 0],
      [0, 4.5],
      [-4.5, 0],
    ],
    [
      [0, -4],
      [4, 3.4],
      [-4, 3.4],
    ],
  ];
  return html`<polygon class="${filled}" points="${place(corners[shape - 1])}"/>`;
}

/** At most nine of the series' steps; each series' nearest earlier value. */
function valueTable(chart: Chart, series: readonly Series[]): Html {
  const all = [...new Set(series.flatMap((one) => one.points.map(([x]) => x)))].sort((a, b) => a - b);
  const count = Math.min(9, all.length);
  const rows = Array.from(
    { length: count },
    (_, i) => all[Math.round((i * (all.length - 1)) / Math.max(1, count - 1))],
  );
  const valueAt = (one: Series, x: number) => {
    const before = one.points.filter(([a]) => a <= x).at(-1);
    return before && x <= one.points[one.points.length - 1][0] ? Number(before[1].toPrecision(3)).toString() : '';
  };
  return html`<div class="scroll"><table><thead><tr><th scope="col">${chart.xLabel}</th>${series.map((one) => html`<th scope="col">${one.label}</th>`)}</tr></thead><tbody>${rows.map(
    (x) => html`<tr><th scope="row">${tickText(x)}</th>${series.map((one) => html`<td>${valueAt(one, x)}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function scaleTo([a, b]: readonly [number, number], [c, d]: readonly [number, number]): (v: number) => number {
  return (v) => (b > a ? c + ((v - a) / (b - a)) * (d - c) : (c + d) / 2);
}

/** Round numbers that cover the range, about five of them. */
export function linearTicks(low: number, high: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((f) => f * power >= rough * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten that cover the range; where they are few, other round numbers between. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  const decades = last - first;
  const steps = decades > 2 ? [1] : high / low > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const stride = Math.max(1, Math.ceil(decades / 6));
  const ticks: number[] = [];
  for (let e = first; e <= last; e += stride) for (const m of steps) ticks.push(Number((m * 10 ** e).toPrecision(3)));
  const inside = ticks.filter((t) => t >= low * 0.999 && t <= high * 1.001);
  return inside.length >= 2 ? inside : [10 ** first, 10 ** Math.max(last, first + 1)];
}

function tickText(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5))
    return value.toExponential(0).replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}

function minOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function maxOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
