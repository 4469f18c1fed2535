/**
 * Our default continuation to the minimum: the exact mask, graduated non-convexity (lambda starts large, where nothing is masked,
 * and is lowered to its target), several starts of which the best continues, and at the end the found mask held fixed.
 */
import {
  type Formulation,
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
  /** Further steps in which a stationary point may be reached. */
  readonly settling: number;
  readonly starts: number;
  readonly latentRate: number;
  readonly coherence: number;
  readonly priors: readonly Prior[];
  /** In place of the defaults (`SCHEDULE`). */
  readonly schedule?: Partial<ContinuationSchedule>;
}

/** How the steps are spent, and when an image is done before the last of them. */
export interface ContinuationSchedule {
  /** Residual, in grey levels, at which the path begins to mask, for any loss; the target where that is higher. */
  readonly firstThresholdGrey: number;
  /** Share of the steps in which lambda falls. */
  readonly falling: number;
  /** Share of the steps in which the best start is refined; in the rest it settles with the mask that was found. */
  readonly refining: number;
  /** Share of lambda's path in which several starts compete. */
  readonly contest: number;
  /** Times what the latents' prior weighs before there is a mask, once there is one: at one hidden pixel for each kept. */
  readonly hiddenWeight: number;
  /** Pairs of moves and gradient changes that L-BFGS keeps. */
  readonly memory: number;
  /** Share of L_rec by which the objective has to fall within `fallSteps` steps for the search to go on. */
  readonly minFall: number;
  /** Steps that `minFall` is counted over; more than L-BFGS tries a direction in vain. */
  readonly fallSteps: number;
  /** As `minFall`, of settling. */
  readonly minSettlingFall: number;
  /** A gradient whose norm is at most this share of the largest one met (`gradientNormsOf`) has vanished. */
  readonly stationary: number;
}

/** The defaults, each with what decided it; docs/figures.md has the figures. */
export const SCHEDULE: ContinuationSchedule = {
  // A quarter of the range. From half of it, squared error falls for black strips.
  firstThresholdGrey: 64,
  falling: 2 / 7,
  refining: 3 / 7,
  // By then it shows which start is the best.
  contest: 1 / 4,
  // About as before there is a mask where a block of a quarter is masked. Without a prior, what is seen fits the better (random
  // pixels: +.5 to 2 dB), and holes are filled the worse (-3 dB).
  hiddenWeight: 4,
  // 10 pairs lose 3.5 dB where the truth is known and a hole has to be filled, 30 gain 2.7 there; elsewhere it is even (of a
  // former, longer search).
  memory: 20,
  minFall: 2e-3,
  fallSteps: 6,
  // The VAE's own pictures, irregular blobs: 69 to 87 dB. Elsewhere within .3 dB, for 15 to 40 more steps.
  minSettlingFall: 1e-5,
  // Off the manifold the gradient's norm ends at 1e-4 to 1e-3, as the rounding of float32 has it.
  stationary: 1e-3,
};

export function continuation(options: ContinuationOptions): Stage[] {
  const { loss, channels, reduction, thresholdGrey, coherence, latentRate } = options;
  const schedule = { ...SCHEDULE, ...options.schedule };
  const lambda = (grey: number) => lambdaOf(grey, loss, channels, reduction);
  const formulation = (mask: MaskForm, priors: readonly Prior[]): Formulation => ({
    loss: [loss, ...options.extraLoss],
    reduction,
    mask: options.masked ? { form: 'given' } : mask,
    priors,
    optimiser: { kind: 'lbfgs', memory: schedule.memory },
    weightGroups: [],
  });
  const exact: MaskForm = { form: 'exact', shared: true, ...(options.adaptive ? { missing: true } : {}) };
  const hidden = options.priors.map((prior) => forHidden(prior, schedule.hiddenWeight));
  const given = formulation({ form: 'given' }, hidden);
  const { path, contest, refining, settling } = stepsOf(options, schedule);
  const from = lambda(Math.max(thresholdGrey, schedule.firstThresholdGrey));
  const rates = { latentRate, maskRate: 0, weightRates: [] };
  const alone = (name: string, steps: number, made: Formulation, terminate: Stage['terminate']): Stage => ({
    name,
    formulation: made,
    steps,
    starts: 1,
    warmStart: true,
    controls: () => ({ ...rates, lambda: lambda(thresholdGrey) }),
    terminate,
  });
  const settles: Stage['terminate'] = (progress) => settled(progress, schedule);
  const falling = (t: number) => ({ ...rates, lambda: geometric(from, lambda(thresholdGrey), t / path) });
  const searched = formulation(exact, options.masked ? hidden : options.priors);
  const search: Stage[] = [
    {
      name: 'compete',
      isApproach: true,
      formulation: searched,
      steps: contest,
      starts: options.starts,
      controls: falling,
    },
    {
      name: 'descend',
      isApproach: true,
      formulation: searched,
      steps: path - contest,
      starts: 1,
      warmStart: true,
      controls: (t) => falling(contest + t),
    },
  ];
  const refined = (steps: number, terminate: Stage['terminate']): Stage => ({
    ...alone('refine', steps, formulation({ ...exact, coherence }, hidden), terminate),
    lambdaOfThreshold: options.adaptive ? lambda : undefined,
  });
  // Where the user chose the threshold, M itself is the result: it is not frozen.
  if (!options.adaptive && !options.masked) return [...search, refined(refining + settling, settles)];
  // Corrupted values that are nearly right keep a pull on z in squared error while M is soft: not once it is fixed.
  return [
    ...search,
    refined(refining, (progress) => converged(progress, schedule)),
    { ...alone('settle', settling, given, settles), freezesMask: true },
  ];
}

