/**
 * What a generator leaves out of good pictures that it has not learnt from: noise to a search. Its scale differs from place to place, and it is
 * not independent: neighbouring residuals are of one detail. So the likelihood of a picture counts less than the number of its values, the
 * less the larger the regions are that it has to fill (`temperature`).
 */
import { boxMean } from '../../arrays/filter.ts';
import type { Tensor } from '../../onnx/tensor.ts';

export interface NoiseModel {
  /** Standard deviation of each value, [1,C,H,W], in units of [-1,1]. */
  readonly deviation: Tensor<'float32'>;
  readonly temperature: Temperature;
}

/** By what the logarithm of the likelihood is divided. */
export interface Temperature {
  /** Where single pixels, or nothing, are hidden. */
  readonly scattered: number;
  /** Where regions are hidden: a quarter of the picture in one piece, or more. */
  readonly region: number;
}

/**
 * Share of the mean variance in that of each place: half was best or nearly so on faces and garments, with 64 pictures to measure on.
 */
export const NOISE_SHRINKAGE = 0.5;

/** Where a generator brings no noise model, as measured on `rgi train`'s linear generators of faces and garments. */
export const USUAL_TEMPERATURE: Temperature = { scattered: 4, region: 10 };

/** A pixel is amid hidden ones where less than this share of the square about it is kept; the square reaches so many pixels to each side. */
const MIN_KEPT = 0.25;
const REACH = 3;

/** The share of pixels amid hidden ones where a square of a quarter of the picture is hidden. */
const REGION_SHARE = 0.2;

/** The temperature for a picture of which `visibility` [1,1,H,W] is kept: between the two by the share of pixels that are hidden amid hidden ones. */
export function temperatureAt({ scattered, region }: Temperature, visibility: Tensor<'float32'>): number {
  const side = 2 * REACH + 1;
  const kept = boxMean(visibility, side).data;
  const inside = boxMean({ ...visibility, data: new Float32Array(visibility.data.length).fill(1) }, side).data;
  let hidden = 0;
  visibility.data.forEach((v, i) => {
    if (v < 0.5 && kept[i] < MIN_KEPT * inside[i]) hidden++;
  });
  const share = Math.min(1, hidden / visibility.data.length / REGION_SHARE);
  return scattered ** (1 - share) * region ** share;
}
