/** A picture with its caption. Where scripts run, pictures are enlarged by a click or a key. */
import { type Html, html } from './html.ts';

export interface Picture {
  /** A data URL. */
  readonly source: string;
  readonly caption: string;
  /** What it shows, for readers who cannot see it. */
  readonly alt: string;
}

export function picture({ source, caption, alt }: Picture, look?: 'pixels' | 'sheet'): Html {
  return html`<figure${look && html` class="${look}"`}><img src="${source}" alt="${alt}" decoding="async"><figcaption>${caption}</figcaption></figure>`;
}
