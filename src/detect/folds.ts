/**
 * Maps of good pictures by statistics that other good pictures gave: with their own, they would look better than any new
 * one can. The parts are blocks of consecutive names, since neighbours are often near-duplicates.
 */
import type { Image } from '../images/image.ts';
import { residualStatistics, smoothedResidual, standardised } from './evidence.ts';
import type { Statistics } from './policy.ts';

/** A picture and what the generator made of it, both [1,C,H,W]. */
export interface Restored {
  readonly image: Image;
  readonly restored: Image;
}

const FOLDS = 4;

export function residualsOf(pictures: readonly Restored[], blur: number): Image[] {
  return pictures.map(({ image, restored }) => smoothedResidual(image, restored, blur));
}

export function statisticsOf(residuals: readonly Image[], perPixel: boolean): Statistics {
  return residualStatistics(residuals, { perPixel });
}

/** Which part the picture at each position is in. */
export function foldOf(position: number, count: number): number {
  return Math.floor((position * Math.min(FOLDS, count)) / count);
}

/**
 * Raw maps of `residuals`, each by the statistics of those in other parts; and of `others` (each of the picture at the same
 * position) by the same statistics, if given.
 */
export function crossFitted(residuals: readonly Image[], perPixel: boolean): Image[];
export function crossFitted(
  residuals: readonly Image[],
  perPixel: boolean,
  others: readonly Image[],
): [Image[], Image[]];
export function crossFitted(residuals: readonly Image[], perPixel: boolean, others?: readonly Image[]) {
  const count = residuals.length;
  const folds = Array.from({ length: Math.min(FOLDS, count) }, (_, fold) =>
    statisticsOf(
      residuals.filter((_, i) => foldOf(i, count) !== fold),
      perPixel,
    ),
  );
  const maps = (list: readonly Image[]) => list.map((r, i) => standardised(r, folds[foldOf(i, count)]));
  return others ? [maps(residuals), maps(others)] : maps(residuals);
}
