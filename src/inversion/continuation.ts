/**
 * Our default way to the minimum: the exact mask, graduated non-convexity (lambda starts large, where nothing is masked,
 * and is lowered to its target), several starts of which the best goes on, and a falling learning rate. Absolute error finds the
 * region and the start; squared error, in which what a generator cannot make weighs as in the scores, finishes.
 */
import {
  ADAM,
  type Formulation,
  type LossTerm,
  lambdaOf,
  type PixelTerm,
  type Prior,
  type Reduction,
} from './formulation.ts';
import type { Progress, ResultCode, Stage } from './method.ts';
import type { StartRule } from './starts.ts';

export interface ContinuationOptions {
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
const FIRST_THRESHOLD_GREY = 127.5;

/** Share of the steps in which several starts compete, and lambda falls. */
const COMPETITION = 1 / 4;

export function continuation(options: ContinuationOptions): Stage[] {
  const { first, last, channels, reduction, thresholdGrey } = options;
  const lambda = (grey: number, loss: PixelTerm) => lambdaOf(grey, loss, channels, reduction);
  const formulation = (loss: PixelTerm, coherence: number): Formulation => ({
    loss: [loss, ...options.extraLoss],
    reduction,
    mask: options.masked ? { form: 'given' } : { form: 'exact', shared: true, coherence },
    priors: options.priors,
    optimiser: ADAM,
    weightGroups: [],
  });
  const early = Math.ceil(options.steps * COMPETITION);
  const late = options.steps - early;
  const from = lambda(Math.max(thresholdGrey, FIRST_THRESHOLD_GREY), first);
  const still = { maskRate: 0, weightRates: [] };
  return [
    {
      name: 'compete',
      formulation: formulation(first, 0),
      steps: early,
      starts: options.starts,
      controls: (t) => ({
        ...still,
        lambda: geometric(from, lambda(thresholdGrey, first), t / early),
        latentRate: options.latentRate,
      }),
    },
    {
      name: 'refine',
      formulation: formulation(last, options.coherence),
      steps: late,
      starts: 1,
      lambdaOfThreshold: options.adaptive ? (grey) => lambda(grey, last) : undefined,
      controls: (t) => ({
        ...still,
        lambda: lambda(thresholdGrey, last),
        latentRate: options.latentRate * cosineDecay(t / late),
      }),
      // Only below half the rate is a standstill an end.
      terminate: (progress) => convergedAfter(late / 2, Math.max(FEWEST_COMPARED, Math.ceil(late / 12)), progress),
    },
  ];
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

/** The share of L_rec by which the objective has to fall, from one window of steps to the next, for the search to go on. */
const LEAST_FALL = 3e-5;
const FEWEST_COMPARED = 20;

/**
 * 'converged' where the mean loss of the last `window` steps is hardly lower than that of the window before, both after step
 * `from`. While the rate falls, so does the loss of a search that still swings about its minimum: it is not stopped.
 */
export function convergedAfter(
  from: number,
  window: number,
  { step, loss, fidelity }: Progress,
): ResultCode | undefined {
  if (step < from + 2 * window) return undefined;
  const mean = (end: number) => loss.slice(end - window, end).reduce((a, c) => a + c, 0) / window;
  // Not of the objective: that is all lambda*||M||_1 where the kept pixels fit exactly.
  return mean(step - window) - mean(step) <= LEAST_FALL * fidelity ? 'converged' : undefined;
}

/** Robust choice of the start: residuals beyond a sixth of the image's range count alike. */
export function robustStart(channels: number, pool: number, seed: number): StartRule {
  return { pool, distance: { kind: 'truncated', limit: channels / 3 }, seed };
}
