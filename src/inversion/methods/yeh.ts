/**
 * Yeh et al., "Semantic image inpainting with deep generative models" (CVPR 2017): min over z of a context loss on the
 * known pixels plus a prior loss that asks the discriminator. With the true mask, or (M = 0) without.
 */
import { boxMean } from '../../arrays/filter.ts';
import { visibilityOf } from '../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { ADAM, constantControls, type Formulation } from '../spec/formulation.ts';
import type { Method } from '../spec/method.ts';
import { PAPER, PAPER_RATES, type PaperPreset, paperStart } from './presets.ts';

/** What `yeh` is given. */
export interface YehOptions {
  /** 'original': the authors' released settings; 'rgi': as simplified in RGI's comparison. Default 'original'. */
  readonly recipe?: 'original' | 'rgi';
  /** The paper's settings for the recipe 'rgi'; default 'paper'. */
  readonly preset?: PaperPreset;
  /** With the true mask? */
  readonly masked: boolean;
  /**
   * Weight of a known pixel: 'released' = mean of the known over its 7x7 window (as in the authors' code: less next to the
   * hole); 'described' = mean of the hole over it (as in the paper's text: more next to the hole).
   */
  readonly importance?: 'none' | 'released' | 'described';
  /** Is a discriminator given? It then gives the prior loss; default false. */
  readonly critic?: boolean;
  /** Steps of the optimiser; default the recipe's. */
  readonly steps?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
}

const WINDOW = 7;

/**
 * Yeh et al., "Semantic image inpainting with deep generative models", CVPR 2017: searches z by the known pixels
 * (`importance` weights them by their distance from the hole) and a discriminator's judgement.
 */
export function yeh(options: YehOptions): Method {
  const original = (options.recipe ?? 'original') === 'original';
  const importance = options.importance ?? (original ? 'released' : 'none');
  const paper = PAPER[options.preset ?? 'paper'];
  const formulation: Formulation = {
    loss: [{ kind: 'l1', weight: 1 }],
    reduction: 'sum',
    mask: { form: options.masked ? 'given' : 'none' },
    priors: !options.critic
      ? []
      : original
        ? [{ kind: 'logistic', weight: 0.2 }]
        : [{ kind: 'critic', weight: paper.critic }],
    optimiser: original ? { kind: 'nesterov', momentum: 0.9 } : ADAM,
    latentBound: original ? 1 : undefined,
    weightGroups: [],
  };
  const latentRate = original ? 3e-4 : PAPER_RATES.latent;
  return {
    name: 'yeh',
    needsMask: options.masked,
    visibilityOf: importance === 'none' ? undefined : (mask) => importanceOf(mask, importance),
    // The authors tile the picture over 64 random starts and keep the best.
    start: original ? { pool: 64, distance: { kind: 'l1' }, seed: options.seed ?? 0 } : paperStart(options.seed ?? 0),
    stages: [
      {
        name: 'z',
        formulation,
        steps: options.steps ?? (original ? 3000 : paper.steps),
        starts: original ? 64 : 1,
        controls: constantControls({ lambda: 0, latentRate, maskRate: 0, weightRates: [] }),
      },
    ],
  };
}

function importanceOf(mask: Tensor, kind: 'released' | 'described'): Tensor {
  const known = visibilityOf(mask);
  const around = float32Data(boxMean(kind === 'released' ? known : mask, WINDOW));
  return float32(
    known.data.map((k, i) => k * around[i]),
    mask.dims,
  );
}
