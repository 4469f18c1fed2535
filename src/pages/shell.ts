/** The frame that every page has: a bar with the contents, the head, the sections, the footer. */
import { selfContained } from './document.ts';
import { type Html, html } from './html.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

export interface Section {
  readonly id: string;
  readonly title: string | Html;
  /** In the contents; default the title. */
  readonly short?: string;
  readonly content: Html;
  /** Fills a screen: one question, its answer and a figure. */
  readonly screen?: boolean;
}

export interface Page {
  readonly title: string;
  /** What made the page, as the bar says it: "report", "theory". */
  readonly kind: string;
  /** What stands above the sections, its heading of the first level included; see `pageHead`. */
  readonly head: Html;
  readonly sections: readonly Section[];
  readonly footer: Html;
  /** Rules of this page beyond those of all pages. */
  readonly style?: string;
}

/** One self-contained page; without its script sorting, enlarging, copying and the slider are missing, and nothing else. */
export function pageOf({ title, kind, head, sections, footer, style = '' }: Page): Promise<string> {
  const links = sections.map(({ id, title, short }) => html`<li><a href="#${id}">${short ?? title}</a></li>`);
  const body = html`<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="bar"><p class="brand"><b>rgi</b><span>${kind}</span></p><nav aria-label="Contents"><ul>${links}</ul></nav></div></header>
<main id="main">
${head}
${sections.map(sectionOf)}
</main>
<footer>${footer}</footer>`;
  return selfContained({ title, style: STYLE + style, script: SCRIPT, body });
}

function sectionOf({ id, title, content, screen }: Section): Html {
  return html`<section aria-labelledby="${id}"${screen && html` class="screen"`}><h2 id="${id}">${title}</h2>
${content}</section>
`;
}

/** The heading of a page with what follows it at once. */
export function pageHead(title: string, ...parts: readonly (Html | undefined | false)[]): Html {
  return html`<div class="head"><h1>${title}</h1>${parts.flatMap((part) => part || [])}</div>`;
}
