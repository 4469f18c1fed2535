/**
 * Our default way to the minimum: the exact mask, graduated non-convexity (lambda starts large, where nothing is masked,
 * and is lowered to its target), several starts of which the best goes on, and at the end the found mask held fixed. Absolute
 * error finds the region and the start; squared error, in which what a generator cannot make weighs as in the scores, refines.
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
} from './formulation.ts';
import type { Progress, ResultCode, Stage } from './method.ts';
import type { StartRule } from './starts.ts';

export interface ContinuationOptions {
  /** Once the mask is found, search again with it as if it had been given: a start is the better for not seeing the corruption. */
  readonly again: boolean;
  readonly channels: number;
  /** The pixel losses of the competition and of what follows. */
  readonly first: PixelTerm;
  readonly last: PixelTerm;
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

/** Residual at which the path begins to mask: half the range of the image, more than any good start leaves behind. */
export const FIRST_THRESHOLD_GREY = 127.5;

/**
 * The shares of the steps in which lambda falls, and in which the best start is refined; in the rest it settles with the mask that was
 * found. A second search takes as many steps again as the first way of lambda.
 */
const SHARES = { falling: 2 / 7, refine: 3 / 7 } as const;

/** The share of lambda's way in which several starts compete: by then it shows which is the best (docs/figures.md). */
const CONTEST = 3 / 8;

/** 10 pairs lose 3.5 dB where the truth is known and a hole has to be filled, 30 gain 2.7 there; elsewhere it is even (of a former, longer search). */
const OPTIMISER: LatentOptimiser = { kind: 'lbfgs', memory: 20 };

export function continuation(options: ContinuationOptions): Stage[] {
  const { first, last, channels, reduction, thresholdGrey, coherence, latentRate } = options;
  const lambda = (grey: number, loss: PixelTerm) => lambdaOf(grey, loss, channels, reduction);
  const formulation = (loss: PixelTerm, mask: Partial<MaskForm>): Formulation => ({
    loss: [loss, ...options.extraLoss],
    reduction,
    mask: options.masked ? { form: 'given' } : { ...mask, form: 'exact', shared: true },
    priors: options.priors,
    optimiser: OPTIMISER,
    weightGroups: [],
  });
  const path = Math.ceil(options.steps * SHARES.falling);
  const contest = Math.ceil(path * CONTEST);
  const refining = Math.min(options.steps - path, Math.round(options.steps * SHARES.refine));
  const settling = options.steps - path - refining;
  const from = lambda(Math.max(thresholdGrey, FIRST_THRESHOLD_GREY), first);
  const rates = { latentRate, maskRate: 0, weightRates: [] };
  const alone = (name: string, steps: number, made: Formulation): Stage => ({
    name,
    formulation: made,
    steps,
    starts: 1,
    continues: true,
    controls: () => ({ ...rates, lambda: lambda(thresholdGrey, last) }),
    terminate: converged,
  });
  /** lambda falls: at first for several starts, then for the best of them. */
  const falling = (suffix: string, made: Formulation): [Stage, Stage] => {
    const at = (t: number) => ({ ...rates, lambda: geometric(from, lambda(thresholdGrey, first), t / path) });
    return [
      { name: `compete${suffix}`, formulation: made, steps: contest, starts: options.starts, controls: at },
      {
        name: `descend${suffix}`,
        formulation: made,
        steps: path - contest,
        starts: 1,
        continues: true,
        controls: (t) => at(contest + t),
      },
    ];
  };
  const given = (loss: PixelTerm): Formulation => ({ ...formulation(loss, {}), mask: { form: 'given' } });
  const refined = (steps: number): Stage => ({
    ...alone('refine', steps, formulation(last, { coherence })),
    lambdaOfThreshold: options.adaptive ? (grey) => lambda(grey, last) : undefined,
  });
  const search = falling('', formulation(first, {}));
  // Where the user chose the threshold, M itself is what is told: it is not fixed.
  if (!options.adaptive && !options.masked && !options.again) return [...search, refined(refining + settling)];
  // Corrupted values that are nearly right keep a pull on z in squared error while M is soft: not once it is fixed.
  const settle = alone('settle', settling, given(last));
  if (!options.again) return [...search, refined(refining), { ...settle, fixesMask: true }];
  const [again, descend] = falling(' again', given(first));
  return [...search, refined(refining), { ...again, fixesMask: true, restarts: true }, descend, settle];
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
 * tries a direction in vain.
 */
const LEAST_FALL = 2e-3;
const COMPARED = 6;

/** 'converged' where the objective has hardly fallen for some steps. */
export function converged({ step, loss, fidelity }: Progress): ResultCode | undefined {
  if (step <= COMPARED) return undefined;
  // Not of the objective: that is all lambda*||M||_1 where the kept pixels fit exactly.
  return loss[step - 1 - COMPARED] - loss[step - 1] <= LEAST_FALL * fidelity ? 'converged' : undefined;
}

/** Robust choice of the start: residuals beyond a sixth of the image's range count alike. */
export function robustStart(channels: number, pool: number, seed: number): StartRule {
  return { pool, distance: { kind: 'truncated', limit: channels / 3 }, seed };
}
