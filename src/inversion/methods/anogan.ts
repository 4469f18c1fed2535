/**
 * AnoGAN (Schlegl et al., IPMI 2017): min over z of  (1-a) sum|x - G(z)| + a sum|f(x) - f(G(z))|,  f = features of the
 * discriminator. The residual |x - G(z)| is the anomaly map, the loss the image's score.
 */
import { ADAM, constantControls, type Formulation, type LossTerm } from '../spec/formulation.ts';
import type { Method } from '../spec/method.ts';
import { PAPER, PAPER_RATES, paperStart } from './presets.ts';

/** What `anogan` is given. */
export interface AnoganOptions {
  /** 'original': residual and feature loss; 'rgi': as run in RGI's comparison (squared residual, critic's scalar). Default 'original'. */
  readonly recipe?: 'original' | 'rgi';
  /** Layers of the discriminator that give the features; none = no discriminator. */
  readonly layers: readonly string[];
  /** Is a discriminator given? The recipe 'rgi' then adds its score as a prior; default false. */
  readonly critic?: boolean;
  /** Steps of Adam; default 500 (the paper's) for 'original', 2000 for 'rgi'. */
  readonly steps?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
}

/** Weight of the feature loss, as in the paper. */
const FEATURE_SHARE = 0.1;

/**
 * AnoGAN (Schlegl et al., "Unsupervised anomaly detection with generative adversarial networks to guide marker
 * discovery", IPMI 2017): searches z by a residual and a discrimination loss; nothing is masked.
 */
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
