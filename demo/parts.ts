/** A picture with its caption, as every card of the page has it. */
import { type Html, html } from '../src/report/html.ts';

export function figure(source: string, caption: string, alt: string): Html {
  return html`<figure><img src="${source}" alt="${alt}"><figcaption>${caption}</figcaption></figure>`;
}

/** Of a mask: pixels are kept square, other pictures are smoothed when they are enlarged. */
export function maskFigure(source: string, caption: string, alt: string): Html {
  return html`<figure class="pixels"><img src="${source}" alt="${alt}"><figcaption>${caption}</figcaption></figure>`;
}
