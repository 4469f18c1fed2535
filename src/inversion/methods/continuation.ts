/**
 * Our default continuation to the minimum: the exact mask, graduated non-convexity (lambda starts large, where nothing is masked,
 * and is lowered to its target), several starts of which the best continues, and at the end the found mask held fixed.
 */
import {
  type Formulation,
  type LatentOptimiser,
  type LossTerm,
  lambdaOf,
  type MaskForm,
  type PixelTerm,
  type Prior,
  type Reduction,
} from '../spec/formulation.ts';
import type { Progress, Stage } from '../spec/method.ts';
import type { ResultCode } from '../spec/result.ts';
import type { StartRule } from '../spec/start-rule.ts';

export interface ContinuationOptions {
  readonly channels: number;
  readonly loss: PixelTerm;
  /** Further terms of L_rec: features. */
  readonly extraLoss: readonly LossTerm[];
  readonly reduction: Reduction;
  /** Where the mask starts at the end of the path (`lambdaOf`). */
  readonly thresholdGrey: number;
  /** May a picture's own residuals keep the threshold above that? Not where the user chose it. */
  readonly adaptive: boolean;
  /** The true mask is given: the same search as the mask-free one, its oracle. */
  readonly masked: boolean;
  readonly steps: number;
  readonly starts: number;
  readonly latentRate: number;
  readonly coherence: number;
  readonly priors: readonly Prior[];
}

/** Residual at which the path begins to mask, for any loss: a quarter of the range. From half of it, squared error falls for black strips. */
const FIRST_THRESHOLD_GREY = 64;

/**
 * Times what the latents' prior weighs before there is a mask, at one hidden pixel for each kept: about as before where a block of a
 * quarter is masked. Without a prior, what is seen fits the better (random pixels: +.5 to 2 dB), and holes are filled the worse (-3 dB).
 */
const HIDDEN = 4;

/**
 * The shares of the steps in which lambda falls, and in which the best start is refined; in the rest it settles with the mask that was
 * found.
 */
const SHARES = { falling: 2 / 7, refine: 3 / 7 } as const;

/** The share of lambda's path in which several starts compete: after it, the best one is clear (docs/figures.md). */
const CONTEST = 1 / 4;

/** 10 pairs lose 3.5 dB where the truth is known and a hole has to be filled, 30 gain 2.7 there; elsewhere it is even (of a former, longer search). */
const OPTIMISER: LatentOptimiser = { kind: 'lbfgs', memory: 20 };

export function continuation(options: ContinuationOptions): Stage[] {
  const { loss, channels, reduction, thresholdGrey, coherence, latentRate } = options;
  const lambda = (grey: number) => lambdaOf(grey, loss, channels, reduction);
  const formulation = (mask: MaskForm, priors: readonly Prior[]): Formulation => ({
    loss: [loss, ...options.extraLoss],
    reduction,
    mask: options.masked ? { form: 'given' } : mask,
    priors,
    optimiser: OPTIMISER,
    weightGroups: [],
  });
  const exact: MaskForm = { form: 'exact', shared: true, ...(options.adaptive ? { missing: true } : {}) };
  const hidden = options.priors.map(forHidden);
  const given = formulation({ form: 'given' }, hidden);
  const path = Math.ceil(options.steps * SHARES.falling);
  const contest = Math.ceil(path * CONTEST);
  const refining = Math.min(options.steps - path, Math.round(options.steps * SHARES.refine));
  const settling = options.steps - path - refining;
  const from = lambda(Math.max(thresholdGrey, FIRST_THRESHOLD_GREY));
  const rates = { latentRate, maskRate: 0, weightRates: [] };
  const alone = (name: string, steps: number, made: Formulation): Stage => ({
    name,
    formulation: made,
    steps,
    starts: 1,
    warmStart: true,
    controls: () => ({ ...rates, lambda: lambda(thresholdGrey) }),
    terminate: converged,
  });
  const falling = (t: number) => ({ ...rates, lambda: geometric(from, lambda(thresholdGrey), t / path) });
  const searched = formulation(exact, options.masked ? hidden : options.priors);
  const search: Stage[] = [
    { name: 'compete', formulation: searched, steps: contest, starts: options.starts, controls: falling },
    {
      name: 'descend',
      formulation: searched,
      steps: path - contest,
      starts: 1,
      warmStart: true,
      controls: (t) => falling(contest + t),
    },
  ];
  const refined = (steps: number): Stage => ({
    ...alone('refine', steps, formulation({ ...exact, coherence }, hidden)),
    lambdaOfThreshold: options.adaptive ? lambda : undefined,
  });
  // Where the user chose the threshold, M itself is the result: it is not frozen.
  if (!options.adaptive && !options.masked) return [...search, refined(refining + settling)];
  // Corrupted values that are nearly right keep a pull on z in squared error while M is soft: not once it is fixed.
  return [...search, refined(refining), { ...alone('settle', settling, given), freezesMask: true }];
}

/** Once there is a mask, the latents' prior is for what it hides. */
function forHidden(prior: Prior): Prior {
  return prior.kind === 'latent' ? { ...prior, weight: HIDDEN * prior.weight, ofHidden: true } : prior;
}

/** From `from` to `to` along a geometric path; `progress` beyond [0,1] stays at the ends. */
export function geometric(from: number, to: number, progress: number): number {
  return from * (to / from) ** Math.min(1, Math.max(0, progress));
}

/** 1 at 0, falling along half a cosine to a five-hundredth at 1. */
export function cosineDecay(progress: number): number {
  const floor = 0.002;
  return floor + (1 - floor) * (0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, progress)));
}

/**
 * The share of L_rec by which the objective has to fall, in the last steps of so many, for the search to go on: of more steps than L-BFGS
 * tries a failing direction.
 */
const MIN_FALL = 2e-3;
const COMPARED = 6;

/** 'converged' where the objective has not fallen by the required share for some steps. */
export function converged({ step, loss, fidelity }: Progress): ResultCode | undefined {
  if (step <= COMPARED) return undefined;
  // Not of the objective: that is all lambda*||M||_1 where the kept pixels fit exactly.
  return loss[step - 1 - COMPARED] - loss[step - 1] <= MIN_FALL * fidelity ? 'converged' : undefined;
}

/** Robust choice of the start: residuals beyond a sixth of the image's range count alike. */
export function robustStart(channels: number, pool: number, seed: number): StartRule {
  return { pool, distance: { kind: 'truncated', limit: channels / 3 }, seed };
}
