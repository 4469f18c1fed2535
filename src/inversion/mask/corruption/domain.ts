/** Is a picture of the generator's kind? Where it is not, what is masked and what is filled mean nothing. */
import { type Image, type Mask, shapeOf } from '../../../images/image.ts';

/** Misfit, in grey levels, from which a reconstruction that explains less than half of the picture is none: a peak signal-to-noise ratio of 18 dB. */
const MAX_MISFIT_GREY = 32;

/** How well a reconstruction fits the pixels that are kept. */
export interface Misfit {
  /** Root mean square of the kept residuals, in grey levels; 0 where nothing is kept. */
  readonly grey: number;
  /** Mean square of the kept residuals over the variance of the kept values, summed over the channels; infinite where nothing is kept. */
  readonly unexplained: number;
}

/** Of a picture and its reconstruction [1,C,H,W], without what the masks [1,1,H,W] have. */
export function misfitOf(picture: Image, reconstruction: Image, masked: Mask): Misfit {
  const { channels, height, width } = shapeOf(picture);
  const size = height * width;
  let [errors, spread, kept] = [0, 0, 0];
  for (let c = 0; c < channels; c++) {
    let [count, sum, squares] = [0, 0, 0];
    for (let p = 0; p < size; p++) {
      if (masked.data[p] > 0.5) continue;
      const value = picture.data[c * size + p];
      count++;
      sum += value;
      squares += value ** 2;
      errors += (value - reconstruction.data[c * size + p]) ** 2;
    }
    if (count > 0) spread += squares - sum ** 2 / count;
    kept += count;
  }
  if (kept === 0) return { grey: 0, unexplained: Number.POSITIVE_INFINITY };
  return { grey: 127.5 * Math.sqrt(errors / kept), unexplained: errors > 0 ? errors / spread : 0 };
}

/**
 * Nothing is kept, or the reconstruction is no better for what is kept than one colour would be, or it explains less than half of it and misses it
 * by more than `MAX_MISFIT_GREY`.
 */
export function isOutOfDomain({ grey, unexplained }: Misfit): boolean {
  return unexplained > 1 || (unexplained > 0.5 && grey > MAX_MISFIT_GREY);
}
