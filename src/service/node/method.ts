/** The method that options ask for, with what its runs share; bounded by the steps that are made here. */
import { optionError } from '../../errors.ts';
import type { Reuse } from '../../inversion/compile/reuse.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { buildMethod, understoodOptions } from '../../inversion/methods/index.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import { plannedSteps } from '../../inversion/solve/restore.ts';
import { type Method, takesEncoder } from '../../inversion/spec/method.ts';
import type { RestoreOptions } from '../options.ts';
import type { Opened } from './opened.ts';

export interface ChosenMethod {
  readonly method: Method;
  /** With its encoder, where the method takes one. */
  readonly generator: Generator;
  readonly reuse: Reuse;
  readonly thresholdGrey: number;
}

/** As `rgi restore` resolves its options. Throws `usage` where they do not go together. */
export function methodOf(
  { product, reuseFor }: Opened,
  {
    method: name,
    preset,
    steps,
    starts,
    seed,
    threshold,
  }: Pick<RestoreOptions, 'method' | 'preset' | 'steps' | 'starts' | 'seed' | 'threshold'>,
  masked: boolean,
): ChosenMethod {
  const { generator, encoder } = product;
  const context = { channels: generator.channels, generator: generator.graph, masked, critic: false, layers: [] };
  // Where the method has no threshold of its own, it says which residuals count as found.
  const thresholdGrey = understoodOptions(name).includes('thresholdGrey') ? threshold : undefined;
  const method = buildMethod({ method: name, preset, steps, starts, seed, thresholdGrey }, context);
  const encoded = takesEncoder(method);
  return {
    method,
    generator: encoded ? { ...generator, encoder } : generator,
    reuse: reuseFor([method.start, encoded]),
    thresholdGrey: threshold ?? FAST.thresholdGrey,
  };
}

/** Throws `usage` where the method makes more steps than are allowed. */
export function checkSteps(method: Method, maxSteps: number): void {
  const steps = plannedSteps(method) * Math.max(...method.stages.map(({ starts }) => starts));
  if (steps <= maxSteps) return;
  throw optionError(
    `This takes up to ${steps} steps, those of all searches; at most ${maxSteps} are made here. Ask for fewer steps or starts.`,
    { option: 'steps', problem: 'value', received: steps },
  );
}
