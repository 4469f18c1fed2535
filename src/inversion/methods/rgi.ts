/**
 * RGI (Mou et al., ICLR 2023): min over z and M of  L_rec((1-M)*x, (1-M)*G(z)) + lambda*||M||_1.
 * The released code follows the gradient in M with an Adam of its own (presets `paper...`); our default takes the exact
 * minimiser over M at every step, lowers lambda to its target, and knows the law of z (`continuation.ts`, `coherence.ts`,
 * `latent-prior.ts`).
 */

import {
  ADAM,
  constantControls,
  type Formulation,
  greyOf,
  type LossTerm,
  lambdaOf,
  type MaskForm,
  type PixelTerm,
  type Prior,
  type Reduction,
} from '../spec/formulation.ts';
import type { Method, Stage } from '../spec/method.ts';
import { type ContinuationSchedule, continuation, robustStart } from './continuation.ts';
import { isOwnPreset, PAPER, PAPER_RATES, type PaperPreset, paperStart } from './presets.ts';

/** What `rgi` is given. */
export interface RgiOptions {
  /**
   * 'fast': our default. 'paper', 'paper-l1', 'paper-detect': the authors' released settings for CelebA, cars,
   * anomalies.
   */
  readonly preset?: 'fast' | PaperPreset;
  /** Channels of the image: converts thresholds. */
  readonly channels: number;
  /** The weight of ||M||_1; `thresholdGrey` says the same as a residual in grey levels, per channel. */
  readonly lambda?: number;
  /** Residual at which a pixel starts to be masked, in grey levels; measured on each picture if not given. */
  readonly thresholdGrey?: number;
  /** The true mask is given: RGI's oracle. */
  readonly masked?: boolean;
  /** The pixel loss; default squared error ('fast') or the preset's. */
  readonly loss?: PixelTerm;
  /** Terms of L_rec besides `loss`, each with its weight: features; with a free mask also pixel losses. */
  readonly extraLoss?: readonly LossTerm[];
  /** Are losses and ||M||_1 summed over an image, or averaged? Default 'sum'. */
  readonly reduction?: Reduction;
  /** The form of M in place of the preset's. */
  readonly mask?: MaskForm;
  /** Steps in all; default 140 and up to 200 more until z is at a stationary point ('fast'), or the preset's. */
  readonly steps?: number;
  /** Searches per image that compete, and random latents looked at before (default preset). */
  readonly starts?: number;
  /** Random latents from which the starts are chosen; default 1000 ('fast'). */
  readonly pool?: number;
  /** Rate of z's Adam (paper presets); longest move of a step of L-BFGS ('fast'). */
  readonly latentRate?: number;
  /** Rate of the free mask's Adam (paper presets). */
  readonly maskRate?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
  /** Is a discriminator given? Without, the paper's critic term is off. */
  readonly critic?: boolean;
  /** How much a pixel's neighbours say about its mask, 0 to 1 (default preset). */
  readonly coherence?: number;
  /** Priors on z and G(z) in place of the preset's. */
  readonly priors?: readonly Prior[];
  /** Weight of the prior of searched noise images, added to the other priors; default none. */
  readonly noisePrior?: number;
  /** How the steps are spent, and when an image is done (default preset); in place of single defaults. */
  readonly schedule?: Partial<ContinuationSchedule>;
}

/** Defaults of the options of the same names ('fast'), chosen on pictures and latents kept for that; docs/figures.md says which of its figures are on them. */
export const FAST = {
  thresholdGrey: 32,
  coherence: 0.8,
  steps: 140,
  /** Steps that the last stage may take beyond those, where no number of steps is chosen: most pictures need few of them. */
  settling: 200,
  starts: 2,
  pool: 1000,
  /** Of the cost of the steps, what the pool of a costly generator may take where no pool is chosen (`StartRule.maxShare`). */
  maxPoolShare: 0.25,
  /** The longest move of a step: half a standard deviation of the usual latents. */
  latentRate: 0.5,
} as const;

/** Our default's prior of the latents. */
export const LATENT_PRIOR: Prior = { kind: 'latent', weight: 1 };

/**
 * RGI (Mou et al., "RGI: Robust GAN-inversion for mask-free image restoration and unsupervised pixel-wise anomaly
 * detection", ICLR 2023): searches z and the mask M of what is corrupted together.
 */
export function rgi(options: RgiOptions): Method {
  const { preset = 'fast' } = options;
  return isOwnPreset(preset) ? ours(options) : paper(options, preset);
}

function ours(options: RgiOptions): Method {
  const { channels, lambda, loss = { kind: 'l2', weight: 1 }, reduction = 'sum', masked = false } = options;
  const given = lambda === undefined ? options.thresholdGrey : greyOf(lambda, loss, channels, reduction);
  return {
    name: 'rgi',
    needsMask: masked,
    start: robustStart(
      channels,
      options.pool ?? FAST.pool,
      options.seed ?? 0,
      options.pool === undefined ? FAST.maxPoolShare : undefined,
    ),
    stages: continuation({
      channels,
      loss,
      extraLoss: options.extraLoss ?? [],
      reduction,
      thresholdGrey: given ?? FAST.thresholdGrey,
      adaptive: !masked && given === undefined,
      masked,
      steps: options.steps ?? FAST.steps,
      settling: options.steps === undefined ? FAST.settling : 0,
      starts: options.starts ?? FAST.starts,
      latentRate: options.latentRate ?? FAST.latentRate,
      coherence: options.coherence ?? FAST.coherence,
      priors: withNoisePrior(options.priors ?? [LATENT_PRIOR], options),
      schedule: options.schedule,
    }),
  };
}

function withNoisePrior(priors: readonly Prior[], { noisePrior }: RgiOptions): readonly Prior[] {
  return noisePrior ? [...priors, { kind: 'noise', weight: noisePrior }] : priors;
}

function paper(options: RgiOptions, preset: PaperPreset): Method {
  const settings = PAPER[preset];
  const loss = options.loss ?? settings.loss;
  const { thresholdGrey, channels, reduction = 'sum' } = options;
  const critic: Prior[] = options.critic && settings.critic > 0 ? [{ kind: 'critic', weight: settings.critic }] : [];
  const formulation: Formulation = {
    loss: [loss, ...(options.extraLoss ?? [])],
    reduction,
    mask: options.masked
      ? { form: 'given' }
      : (options.mask ?? { form: 'free', shared: false, initial: settings.initialMask }),
    priors: withNoisePrior(options.priors ?? critic, options),
    optimiser: ADAM,
    weightGroups: [],
  };
  const controls = constantControls({
    lambda:
      thresholdGrey === undefined
        ? (options.lambda ?? settings.lambda)
        : lambdaOf(thresholdGrey, loss, channels, reduction),
    latentRate: options.latentRate ?? PAPER_RATES.latent,
    maskRate: options.maskRate ?? PAPER_RATES.mask,
    weightRates: [],
  });
  const stage: Stage = {
    name: 'z and M',
    formulation,
    steps: options.steps ?? settings.steps,
    starts: options.starts ?? 1,
    controls,
  };
  return {
    name: 'rgi',
    needsMask: options.masked ?? false,
    start: { ...paperStart(options.seed ?? 0), pool: options.pool ?? 1000 },
    stages: [stage],
  };
}
