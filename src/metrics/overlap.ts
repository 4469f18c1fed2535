/** Agreement of two binary masks. A value above 0.5 is positive: 0/1, 0/255 and booleans alike. */
import { RgiError } from '../errors.ts';

/** Numbers of pixels by what they are and what they were predicted to be. */
export interface Confusion {
  /** Positive in both. */
  readonly truePositives: number;
  /** Predicted positive, in truth negative. */
  readonly falsePositives: number;
  /** Predicted negative, in truth positive. */
  readonly falseNegatives: number;
  /** Negative in both. */
  readonly trueNegatives: number;
}

/** Counts of pixels by truth and prediction. */
export function confusion(truth: ArrayLike<number>, predicted: ArrayLike<number>): Confusion {
  sameLength(truth, predicted);
  let both = 0;
  let inTruth = 0;
  let inPredicted = 0;
  for (let i = 0; i < truth.length; i++) {
    const t = truth[i] > 0.5 ? 1 : 0;
    const p = predicted[i] > 0.5 ? 1 : 0;
    both += t & p;
    inTruth += t;
    inPredicted += p;
  }
  return {
    truePositives: both,
    falsePositives: inPredicted - both,
    falseNegatives: inTruth - both,
    trueNegatives: truth.length - inTruth - inPredicted + both,
  };
}

/**
 * 2 |A and B| / (|A| + |B|), also called F1; 1 where both are empty.
 *
 * @example
 * ```ts
 * import { dice } from 'rgi';
 *
 * console.log(dice([0, 1, 1, 0], [0, 1, 0, 0]).toFixed(3)); // 0.667
 * ```
 */
export function dice(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const c = confusion(truth, predicted);
  return diceOf(c.truePositives, c.truePositives + c.falsePositives, c.truePositives + c.falseNegatives);
}

/** |A and B| / |A or B|, also called Jaccard index; 1 where both are empty. */
export function iou(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const c = confusion(truth, predicted);
  const union = c.truePositives + c.falsePositives + c.falseNegatives;
  return union ? c.truePositives / union : 1;
}

/** Dice from the pixels in both, in the prediction and in the truth. */
export function diceOf(both: number, predicted: number, truth: number): number {
  return predicted + truth ? (2 * both) / (predicted + truth) : 1;
}

export function sameLength(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) {
    throw new RgiError('input', `${a.length} labels do not match ${b.length} values: give one per pixel or image.`);
  }
}
