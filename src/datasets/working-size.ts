/** The size at which crops of a picture are taken. */
import type { Size } from '../images/image.ts';

/** Reduced by a factor, but no smaller than a crop of `least`; a picture smaller than that is enlarged to it. */
export function workingSize(own: Size, least: Size, scale: number): Size {
  const factor = Math.max(1 / scale, least.height / own.height, least.width / own.width);
  return {
    height: Math.max(least.height, Math.round(own.height * factor)),
    width: Math.max(least.width, Math.round(own.width * factor)),
  };
}
