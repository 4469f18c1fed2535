/**
 * Maps of good pictures by statistics that other good pictures gave: with their own, they would look better than any new
 * one can. The parts are the groups that names tell, or blocks of consecutive names: neighbours are often near-duplicates.
 */
import type { Image } from '../images/image.ts';
import type { Statistics } from './policy.ts';
import { residualStatistics, smoothedResidual, standardised } from './scoring.ts';

/** A picture and what the generator made of it, both [1,C,H,W]. */
export interface Restored {
  readonly image: Image;
  readonly restored: Image;
}

/** Residuals of good pictures of a generator: of held-out ones, and of some that it was trained on. */
export interface Residuals {
  readonly unseen: readonly Image[];
  readonly seen: readonly Image[];
  /** The part of each unseen picture. */
  readonly folds: readonly number[];
}

const FOLDS = 4;

export function residualsOf(pictures: readonly Restored[], blur: number): Image[] {
  return pictures.map(({ image, restored }) => smoothedResidual(image, restored, blur));
}

/** The part of each of `count` pictures, given the group of each, or none. */
export function foldsOf(count: number, groups?: readonly number[]): number[] {
  const present = [...new Set(groups)];
  if (!groups || present.length < 2) {
    const folds = Math.min(FOLDS, count);
    return Array.from({ length: count }, (_, i) => Math.floor((i * folds) / count));
  }
  const folds = Math.min(FOLDS, present.length);
  // Large groups first, each to the part that is smallest so far.
  const sizes = present.map((group) => groups.filter((other) => other === group).length);
  const order = present.map((_, i) => i).sort((a, b) => sizes[b] - sizes[a]);
  const filled = Array.from({ length: folds }, () => 0);
  const foldOfGroup = new Map<number, number>();
  for (const i of order) {
    const fold = filled.indexOf(Math.min(...filled));
    foldOfGroup.set(present[i], fold);
    filled[fold] += sizes[i];
  }
  return groups.map((group) => foldOfGroup.get(group)!);
}

/** The most by which residuals of seen pictures are taken to be too small. */
const MAX_RATIO = 4;

/**
 * Statistics per pixel need many pictures: those that the generator was trained on serve, too, their residuals enlarged to the
 * size that those of the others have on average. Of all pixels alike, the unseen pictures are enough.
 */
export function statisticsOf({ unseen, seen }: Pick<Residuals, 'unseen' | 'seen'>, perPixel: boolean): Statistics {
  if (!perPixel || seen.length === 0) return residualStatistics(unseen, perPixel);
  const ratio = Math.min(MAX_RATIO, Math.max(1, Math.sqrt(meanSquare(unseen) / Math.max(meanSquare(seen), 1e-12))));
  const enlarged = seen.map((residual) => ({ ...residual, data: residual.data.map((v) => ratio * v) }));
  return residualStatistics([...unseen, ...enlarged], perPixel);
}

function meanSquare(residuals: readonly Image[]): number {
  let [sum, count] = [0, 0];
  for (const { data } of residuals) {
    for (const v of data) sum += v * v;
    count += data.length;
  }
  return sum / count;
}

/**
 * Raw maps of `pictures` (residuals of the unseen pictures, or of the same with something drawn on them), each by the statistics of the other
 * parts. `places`: which of the unseen pictures they are; default all of them.
 */
export function crossFitted(
  residuals: Residuals,
  perPixel: boolean,
): (pictures: readonly Image[], places?: readonly number[]) => Image[] {
  const { unseen, seen, folds } = residuals;
  const statistics = Array.from({ length: Math.max(...folds) + 1 }, (_, fold) =>
    statisticsOf({ unseen: unseen.filter((_, i) => folds[i] !== fold), seen }, perPixel),
  );
  return (pictures, places) =>
    pictures.map((residual, i) => standardised(residual, statistics[folds[places?.[i] ?? i]]));
}
