/** A picture with its caption, as every card of the page has it. */
import type { Html } from '../src/pages/html.ts';
import { picture } from '../src/pages/picture.ts';

export function figure(source: string, caption: string, alt: string): Html {
  return picture({ source, caption, alt });
}

/** Of a mask: pixels are kept square, other pictures are smoothed when they are enlarged. */
export function maskFigure(source: string, caption: string, alt: string): Html {
  return picture({ source, caption, alt }, 'pixels');
}
