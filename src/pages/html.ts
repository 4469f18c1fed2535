/** HTML by template: every value is escaped, except what was made by a template itself. */

export interface Html {
  readonly html: string;
}

type Part = string | number | Html | readonly Html[] | undefined | null | false;

/** html`<p>${text}</p>`: text and attribute values are escaped (attributes must be quoted); undefined and false are nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, i) => (i === 0 ? text : render(parts[i - 1]) + text)).join('') };
}

function render(part: Part): string {
  if (part === undefined || part === null || part === false) return '';
  if (typeof part === 'object') return 'html' in part ? part.html : part.map((one) => one.html).join('');
  return escapeHtml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Characters that HTML does not allow at all (controls, lone surrogates), or that reorder what is read, become U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu, (c) => (/[\t\n]/.test(c) ? c : '\ufffd'))
    .replace(/[&<>"']/g, (c) => ENTITIES[c]);
}
