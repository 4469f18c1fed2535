/**
 * How well scores rank positives above negatives: AUROC, average precision, Dice over thresholds. Equal scores count as
 * one threshold. Labels above 0.5 are positive; a pixel is predicted positive where its score >= the threshold.
 */
import { argsort } from '../arrays/sort.ts';
import { minMaxScaled } from './fidelity.ts';
import { diceOf, sameLength } from './overlap.ts';

/** Calls `visit` once per distinct score, highest first, with the counts of all pixels at or above it. */
function sweep(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  visit: (threshold: number, truePositives: number, predicted: number) => void,
): { positives: number; negatives: number } {
  sameLength(labels, scores);
  const order = argsort(scores);
  let positives = 0;
  let score = scores[order[order.length - 1]];
  for (let i = order.length - 1; i >= 0; i--) {
    if (labels[order[i]] > 0.5) positives++;
    const below = i > 0 ? scores[order[i - 1]] : Number.NaN;
    if (below !== score) visit(score, positives, order.length - i);
    score = below;
  }
  return { positives, negatives: order.length - positives };
}

/**
 * Area under the ROC curve: the chance that a positive outscores a negative, ties half. NaN where a class is absent.
 *
 * @example
 * ```ts
 * import { auroc } from 'rgi';
 *
 * console.log(auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])); // 0.75
 * ```
 */
export function auroc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  let pairs = 0;
  let lastTrue = 0;
  let lastFalse = 0;
  const { positives, negatives } = sweep(labels, scores, (_, tp, predicted) => {
    const fp = predicted - tp;
    pairs += ((fp - lastFalse) * (tp + lastTrue)) / 2;
    lastTrue = tp;
    lastFalse = fp;
  });
  return pairs / (positives * negatives);
}

/** Sum over thresholds of (recall gained) x (precision there), without interpolation. NaN without positives. */
export function averagePrecision(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  let sum = 0;
  let last = 0;
  const { positives } = sweep(labels, scores, (_, tp, predicted) => {
    sum += ((tp - last) * tp) / predicted;
    last = tp;
  });
  return sum / positives;
}

/** A Dice coefficient and the threshold that gives it. */
export interface BestDice {
  /** 0 to 1. */
  readonly dice: number;
  /** Scores at or above it are predicted positive; infinite where predicting nothing is best. */
  readonly threshold: number;
}

/**
 * The best Dice over every threshold, and where: an ORACLE, since it reads the truth. The threshold is infinite where
 * predicting nothing is best (no positives).
 */
export function oracleDice(labels: ArrayLike<number>, scores: ArrayLike<number>): BestDice {
  let positives = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] > 0.5) positives++;
  let best = { dice: diceOf(0, 0, positives), threshold: Number.POSITIVE_INFINITY };
  sweep(labels, scores, (threshold, tp, predicted) => {
    const value = diceOf(tp, predicted, positives);
    if (value > best.dice) best = { dice: value, threshold };
  });
  return best;
}

/** Dice of (score >= t) for each threshold t, in the order given. */
export function diceAtThresholds(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  thresholds: ArrayLike<number>,
): Float64Array {
  sameLength(labels, scores);
  const order = argsort(thresholds);
  const rising = Float64Array.from(order, (k) => thresholds[k]);
  // Pixels whose highest reached threshold is the k-th; summed from above they are the pixels at or above it.
  const all = new Float64Array(rising.length + 1);
  const hit = new Float64Array(rising.length + 1);
  let positives = 0;
  for (let i = 0; i < scores.length; i++) {
    let low = 0;
    let high = rising.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rising[middle] <= scores[i]) low = middle + 1;
      else high = middle;
    }
    all[low]++;
    if (labels[i] > 0.5) {
      hit[low]++;
      positives++;
    }
  }
  const out = new Float64Array(rising.length);
  let predicted = 0;
  let both = 0;
  for (let k = rising.length; k > 0; k--) {
    predicted += all[k];
    both += hit[k];
    out[order[k - 1]] = diceOf(both, predicted, positives);
  }
  return out;
}

/** The paper's Dice of one image: its map scaled to [0,1], best of the thresholds 0, 0.01, ... 1. Another oracle. */
export function paperDice(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  const thresholds = Float64Array.from({ length: 101 }, (_, k) => k / 100);
  return Math.max(...diceAtThresholds(labels, minMaxScaled(scores), thresholds));
}
