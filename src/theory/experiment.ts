/** Runs one cell of the plan: makes its pictures, follows the path (or tunes the weights), measures. */

import { rows } from '../arrays/rows.ts';
import { corrupt } from '../images/corruptions.ts';
import { type Image, imageAt } from '../images/image.ts';
import { robustStart } from '../inversion/methods/continuation.ts';
import { chooseStarts } from '../inversion/start/starts.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ESTIMATORS } from './estimators.ts';
import { errorsOf, rowsOf, truthAt } from './measure.ts';
import { PATH, type PathPlan, type Plan } from './plan.ts';
import type { Cell, Errors, PathCell, Point } from './record.ts';
import { followPath, type PathPoint } from './search.ts';
import { type CellHooks, type Setting, withSmoothGap } from './setting.ts';
import { tune } from './tuning.ts';

/** Searches that are compiled side by side. */
const SEARCHES = 32;

/** Version of what cells are made by: raised whenever the same plan and settings give other numbers. */
export const CELL_RULES = 1;

/** Undefined if aborted. */
export function runCell(
  plan: Plan,
  key: string,
  setting: Setting,
  runtime: Runtime,
  hooks: CellHooks,
): Promise<Cell | undefined> {
  return plan.kind === 'tuning'
    ? tune(plan, key, setting, runtime, hooks)
    : runPath(plan, key, setting, runtime, hooks);
}

async function runPath(
  plan: PathPlan,
  key: string,
  setting: Setting,
  runtime: Runtime,
  hooks: CellHooks,
): Promise<PathCell | undefined> {
  const { generator, seed, starts } = setting;
  const { clean, latents } = cleanOf(plan, setting);
  const { image, mask } = corrupt(clean, plan.corruption, seed + 1);
  const searches = starts + (plan.fromTruth ? 1 : 0);
  const size = Math.max(1, Math.floor(SEARCHES / searches));
  const points: { search: Errors[]; truth: Errors[] }[] = PATH.map(() => ({ search: [], truth: [] }));
  let done = 0;
  for (let from = 0; from < plan.count; from += size) {
    const picked = Array.from({ length: Math.min(size, plan.count - from) }, (_, i) => from + i);
    const images = rows(image, picked);
    const problem = {
      generator,
      estimator: ESTIMATORS[plan.estimator],
      images,
      starts: await chooseStarts(
        generator,
        images,
        robustStart(generator.channels, setting.pool, seed + 2),
        starts,
        runtime,
        { pool: hooks.reuse.pool, signal: hooks.signal },
      ),
      truth: plan.fromTruth && latents ? rowsOf(latents, picked) : undefined,
      path: PATH,
      steps: setting.steps,
    };
    let reached = 0;
    const onStep = () => {
      done += picked.length * searches;
      hooks.onProgress?.(done);
    };
    for await (const point of followPath(problem, runtime, { ...hooks, onStep })) {
      for (const [i, index] of picked.entries()) {
        const truth = truthAt(clean, mask, latents, index);
        const measured = (search: number) => errorsOf(foundAt(point, search), truth, setting.invariance);
        points[reached].search.push(measured(bestOf(point, i, starts)));
        if (problem.truth) points[reached].truth.push(measured(i * searches + starts));
      }
      reached++;
    }
    if (reached < PATH.length) return undefined;
  }
  return {
    kind: 'path',
    key,
    experiment: plan.experiment,
    case: plan.case,
    estimator: plan.estimator,
    ...(plan.level === undefined ? {} : { level: plan.level }),
    points: points.map(
      ({ search, truth }, i): Point => ({
        grey: PATH[i],
        lambda: ESTIMATORS[plan.estimator].lambda(PATH[i], generator.channels),
        search,
        ...(truth.length > 0 ? { truth } : {}),
      }),
    ),
  };
}

function cleanOf(plan: PathPlan, setting: Setting): { clean: Image; latents?: ReadonlyMap<string, Tensor> } {
  if (plan.pictures) return { clean: setting.pictures! };
  const picked = Array.from({ length: plan.count }, (_, i) => i);
  const clean = rows(setting.clean, picked);
  return {
    clean: plan.gap ? withSmoothGap(clean, plan.gap, setting.seed + 3) : clean,
    latents: rowsOf(setting.latents, picked),
  };
}

/** The search of picture i that ended lowest, the one from z* left out. */
function bestOf({ objective, searches }: PathPoint, i: number, starts: number): number {
  const own = Array.from({ length: starts }, (_, k) => i * searches + k);
  const cost = (k: number) => (Number.isFinite(objective[k]) ? objective[k] : Number.POSITIVE_INFINITY);
  return own.reduce((a, b) => (cost(b) < cost(a) ? b : a));
}

function foundAt(point: PathPoint, search: number) {
  return {
    objective: point.objective[search],
    image: imageAt(point.image, search),
    ...(point.mask ? { mask: imageAt(point.mask, search) } : {}),
    latents: rowsOf(point.latents, [search]),
  };
}
