/**
 * What several runs on one generator share: compiled steps, the pool of starts, how flat its pictures are. A caller with many
 * pictures makes one and passes it to every run; it must not serve another generator, start rule or critic.
 */
import { splitModel } from '../../onnx/encode.ts';
import { evaluatorOf, type Runtime } from '../../runtime/runtime.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import type { FlatnessCache } from '../mask/missing.ts';
import type { Formulation } from '../spec/formulation.ts';
import { type CompiledStep, compileStep } from './step.ts';

/** From a compiled step to one that computes the same, to rounding. */
export type StepAdaption = (compiled: CompiledStep, generator: Generator, runtime: Runtime) => Promise<CompiledStep>;

/** What the runs have computed so far. Its contents are for the solver; make it with `reuse()` and pass it on. */
export interface Reuse extends FlatnessCache {
  /** By what is minimised and the batch. */
  readonly steps: Map<string, Promise<CompiledStep>>;
  /** What was made of the pool's batches, by the first latent of each; see `start/pool.ts`. */
  readonly pool: Map<number, Float32Array>;
  /** Makes another step of each compiled one, which is used in its place: one of less memory (`withinMemory`). For `adaptingReuse`. */
  readonly adapt?: StepAdaption;
}

/** An empty one, for `RestoreJob.reuse` and `SolverOptions.reuse`: runs that share it compile each step graph once. */
export function reuse(): Reuse {
  return { steps: new Map(), pool: new Map() };
}

/** As `reuse`, with every step adapted by `adapt`. */
export function adaptingReuse(adapt: StepAdaption): Reuse {
  return { ...reuse(), adapt };
}

/** The step of `formulation` for `batch` searches: formulations that are equal, as data, share it. */
export function compiledOnce(
  { steps, adapt }: Reuse,
  generator: Generator,
  formulation: Formulation,
  batch: number,
  runtime: Runtime,
  critic?: Critic,
): Promise<CompiledStep> {
  const key = JSON.stringify([batch, formulation]);
  const known = steps.get(key);
  if (known) return known;
  const plain = compileStep(generator, formulation, batch, evaluatorOf(runtime, splitModel), critic);
  const made = adapt ? plain.then((compiled) => adapt(compiled, generator, runtime)) : plain;
  steps.set(key, made);
  return made;
}
