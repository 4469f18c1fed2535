/**
 * R-RGI (Mou et al., ICLR 2023): RGI over the generator's weights theta, too, after a warm-up in which theta is frozen.
 * As in the released code theta's Adam is stepped from the beginning with rate 0, so that its moments are warm and its
 * bias correction spent when the weights begin to move.
 */
import type { Formulation } from '../formulation.ts';
import type { Method } from '../method.ts';
import { PAPER, PAPER_RATES } from '../presets.ts';
import { type RgiOptions, rgi } from './rgi.ts';

export interface RrgiOptions extends RgiOptions {
  /** Names of the weights of G to tune. */
  readonly weights: readonly string[];
  readonly weightsFrom?: number;
}

export function rrgi(options: RrgiOptions): Method {
  const paper = PAPER[options.preset];
  const base = rgi(options);
  const [warm] = base.stages;
  const formulation: Formulation = { ...warm.formulation, weightGroups: [options.weights] };
  // With fewer steps than the recipe's, theta still gets the recipe's share of them.
  const from = options.weightsFrom ?? Math.round((warm.steps * paper.weightsFrom) / paper.steps);
  return {
    ...base,
    name: 'rrgi',
    stages: [
      {
        ...warm,
        name: 'z, M and theta',
        formulation,
        controls: (t) => ({
          ...warm.controls(t),
          maskRate: paper.freezeMask && t >= from ? 0 : PAPER_RATES.mask,
          weightRates: [t >= from ? PAPER_RATES.weights : 0],
        }),
      },
    ],
  };
}
