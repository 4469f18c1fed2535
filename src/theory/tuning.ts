/**
 * R-RGI against the number of steps in which the weights move, on clean pictures that G cannot make. Our default's search
 * comes first; then the weights are freed at a constant rate, and looked at on the way: as they follow the picture, they
 * may also follow the corruption that the found mask, held fixed, has missed.
 */

import { rows } from '../arrays/rows.ts';
import { corrupt } from '../images/corruptions.ts';
import type { Image } from '../images/image.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import { FAST_WEIGHTS, rrgi } from '../inversion/methods/rrgi.ts';
import { drive } from '../inversion/solve/driver.ts';
import { createSolver } from '../inversion/solve/solver.ts';
import type { Method } from '../inversion/spec/method.ts';
import { trainableWeights } from '../passes/trainable.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { errorsOf, generateImages, rmsGrey, rowsOf, truthAt } from './measure.ts';
import { type TuningPlan, WEIGHT_STEPS, workOf } from './plan.ts';
import type { Errors, TuningCell } from './record.ts';
import { type CellHooks, type Setting, withPerturbedWeights, withSmoothGap } from './setting.ts';

/** Undefined if aborted. */
export async function tune(
  plan: TuningPlan,
  key: string,
  setting: Setting,
  runtime: Runtime,
  hooks: CellHooks,
): Promise<TuningCell | undefined> {
  const { generator, seed } = setting;
  const picked = Array.from({ length: plan.count }, (_, i) => i);
  const onManifold = rows(setting.clean, picked);
  const latents = rowsOf(setting.latents, picked);
  const clean =
    plan.gap === 'smooth'
      ? withSmoothGap(onManifold, plan.level, seed + 3)
      : await generateImages(withPerturbedWeights(generator, plan.level, seed + 4), latents, runtime);
  const { image, mask } = corrupt(clean, plan.corruption, seed + 1);
  const method = constantly(
    rrgi({
      preset: 'best',
      channels: generator.channels,
      masked: plan.maskGiven,
      weights: trainableWeights(generator.graph),
      weightSteps: WEIGHT_STEPS[WEIGHT_STEPS.length - 1],
      pool: setting.pool,
      seed: seed + 2,
    }),
  );
  const shared = reuse();
  const points = WEIGHT_STEPS.map((weightSteps) => ({
    weightSteps,
    errors: [] as Errors[],
    toCorruption: [] as number[],
  }));
  const whole = workOf(plan, setting);
  for (const index of picked) {
    const truth = truthAt(clean, mask, latents, index);
    const one = rows(image, [index]);
    const solver = createSolver(generator, method, runtime, { reuse: shared, signal: hooks.signal });
    const look = async (at: number) => {
      const { image: made, mask: soft, latents: z, loss } = await solver.finish();
      const found = { objective: loss[0], image: made as Image, mask: soft as Image | undefined, latents: z };
      points[at].errors.push(errorsOf(found, truth, setting.invariance));
      points[at].toCorruption.push(rmsGrey(found.image, one, truth.mask, 1) ?? 0);
    };
    try {
      await solver.init(one, plan.maskGiven ? truth.mask : undefined);
      let [stage, steps, looked] = [-1, 0, 0];
      for await (const { kind } of drive(solver, hooks.signal)) {
        if (kind === 'stage-begin') stage++;
        if (stage < method.stages.length - 1 || kind === 'stage-end') continue;
        if (kind === 'step') steps++;
        if (steps === WEIGHT_STEPS[looked]) await look(looked++);
      }
      if (hooks.signal?.aborted) return undefined;
      // A search that has diverged ends early, and stays where it is.
      while (looked < WEIGHT_STEPS.length) await look(looked++);
    } finally {
      await solver.dispose();
    }
    hooks.onProgress?.((whole * (index + 1)) / plan.count);
  }
  const distances = picked.map((i) => rmsGrey(rows(clean, [i]), rows(onManifold, [i])) ?? 0).sort((a, b) => a - b);
  return {
    kind: 'tuning',
    key,
    experiment: 'tuning',
    case: plan.case,
    gap: plan.gap,
    level: plan.level,
    gapGrey: distances[distances.length >> 1],
    maskGiven: plan.maskGiven,
    points,
  };
}

/**
 * The last stage with rates that do not fall, so that its points do not depend on how long it was planned; each point is the state at that
 * time, not the best one until then.
 */
function constantly(method: Method): Method {
  const last = method.stages[method.stages.length - 1];
  const { lambda } = last.controls(0);
  const constant = {
    ...last,
    formulation: { ...last.formulation, keepsBest: undefined },
    terminate: undefined,
    controls: () => ({
      lambda,
      latentRate: FAST_WEIGHTS.latentRate,
      maskRate: 0,
      weightRates: [FAST_WEIGHTS.rate],
    }),
  };
  return { ...method, stages: [...method.stages.slice(0, -1), constant] };
}
