/**
 * DGP (Pan et al., "Exploiting deep generative prior", ECCV 2020 / TPAMI 2021): min over z and theta of a distance of
 * discriminator features plus squared error on the known pixels, in five stages with falling rates; the generator's
 * layers may be unlocked from shallow to deep. Needs the true mask.
 */
import { ADAM, type Controls, type Formulation, type LossTerm } from '../spec/formulation.ts';
import type { Method } from '../spec/method.ts';
import { PAPER, PAPER_RATES, type PaperPreset, paperStart } from './presets.ts';

/** What `dgp` is given. */
export interface DgpOptions {
  /** 'original': the authors' inpainting settings; 'rgi': RGI's "Pan": the R-RGI loop, L1, true mask. Default 'original'. */
  readonly recipe?: 'original' | 'rgi';
  /** The paper's settings for the recipe 'rgi'; default 'paper'. */
  readonly preset?: PaperPreset;
  /** Weights of G by depth, shallow first. */
  readonly weightGroups: readonly (readonly string[])[];
  /** The largest rank of a weight's change; any if not given. */
  readonly weightRank?: number;
  /** Layers of the discriminator that give the features; none = squared error alone. */
  readonly layers: readonly string[];
  /** Groups tuned in each of the five stages; the authors' inpainting unlocks all from the start. */
  readonly unlocked?: readonly number[];
  /** Is a discriminator given? The recipe 'rgi' then adds its score as a prior; default false. */
  readonly critic?: boolean;
  /** Steps in all; default the recipe's. */
  readonly steps?: number;
  /** Recipe 'rgi': the step from which the weights move; default the preset's. */
  readonly weightsFrom?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
}

/** Rates and weights by stage: the authors' inpainting at 128 pixels (DGP's released scripts). */
const STAGES = {
  weightRates: [2e-4, 2e-4, 1e-4, 1e-4, 1e-5],
  latentRates: [1e-3, 1e-3, 1e-4, 1e-4, 1e-5],
  feature: [1, 1, 1, 0.1, 0.1],
  squared: [10, 10, 10, 100, 100],
} as const;

const STAGE_STEPS = 200;

/**
 * DGP (Pan et al., "Exploiting deep generative prior for versatile image restoration and manipulation", ECCV 2020):
 * searches z and the generator's weights with the true mask. One picture at a time.
 */
export function dgp(options: DgpOptions): Method {
  return (options.recipe ?? 'original') === 'original' ? original(options) : simplified(options);
}

function original(options: DgpOptions): Method {
  const features: LossTerm[] =
    options.layers.length > 0 ? [{ kind: 'feature', weight: 1, distance: 'l1', layers: options.layers }] : [];
  const formulation: Formulation = {
    loss: [...features, { kind: 'l2', weight: 1 }],
    reduction: 'mean',
    scheduledTerms: true,
    mask: { form: 'given' },
    priors: [{ kind: 'gaussian', weight: 0.02 }],
    optimiser: { kind: 'adam', beta1: 0, beta2: 0.999, epsilon: 1e-8 },
    weightGroups: options.weightGroups,
    weightRank: options.weightRank,
  };
  const perStage = Math.max(1, Math.round((options.steps ?? 5 * STAGE_STEPS) / 5));
  const controls = (t: number): Controls => {
    const stage = Math.min(4, Math.floor(t / perStage));
    const open = options.unlocked?.[stage] ?? options.weightGroups.length;
    const squared = STAGES.squared[stage];
    return {
      lambda: 0,
      latentRate: STAGES.latentRates[stage],
      maskRate: 0,
      weightRates: options.weightGroups.map((_, depth) => (depth < open ? STAGES.weightRates[stage] : 0)),
      termScales: features.length > 0 ? [STAGES.feature[stage], squared] : [squared],
    };
  };
  return {
    name: 'dgp',
    needsMask: true,
    start: {
      pool: 500,
      distance: features.length > 0 ? { kind: 'loss' } : { kind: 'l2' },
      scale: 0.3,
      seed: options.seed ?? 0,
    },
    stages: [{ name: 'z and theta', formulation, steps: 5 * perStage, starts: 1, controls }],
  };
}

function simplified(options: DgpOptions): Method {
  const paper = PAPER[options.preset ?? 'paper'];
  const steps = options.steps ?? paper.steps;
  const from = options.weightsFrom ?? Math.round((steps * paper.weightsFrom) / paper.steps);
  const formulation: Formulation = {
    loss: [{ kind: 'l1', weight: 1 }],
    reduction: 'sum',
    mask: { form: 'given' },
    priors: options.critic && paper.critic > 0 ? [{ kind: 'critic', weight: paper.critic }] : [],
    optimiser: ADAM,
    weightGroups: [options.weightGroups.flat()],
    weightRank: options.weightRank,
  };
  const controls = (t: number): Controls => ({
    lambda: 0,
    latentRate: PAPER_RATES.latent,
    maskRate: 0,
    weightRates: [t >= from ? PAPER_RATES.weights : 0],
  });
  return {
    name: 'dgp',
    needsMask: true,
    start: paperStart(options.seed ?? 0),
    stages: [{ name: 'z and theta', formulation, steps, starts: 1, controls }],
  };
}
