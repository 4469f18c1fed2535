/**
 * What is minimised, as plain data: the terms of L_rec, the form of the mask, the priors, the optimisers. A formulation
 * is compiled into one step graph; the numbers that change from step to step are its controls.
 *
 *     min over z, M (and theta) of  L_rec((1-M)*x, (1-M)*G(z)) + lambda*||M||_1 + priors
 */

import type { LineSearch } from '../../optim/lbfgs.ts';

/** Are losses and ||M||_1 summed over an image (the reference), or averaged? */
export type Reduction = 'sum' | 'mean';

/** A term of L_rec, over the residuals r = x - G(z) in units of [-1,1] (127.5 grey levels). */
export type LossTerm =
  /** sum of squared residuals (not halved) */
  | { readonly kind: 'l2'; readonly weight: number }
  /** sum of absolute residuals */
  | { readonly kind: 'l1'; readonly weight: number }
  /** quadratic (halved) up to |r| = delta, linear beyond; delta in units of [-1,1] */
  | { readonly kind: 'huber'; readonly weight: number; readonly delta: number }
  /** distance of the features that a second network (a discriminator, a VGG) gives both masked images */
  | {
      readonly kind: 'feature';
      readonly weight: number;
      readonly distance: 'l1' | 'l2';
      readonly layers: readonly string[];
    };

/** A loss of single pixels: the mask has a closed form for it. */
export type PixelTerm = LossTerm & { readonly kind: 'l1' | 'l2' | 'huber' };

/** What M is, and how it changes: 1 = corrupted, 0 = known. */
export type MaskForm =
  /** M = 0: nothing is masked */
  | { readonly form: 'none' }
  /** the true (or drawn) mask; never changed */
  | { readonly form: 'given' }
  /** a variable with its own Adam: 'free' is unconstrained (the reference), 'clipped' is kept in [0,1] */
  | { readonly form: 'free' | 'clipped'; readonly shared: boolean; readonly initial: number }
  /**
   * the closed-form minimiser at each step (`objective.ts`); shared by the channels or one per channel. `binary`: over
   * M in {0,1} instead of [0,1], which makes RGI the truncated loss min(rho(r), lambda). A shared one may be made coherent
   * (`coherence.ts`): 0 for independent pixels, below 1. `loss`: the pixel loss that it minimises, if not the formulation's.
   * `missing`: are pixels without data, known beforehand (`missing.ts`), masked whatever they are?
   */
  | {
      readonly form: 'exact';
      readonly shared: boolean;
      readonly binary?: boolean;
      readonly coherence?: number;
      readonly loss?: PixelTerm;
      readonly missing?: boolean;
    };

/** Is it given what to keep, for all pixels or for some? */
export function readsVisibility(mask: MaskForm): boolean {
  return mask.form === 'given' || (mask.form === 'exact' && mask.missing === true);
}

/** A term added to L_rec that does not depend on the picture. */
export type Prior =
  /** 'critic': -D(G(z)); 'logistic': softplus(-D(G(z))), a GAN's non-saturating loss; 'gaussian': mean(z^2)/2 */
  | { readonly kind: 'critic' | 'logistic' | 'gaussian'; readonly weight: number }
  /** How far noise images among the latents are from white (`noise-prior.ts`). */
  | { readonly kind: 'noise'; readonly weight: number }
  /**
   * -log p(z), weighed against the picture's likelihood (`latent-prior.ts`). `ofHidden`: the weight is that of one hidden pixel for
   * each that is kept, and in proportion up to that; latents count as hidden values
   */
  | LatentPrior;

export interface LatentPrior {
  readonly kind: 'latent';
  readonly weight: number;
  readonly ofHidden?: boolean;
  /** Independent values in the misfit of a picture, whatever its size; default 128 (`MEASUREMENTS`, `latent-prior.ts`). */
  readonly measurements?: number;
}

export type LatentOptimiser =
  | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }
  | { readonly kind: 'nesterov'; readonly momentum: number }
  /** of the latents; the rate is the longest move of a step (root mean square over the coordinates) */
  | { readonly kind: 'lbfgs'; readonly memory: number; readonly lineSearch?: Partial<LineSearch> };

