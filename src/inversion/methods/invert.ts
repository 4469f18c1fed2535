/** Plain GAN inversion: min over z of L_rec(x, G(z)), or, given the mask, over the known pixels only. */
import { ADAM, constantControls, type Formulation, type LossTerm, type PixelTerm } from '../spec/formulation.ts';
import type { Method } from '../spec/method.ts';
import { PAPER, PAPER_RATES, paperStart } from './presets.ts';

/** What `invert` is given; every field has a default. */
export interface InvertOptions {
  /** The pixel loss; default squared error. */
  readonly loss?: PixelTerm;
  /** Terms of L_rec besides `loss`, each with its weight. */
  readonly extraLoss?: readonly LossTerm[];
  /** Is the true mask given? The loss is then that of the known pixels; default false. */
  readonly masked?: boolean;
  /** Steps of Adam. */
  readonly steps?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
}

/** Plain GAN inversion: searches the z whose G(z) is nearest to the picture, by gradient descent. */
export function invert(options: InvertOptions = {}): Method {
  const formulation: Formulation = {
    loss: [options.loss ?? { kind: 'l2', weight: 1 }, ...(options.extraLoss ?? [])],
    reduction: 'sum',
    mask: { form: options.masked ? 'given' : 'none' },
    priors: [],
    optimiser: ADAM,
    weightGroups: [],
  };
  const controls = constantControls({ lambda: 0, latentRate: PAPER_RATES.latent, maskRate: 0, weightRates: [] });
  return {
    name: 'invert',
    needsMask: options.masked ?? false,
    start: paperStart(options.seed ?? 0),
    stages: [{ name: 'z', formulation, steps: options.steps ?? PAPER.paper.steps, starts: 1, controls }],
  };
}
