/** What the pages of evaluations and runs have in common. */
import { selfContained } from './document.ts';
import { type Html, html } from './html.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

export function pageOf(title: string, body: Html): Promise<string> {
  return selfContained({ title, style: STYLE, script: SCRIPT, body });
}

/** Names and values; those that are not there are left out. */
export function factList(rows: readonly (readonly [name: string, value: string | undefined])[]): Html {
  return html`<dl class="facts">${rows.flatMap(([name, value]) => (value === undefined ? [] : [html`<dt>${name}</dt><dd>${value}</dd>`]))}</dl>`;
}

/** Notes, and the files that could not be used. */
export function noteLists(
  notes: readonly string[],
  failed: readonly { readonly file: string; readonly reason: string }[],
): Html {
  const broken = failed.map(({ file, reason }) => html`<li>${file}: ${reason}</li>`);
  return html`${notes.length > 0 && html`<h3>Notes</h3><ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}${broken.length > 0 && html`<h3>Pictures that could not be used</h3><ul>${broken}</ul>`}`;
}

/** Plain data, folded away. */
export function settingBlock(title: string, value: unknown): Html {
  return html`<details><summary>${title}</summary><pre>${JSON.stringify(value, null, 2)}</pre></details>`;
}
