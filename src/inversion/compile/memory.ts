/** The memory of a search before it starts: that of its largest step. */
import { RgiError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { type Method, stageTunesWeights } from '../spec/method.ts';
import { planStep } from './plan.ts';
import { compiledOnce, type Reuse } from './reuse.ts';
import type { StepPlan } from './step.ts';

/** Of the step of a search that takes most. */
export interface MemoryPlan extends StepPlan {
  /** Name of the stage whose step it is. */
  readonly stage: string;
  /** Names of the stages whose steps compute inner values again (`withinMemory`). */
  readonly recomputing: readonly string[];
}

/**
 * The largest step of `method` for `pictures` side by side; where it tunes weights, of one picture in the stages that do. Compiles the steps,
 * for `reuse` to keep.
 */
export async function planMemory(
  generator: Generator,
  method: Method,
  pictures: number,
  runtime: Runtime,
  reuse: Reuse,
  critic?: Critic,
): Promise<MemoryPlan> {
  let most: Omit<MemoryPlan, 'recomputing'> | undefined;
  const recomputing: string[] = [];
  for (const stage of method.stages) {
    const batch = stage.starts * (stageTunesWeights(stage) ? 1 : pictures);
    const compiled = await compiledOnce(reuse, generator, stage.formulation, batch, runtime, critic);
    if (compiled.recomputes) recomputing.push(stage.name);
    const plan = await planStep(compiled, generator, runtime);
    if (!most || plan.total > most.total) most = { ...plan, stage: stage.name };
  }
  return { ...most!, recomputing };
}

/** Throws `usage` where `plan` exceeds `allowed` bytes; the sentence says what takes less. */
export function checkMemory(plan: MemoryPlan, allowed: number, method: Method, pictures: number): void {
  if (plan.total <= allowed) return;
  const even = plan.recomputing.includes(plan.stage) ? ', even with inner values computed twice' : '';
  const remedies = [
    ...(pictures > 1 ? ['fewer pictures at a time (--batch 1)'] : []),
    ...(method.stages.some(({ starts }) => starts > 1) ? ['one search a picture (--starts 1)'] : []),
    ...(method.stages.some(stageTunesWeights) ? ['frozen weights (--method rgi)'] : []),
  ];
  const remedy = remedies.length > 0 ? `It takes less with ${remedies.join(', or ')}.` : 'Use a smaller generator.';
  throw new RgiError(
    'usage',
    `A step of '${plan.stage}' needs about ${inGigabytes(plan.total)} GB, more than --memory allows (${inGigabytes(allowed)} GB)${even}. ${remedy}`,
  );
}

/** With one digit after the point. */
export function inGigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
