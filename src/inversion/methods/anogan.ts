/**
 * AnoGAN (Schlegl et al., IPMI 2017): min over z of  (1-a) sum|x - G(z)| + a sum|f(x) - f(G(z))|,  f = features of the
 * discriminator. The residual |x - G(z)| is the anomaly map, the loss the image's score.
 */
import { ADAM, constantControls, type Formulation, type LossTerm } from '../spec/formulation.ts';
import type { Method } from '../spec/method.ts';
import { PAPER, PAPER_RATES, paperStart } from './presets.ts';

export interface AnoganOptions {
  /** 'original': residual and feature loss; 'rgi': as run in RGI's comparison (squared residual, critic's scalar). Default 'original'. */
  readonly recipe?: 'original' | 'rgi';
  /** Layers of the discriminator that give the features; none = no discriminator. */
  readonly layers: readonly string[];
  readonly critic?: boolean;
  readonly steps?: number;
  readonly seed?: number;
}

/** Weight of the feature loss, as in the paper. */
const FEATURE_SHARE = 0.1;

export function anogan(options: AnoganOptions): Method {
  const original = (options.recipe ?? 'original') === 'original';
  const paper = PAPER['paper-detect'];
  const features = options.layers.length > 0;
  const residual: LossTerm = { kind: 'l1', weight: features ? 1 - FEATURE_SHARE : 1 };
  const feature: LossTerm = { kind: 'feature', weight: FEATURE_SHARE, distance: 'l1', layers: options.layers };
  const formulation: Formulation = {
    loss: !original ? [paper.loss] : features ? [residual, feature] : [residual],
    reduction: 'sum',
    mask: { form: 'none' },
    priors: !original && options.critic ? [{ kind: 'critic', weight: paper.critic }] : [],
    optimiser: ADAM,
    weightGroups: [],
  };
  return {
    name: 'anogan',
    needsMask: false,
    // The original starts from one random latent.
    start: original ? { pool: 1, distance: { kind: 'l1' }, seed: options.seed ?? 0 } : paperStart(options.seed ?? 0),
    stages: [
      {
        name: 'z',
        formulation,
        // 500 steps is the paper's; it states no rate, 0.01 is usual in public re-implementations.
        steps: options.steps ?? (original ? 500 : paper.steps),
        starts: 1,
        controls: constantControls({
          lambda: 0,
          latentRate: original ? 0.01 : PAPER_RATES.latent,
          maskRate: 0,
          weightRates: [],
        }),
      },
    ],
  };
}
