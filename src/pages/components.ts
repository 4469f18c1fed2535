/** Small parts of pages: facts, tiles of numbers, notes, settings, commands to copy. */
import { type Html, html } from './html.ts';

/** Names and values; those that are not there are left out. */
export function factList(rows: readonly (readonly [name: string, value: string | undefined])[]): Html {
  return html`<dl class="facts">${rows.flatMap(([name, value]) => (value === undefined ? [] : [html`<dt>${name}</dt><dd>${value}</dd>`]))}</dl>`;
}

/** The numbers that matter most, large, each with what it is; those that are not there are left out. */
export function tiles(numbers: readonly (readonly [label: string, value: string | undefined])[]): Html | undefined {
  const shown = numbers.filter(([, value]) => value !== undefined);
  if (shown.length === 0) return undefined;
  return html`<dl class="tiles">${shown.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Something the reader must know before all else. */
export function warning(strong: string, rest: string): Html {
  return html`<p class="warning"><strong>${strong}</strong> ${rest}</p>`;
}

/** Notes, and the files that could not be used. */
export function noteLists(
  notes: readonly string[],
  failed: readonly { readonly file: string; readonly reason: string }[],
): Html {
  const broken = failed.map(({ file, reason }) => html`<li>${file}: ${reason}</li>`);
  return html`${notes.length > 0 && html`<h3>Notes</h3><ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}${broken.length > 0 && html`<h3>Unusable pictures</h3><ul>${broken}</ul>`}`;
}

/** Something folded away under a title. */
export function folded(title: string, content: Html | readonly Html[]): Html {
  return html`<details><summary>${title}</summary>${content}</details>`;
}

/** Plain data, folded away. */
export function settingBlock(title: string, value: unknown): Html {
  return folded(title, html`<pre>${JSON.stringify(value, null, 2)}</pre>`);
}

/** Text for a terminal, with a button that copies it where scripts run. */
export function command(text: string): Html {
  return html`<div class="command"><pre>${text}</pre></div>`;
}

/** Charts side by side; undefined where there is none. */
export function chartGrid(charts: readonly (Html | undefined)[]): Html | undefined {
  const shown = charts.flatMap((chart) => chart ?? []);
  return shown.length > 0 ? html`<div class="charts">${shown}</div>` : undefined;
}
