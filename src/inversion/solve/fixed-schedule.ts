/**
 * The same search for one batch of pictures after another, from given starts: each stage's compiled step and sessions serve them
 * all, where `runMethod` opens new ones for each batch. For methods with one start per picture, no given mask and a lambda
 * that is not measured on the picture; all planned steps of all stages are made, also those that a picture might do without.
 */
import { RgiError } from '../../errors.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import { looksForMissing, type Method } from '../spec/method.ts';
import { drive } from './driver.ts';
import { createSolver } from './solver.ts';

export interface FixedScheduleSearch {
  /** G(z) [n,C,H,W] for pictures [n,C,H,W] and starts [n, ...dims] of each latent; each n is compiled once. Throws when aborted. */
  run(images: Tensor, starts: ReadonlyMap<string, Tensor>, signal?: AbortSignal): Promise<Tensor>;
  dispose(): Promise<void>;
}

/** Throws `usage` for a method whose steps depend on the pictures. */
export function fixedScheduleSearch(generator: Generator, method: Method, runtime: Runtime): FixedScheduleSearch {
  const { stages, needsMask } = method;
  if (stages.some(({ starts }) => starts !== 1))
    throw new RgiError('usage', 'A fixed-schedule search needs stages with one start each.');
  if (needsMask || looksForMissing(method) || stages.some((stage) => stage.lambdaOfThreshold || stage.freezesMask))
    throw new RgiError(
      'usage',
      "A fixed-schedule search supports neither a given mask nor a measured threshold: set the method's threshold.",
    );
  const solver = createSolver(generator, method, runtime, { fixedSchedule: true, reusesLoops: true });
  return {
    async run(images, starts, signal) {
      await solver.init(images, undefined, starts);
      for await (const _ of drive(solver, signal)) signal?.throwIfAborted();
      signal?.throwIfAborted();
      return (await solver.finish()).image;
    },
    dispose: solver.dispose,
  };
}
