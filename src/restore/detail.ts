/** What a found region is filled from: G(z), sharpened where the picture has more detail than it. */
import { type Image, isDrawable } from '../images/image.ts';
import { type Frame, scaleOf } from '../images/own-size/frame.ts';
import { sharpened } from '../images/own-size/sharpness.ts';
import type { Restoration } from '../inversion/solve/restore.ts';
import { MIN_FINER } from './fill.ts';

/** The restored picture, with as much detail as `image` has where the picture is finer than the generator's. */
export function fillFor(image: Image, frame: Frame, { restored, mask }: Pick<Restoration, 'restored' | 'mask'>): Image {
  return isDrawable(image) && scaleOf(frame) >= MIN_FINER ? sharpened(restored, image, mask) : restored;
}
