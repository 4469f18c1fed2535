/**
 * R-RGI (Mou et al., ICLR 2023): RGI over the generator's weights theta, too, after a warm-up in which theta is frozen.
 * In the released code (presets `paper...`) theta's Adam is stepped from the beginning with rate 0, so that its moments
 * are warm and its bias correction spent when the weights begin to move. Our default runs RGI, fixes the mask it
 * has found, and then frees theta: weights that move with the mask learn the corruption that it does not cover yet.
 */

import { optionError } from '../../errors.ts';
import { ADAM, type Formulation } from '../spec/formulation.ts';
import type { Method, Stage } from '../spec/method.ts';
import { cosineDecay, stalled } from './continuation.ts';
import { isOwnPreset, PAPER, PAPER_RATES, type PaperPreset } from './presets.ts';
import { type RgiOptions, rgi } from './rgi.ts';

/** What `rrgi` is given. */
export interface RrgiOptions extends Omit<RgiOptions, 'preset'> {
  /** 'best': our default. 'paper', 'paper-l1', 'paper-detect': the authors' released settings. */
  readonly preset?: 'best' | PaperPreset;
  /** Names of the weights of G to tune. */
  readonly weights: readonly string[];
  /** The largest rank of a weight's change; any if not given. */
  readonly weightRank?: number;
  /** Rate of the weights' Adam; default 1e-4 ('best') or the recipe's. */
  readonly weightRate?: number;
  /** The step from which theta moves (paper presets). */
  readonly weightsFrom?: number;
  /** Steps in which theta moves; default 50 ('best'). */
  readonly weightSteps?: number;
  /** Rate of z's Adam while theta moves; default 0.01 ('best'). */
  readonly tuningLatentRate?: number;
}

/** Defaults of `weightSteps`, `weightRate` and `tuningLatentRate` ('best'): how long theta moves, how fast, and z with it. */
export const FAST_WEIGHTS = {
  steps: 50,
  rate: 1e-4,
  latentRate: 0.01,
  /** See `Formulation.maxPredictedFall`. */
  maxPredictedFall: 1,
  /** Tuning ends where the best objective has fallen by less than this share of L_rec in the last `fallSteps` steps. */
  minFall: 1e-2,
  fallSteps: 8,
} as const;

/**
 * R-RGI (Mou et al., ICLR 2023): RGI, and then the generator's weights move too. One picture at a time from there on.
 * Throws `RgiError('usage')` for several starts with a paper's preset.
 */
export function rrgi(options: RrgiOptions): Method {
  const { preset = 'best' } = options;
  if (!isOwnPreset(preset) && (options.starts ?? 1) > 1) {
    throw optionError(
      `The preset '${preset}' of rrgi tunes one set of weights from its first step, and supports one start only: leave out the starts, or use the preset 'best'.`,
      { option: 'starts', problem: 'conflict', received: options.starts },
    );
  }
  if (!isOwnPreset(preset) && options.tuningLatentRate !== undefined) {
    throw optionError(
      `The preset '${preset}' of rrgi moves the latent at one rate throughout: leave out the rate beside weights, or use the preset 'best'.`,
      { option: 'tuningLatentRate', problem: 'conflict', received: options.tuningLatentRate },
    );
  }
  const base = rgi({ ...options, preset: isOwnPreset(preset) ? 'fast' : preset });
  const stages = isOwnPreset(preset) ? freedAfterwards(base, options) : warmFromTheStart(base, options, preset);
  return { ...base, name: 'rrgi', stages };
}

function freedAfterwards(base: Method, options: RrgiOptions): Stage[] {
  const last = base.stages[base.stages.length - 1];
  const steps = options.weightSteps ?? FAST_WEIGHTS.steps;
  const rate = options.weightRate ?? FAST_WEIGHTS.rate;
  const latentRate = options.tuningLatentRate ?? FAST_WEIGHTS.latentRate;
  const tune: Stage = {
    name: 'tune',
    formulation: {
      ...withWeights(last.formulation, options),
      mask: { form: 'given' },
      optimiser: ADAM,
      maxPredictedFall: FAST_WEIGHTS.maxPredictedFall,
      keepsBest: true,
    },
    freezesMask: true,
    steps,
    starts: 1,
    terminate: (progress) => stalled(progress, FAST_WEIGHTS),
    controls: (t) => ({
      lambda: 0,
      latentRate: latentRate * cosineDecay(t / steps),
      maskRate: 0,
      weightRates: [rate * cosineDecay(t / steps)],
    }),
  };
  return [...base.stages, tune];
}

function warmFromTheStart(base: Method, options: RrgiOptions, preset: keyof typeof PAPER): Stage[] {
  const paper = PAPER[preset];
  const [warm] = base.stages;
  // With other step counts than the recipe's, theta still gets the recipe's share of them.
  const from = options.weightsFrom ?? Math.round((warm.steps * paper.weightsFrom) / paper.steps);
  const rate = options.weightRate ?? PAPER_RATES.weights;
  return [
    {
      ...warm,
      name: 'z, M and theta',
      formulation: withWeights(warm.formulation, options),
      controls: (t) => {
        const controls = warm.controls(t);
        return {
          ...controls,
          maskRate: paper.freezeMask && t >= from ? 0 : controls.maskRate,
          weightRates: [t >= from ? rate : 0],
        };
      },
    },
  ];
}

function withWeights(formulation: Formulation, { weights, weightRank }: RrgiOptions): Formulation {
  return { ...formulation, weightGroups: [weights], weightRank };
}