/** The reference's Adam. */
export const ADAM: LatentOptimiser & { kind: 'adam' } = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** What is minimised, compiled into one step graph. */
export interface Formulation {
  /** The terms of L_rec, each with its weight. */
  readonly loss: readonly LossTerm[];
  /** Are losses and ||M||_1 summed over an image, or averaged? */
  readonly reduction: Reduction;
  /** The form of M. */
  readonly mask: MaskForm;
  /** What is added to L_rec. */
  readonly priors: readonly Prior[];
  /** What moves z. */
  readonly optimiser: LatentOptimiser;
  /** z is clipped to [-bound, bound] after each step (Yeh et al.: 1) */
  readonly latentBound?: number;
  /** Do the controls scale the loss terms from step to step (DGP's stages)? */
  readonly scheduledTerms?: boolean;
  /** Weights of G tuned with it (initialiser names), in groups that may have rates of their own (DGP: depth). */
  readonly weightGroups: readonly (readonly string[])[];
  /** The weights' changes have at most this rank (`low-rank.ts`); any if not given. */
  readonly weightRank?: number;
  /**
   * Adam's step is shortened until the fall that its slope predicts is at most this many times L_rec; any length if not given. A
   * parabola that is nowhere negative has its minimum where the slope predicts a fall of at most twice its value. So steps shrink with
   * the loss, and an exact fit stays one. For one image and search at a time.
   */
  readonly maxPredictedFall?: number;
  /** Is the result the state of least L_rec of this stage, its first one included? Else it is the last. For one image and search at a time. */
  readonly keepsBest?: boolean;
}

/** The numbers of one step. Rates of 0 freeze. */
export interface Controls {
  /** lambda of ||M||_1, in the loss's units (`lambdaOf`) */
  readonly lambda: number;
  /** Rate of z's optimiser (Adam, Nesterov); for L-BFGS the longest move of a step. */
  readonly latentRate: number;
  /** Rate of a free mask's Adam. */
  readonly maskRate: number;
  /** one per weight group */
  readonly weightRates: readonly number[];
  /** multiplies each loss term's weight, where the formulation schedules its terms; all 1 if not given */
  readonly termScales?: readonly number[];
}

/**
 * The lambda at which a mask shared by the channels starts at residuals of `thresholdGrey`, for any pixel loss:
 * its slope along 1-M at M = 0. With means, the loss is divided by C times as many numbers as ||M||_1.
 */
export function lambdaOf(
  thresholdGrey: number,
  loss: PixelTerm,
  channels: number,
  reduction: Reduction = 'sum',
): number {
  const t = thresholdGrey / 127.5;
  const unit =
    loss.kind === 'huber'
      ? channels * t * Math.min(t, loss.delta)
      : lambdaOfThreshold(thresholdGrey, loss.kind, channels);
  return (loss.weight * unit) / (reduction === 'mean' ? channels : 1);
}

/** The inverse of `lambdaOf`. */
export function greyOf(lambda: number, loss: PixelTerm, channels: number, reduction: Reduction = 'sum'): number {
  const unit = (lambda * (reduction === 'mean' ? channels : 1)) / loss.weight;
  if (loss.kind !== 'huber') return thresholdOfLambda(unit, loss.kind, channels);
  // unit / C = t min(t, delta)
  const product = unit / channels;
  return 127.5 * Math.max(Math.sqrt(product), product / loss.delta);
}

/** Controls that stay the same at every step. */
export function constantControls(controls: Controls): (t: number) => Controls {
  return () => controls;
}

/** Grey levels (of 127.5 per unit) at which a pixel starts to be masked, to lambda. */
export function lambdaOfThreshold(thresholdGrey: number, kind: 'l2' | 'l1', channels: number): number {
  const t = thresholdGrey / 127.5;
  return kind === 'l2' ? 2 * channels * t * t : channels * t;
}

/** The inverse of `lambdaOfThreshold`. */
export function thresholdOfLambda(lambda: number, kind: 'l2' | 'l1', channels: number): number {
  return 127.5 * (kind === 'l2' ? Math.sqrt(lambda / (2 * channels)) : lambda / channels);
}
