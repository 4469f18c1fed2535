/** Tables that are sorted by a click on a column's head, and scroll by themselves where a screen is narrow. */
import { type Html, html } from './html.ts';

export interface Table {
  readonly name: string;
  /** Stands before the table, where it is not scrolled away with it. */
  readonly about?: string;
  /** Cells, or the texts of column heads. */
  readonly head: readonly (Html | string)[];
  readonly rows: readonly Html[];
}

export function table({ name, about, head, rows }: Table): Html {
  const heads = head.map((one) => (typeof one === 'string' ? html`<th scope="col">${one}</th>` : one));
  return html`${about && html`<p class="soft">${about}</p>`}
<div class="scroll" role="group" tabindex="0" aria-label="${name}"><table class="sortable" aria-label="${name}">
<thead><tr>${heads}</tr></thead>
<tbody>${rows}</tbody></table></div>
`;
}

/** A row of cells, its first the row's head. */
export function tableRow(first: string | Html, cells: readonly Html[]): Html {
  return html`<tr><th scope="row">${first}</th>${cells}</tr>`;
}

/** A column of texts is aligned left, head and cells. */
export function textHead(text: string): Html {
  return html`<th scope="col" class="text">${text}</th>`;
}

export function textCell(text: string | Html): Html {
  return html`<td class="text">${text}</td>`;
}

/** `shown` in place of the number where it is given; empty where there is no number. */
export function numberCell(value: number | undefined, shown: string | Html): Html {
  return value === undefined ? EMPTY : html`<td data-value="${value}">${shown}</td>`;
}

export const EMPTY = html`<td><span aria-hidden="true">–</span><span class="hidden">none</span></td>`;

/** What stands small below a number, such as its interval. */
export function below(text: string | undefined): Html | undefined {
  return text ? html`<span class="interval">${text}</span>` : undefined;
}

/** A share from 0 to 1 in percent, three digits. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}%`;
}
