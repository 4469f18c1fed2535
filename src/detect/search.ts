/**
 * The search a policy is calibrated with: RGI in absolute error, lambda lowered to a threshold that was chosen on good pictures.
 * Adam with a falling rate, which the calibrated statistics are of: with L-BFGS, as the restoring presets have it, the shipped
 * model and policy fall from AP .229 to .185 on BSData.
 */

import type { Generator } from '../inversion/generator/generator.ts';
import { cosineDecay, geometric, robustStart } from '../inversion/methods/continuation.ts';
import { FAST } from '../inversion/methods/rgi.ts';
import { ADAM, type Formulation, lambdaOf } from '../inversion/spec/formulation.ts';
import type { Method, Stage } from '../inversion/spec/method.ts';
import type { SearchSettings } from './policy.ts';

/** Residual at which the path begins to mask: half the range, more than any good start leaves behind. */
const FIRST_THRESHOLD_GREY = 127.5;

const RATE = 0.1;
/** Shares of the steps in which lambda falls, z is refined, and refined again from half the rate. */
const SHARES = [1 / 4, 3 / 8];

export function policySearch(
  generator: Generator,
  { thresholdGrey, prior, steps }: SearchSettings,
  starts: number,
): Method {
  const { channels } = generator;
  const loss = { kind: 'l1', weight: 1 } as const;
  const lambda = lambdaOf(thresholdGrey, loss, channels);
  const from = lambdaOf(Math.max(thresholdGrey, FIRST_THRESHOLD_GREY), loss, channels);
  const formulation = (coherence: number): Formulation => ({
    loss: [loss],
    reduction: 'sum',
    mask: { form: 'exact', shared: true, coherence },
    priors: prior > 0 ? [{ kind: 'gaussian', weight: prior }] : [],
    optimiser: ADAM,
    weightGroups: [],
  });
  const still = { maskRate: 0, weightRates: [] };
  const falling = (name: string, count: number, rate: number): Stage => ({
    name,
    formulation: formulation(FAST.coherence),
    steps: count,
    starts: 1,
    controls: (t) => ({ ...still, lambda, latentRate: rate * cosineDecay(t / count) }),
  });
  const [early, middle] = SHARES.map((share) => Math.ceil(steps * share));
  const lower: Stage = {
    name: 'lower',
    formulation: formulation(0),
    steps: early,
    starts,
    controls: (t) => ({ ...still, lambda: geometric(from, lambda, t / early), latentRate: RATE }),
  };
  return {
    name: 'rgi',
    needsMask: false,
    start: robustStart(channels, FAST.pool, 0),
    stages: [lower, falling('refine', middle, RATE), falling('settle', Math.max(0, steps - early - middle), RATE / 2)],
  };
}
