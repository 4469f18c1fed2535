/**
 * Our default way to the minimum: the exact mask, graduated non-convexity (lambda starts large, where nothing is masked,
 * and is lowered to its target), several starts of which the best goes on, and a falling learning rate.
 */
import {
  ADAM,
  type Controls,
  type Formulation,
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
  readonly channels: number;
  readonly loss: PixelTerm;
  /** Further terms of L_rec: features. */
  readonly extraLoss: readonly LossTerm[];
  readonly reduction: Reduction;
  /** lambda at the end of the path */
  readonly lambda: number;
  /** May a picture's own residuals keep lambda above that? Not where the user chose it. */
  readonly adaptive: boolean;
  /** The true mask is given: the same search as the mask-free one, its oracle. */
  readonly masked: boolean;
  readonly steps: number;
  readonly starts: number;
  readonly latentRate: number;
  readonly priors: readonly Prior[];
}

/** Residual at which the path begins to mask: half the range of the image, more than any good start leaves behind. */
const FIRST_THRESHOLD_GREY = 127.5;

/** Share of the steps in which several starts compete, and lambda falls. */
const COMPETITION = 1 / 4;

export function continuation(options: ContinuationOptions): Stage[] {
  const { loss, channels, reduction } = options;
  const first = Math.max(options.lambda, lambdaOf(FIRST_THRESHOLD_GREY, loss, channels, reduction));
  const mask: MaskForm = options.masked ? { form: 'given' } : { form: 'exact', shared: true };
  const formulation: Formulation = {
    loss: [loss, ...options.extraLoss],
    reduction,
    mask,
    priors: options.priors,
    optimiser: ADAM,
    weightGroups: [],
  };
  const early = Math.ceil(options.steps * COMPETITION);
  const late = options.steps - early;
  const controls = (t: number, latentRate: number): Controls => ({
    lambda: geometric(first, options.lambda, t / early),
    latentRate,
    maskRate: 0,
    weightRates: [],
  });
  return [
    {
      name: 'compete',
      formulation,
      steps: early,
      starts: options.starts,
      controls: (t) => controls(t, options.latentRate),
    },
    {
      name: 'refine',
      formulation,
      steps: late,
      starts: 1,
      lambdaOfThreshold: options.adaptive ? (grey) => lambdaOf(grey, loss, channels, reduction) : undefined,
      controls: (t) => controls(early + t, options.latentRate * cosineDecay(t / late)),
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

/** The share of itself by which the loss has to fall, from one window of steps to the next, for the search to go on. */
const LEAST_FALL = 3e-5;
const FEWEST_COMPARED = 20;

/**
 * 'converged' where the mean loss of the last `window` steps is no lower than that of the window before, both after step
 * `from`. While the rate falls, so does the loss of a search that still swings about its minimum: it is not stopped.
 */
export function convergedAfter(from: number, window: number, { step, loss }: Progress): ResultCode | undefined {
  if (step < from + 2 * window) return undefined;
  const mean = (end: number) => loss.slice(end - window, end).reduce((a, c) => a + c, 0) / window;
  const before = mean(step - window);
  return mean(step) >= before - LEAST_FALL * Math.abs(before) ? 'converged' : undefined;
}

/** Robust choice of the start: residuals beyond a sixth of the image's range count alike. */
export function robustStart(channels: number, pool: number, seed: number): StartRule {
  return { pool, distance: { kind: 'truncated', limit: channels / 3 }, seed };
}
