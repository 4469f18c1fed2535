/** Documents that are derived from a journal: JSON, those with a long list made piece by piece, and CSV. */
import { escapeControls } from '../errors.ts';

/** Indented JSON, lists of numbers on one line each. Strings hold no raw newlines, so only lists can match. */
export function jsonText(value: unknown): string {
  return `${indented(value)}\n`;
}

/** One of many JSON documents, on a line of its own. */
export function jsonLine(value: unknown): string {
  return `${escapedJson(JSON.stringify(value))}\n`;
}

/** JSON escapes ESC by itself, but neither C1 controls, which are terminal sequences too, nor bidirectional controls. */
function escapedJson(text: string): string {
  return text.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function indented(value: unknown): string {
  return escapedJson(JSON.stringify(value, null, 2)).replace(/\[\n(?:[-\d.eE+,\s]|null)*\]/g, (numbers) =>
    numbers.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'),
  );
}

/** The text of `{ ...head, [list]: [...items] }`, with one item in memory at a time. */
export async function* jsonDocument(
  head: Readonly<Record<string, unknown>>,
  list: string,
  items: AsyncIterable<unknown>,
): AsyncGenerator<string> {
  const start = indented(head).slice(0, -2);
  yield `${start}${start === '{' ? '' : ','}\n  ${JSON.stringify(list)}: [`;
  let isFirst = true;
  for await (const item of items) {
    yield `${isFirst ? '' : ','}\n    ${indented(item).replaceAll('\n', '\n    ')}`;
    isFirst = false;
  }
  yield isFirst ? ']\n}\n' : '\n  ]\n}\n';
}

/** Rows as CSV; numbers with nine digits, which tell any float32 from its neighbours. */
export function csvText(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.map((cell) => csvCell(cell)).join(',')}\n`).join('');
}

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(9)));
  // Terminal sequences are not passed on; a text that a spreadsheet would take for a formula is kept a text.
  const text = escapeControls(value);
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
