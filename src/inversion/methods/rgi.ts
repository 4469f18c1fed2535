/**
 * RGI (Mou et al., ICLR 2023): min over z and M of  L_rec((1-M)*x, (1-M)*G(z)) + lambda*||M||_1.
 * The released code follows the gradient in M with an Adam of its own.
 */
import { ADAM, constantControls, type Formulation } from '../formulation.ts';
import type { Method } from '../method.ts';
import { PAPER, PAPER_RATES, type PaperPreset, paperStart } from '../presets.ts';

export interface RgiOptions {
  readonly preset: PaperPreset;
  readonly lambda?: number;
  readonly steps?: number;
  readonly seed?: number;
  /** Is a discriminator given? Without, the critic term is off. */
  readonly critic?: boolean;
}

export function rgi(options: RgiOptions): Method {
  const paper = PAPER[options.preset];
  const formulation: Formulation = {
    loss: [paper.loss],
    reduction: 'sum',
    mask: { form: 'free', shared: false, initial: paper.initialMask },
    priors: options.critic && paper.critic > 0 ? [{ kind: 'critic', weight: paper.critic }] : [],
    optimiser: ADAM,
    weightGroups: [],
  };
  const controls = constantControls({
    lambda: options.lambda ?? paper.lambda,
    latentRate: PAPER_RATES.latent,
    maskRate: PAPER_RATES.mask,
    weightRates: [],
  });
  return {
    name: 'rgi',
    needsMask: false,
    start: paperStart(options.seed ?? 0),
    stages: [{ name: 'z and M', formulation, steps: options.steps ?? paper.steps, starts: 1, controls }],
  };
}