/** How many steps each part has at most; the contest is the beginning of lambda's path. */
function stepsOf({ steps, settling }: ContinuationOptions, schedule: ContinuationSchedule) {
  const path = Math.ceil(steps * schedule.falling);
  const contest = Math.ceil(path * schedule.contest);
  const refining = Math.min(steps - path, Math.round(steps * schedule.refining));
  return { path, contest, refining, settling: steps - path - refining + settling };
}

/** Once there is a mask, the latents' prior is for what it hides. */
function forHidden(prior: Prior, times: number): Prior {
  return prior.kind === 'latent' ? { ...prior, weight: times * prior.weight, ofHidden: true } : prior;
}

/** From `from` to `to` along a geometric path; `progress` beyond [0,1] stays at the ends. */
export function geometric(from: number, to: number, progress: number): number {
  return from * (to / from) ** Math.min(1, Math.max(0, progress));
}

/** Least share of the rate: a stage's last step still moves. */
const MIN_RATE_SHARE = 0.002;

/** 1 at 0, falling along half a cosine to a five-hundredth at 1. */
export function cosineDecay(progress: number): number {
  return MIN_RATE_SHARE + (1 - MIN_RATE_SHARE) * (0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, progress)));
}

/** 'converged' where the objective has fallen by less than `minFall` of L_rec in the last `fallSteps` steps. */
export function converged(
  { step, loss, fidelity }: Progress,
  { minFall, fallSteps }: Pick<ContinuationSchedule, 'minFall' | 'fallSteps'> = SCHEDULE,
): ResultCode | undefined {
  if (step <= fallSteps) return undefined;
  // Not of the objective: that is all lambda*||M||_1 where the kept pixels fit exactly.
  return loss[step - 1 - fallSteps] - loss[step - 1] <= minFall * fidelity ? 'converged' : undefined;
}

/**
 * Where the objective is even (`minSettlingFall`): 'stationary' if the gradient has vanished (`stationary`), 'converged' if it has not. Judged in
 * this order, since the objective of an exact fit goes on falling long after its gradient is small.
 */
export function settled(
  progress: Progress,
  {
    minSettlingFall: minFall,
    fallSteps,
    stationary,
  }: Pick<ContinuationSchedule, 'minSettlingFall' | 'fallSteps' | 'stationary'> = SCHEDULE,
): ResultCode | undefined {
  const code = converged(progress, { minFall, fallSteps });
  return code && progress.gradientNorm !== undefined && progress.gradientNorm <= stationary ? 'stationary' : code;
}

/** 'converged' where the least objective so far has fallen by less than `minFall` of L_rec in the last `fallSteps` steps: for Adam, which may rise. */
export function stalled(
  { step, loss, fidelity }: Progress,
  { minFall, fallSteps }: Pick<ContinuationSchedule, 'minFall' | 'fallSteps'>,
): ResultCode | undefined {
  if (step <= fallSteps) return undefined;
  const before = Math.min(...loss.slice(0, -fallSteps));
  return before - Math.min(...loss.slice(-fallSteps)) <= minFall * fidelity ? 'converged' : undefined;
}

/** Robust choice of the start: residuals beyond a sixth of the image's range count alike. */
export function robustStart(channels: number, pool: number, seed: number, maxShare?: number): StartRule {
  const distance = { kind: 'truncated', limit: channels / 3 } as const;
  return { pool, ...(maxShare === undefined ? {} : { maxShare }), distance, seed };
}
