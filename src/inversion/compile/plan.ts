/**
 * The memory of a step before it runs, from the shapes of its graph: weights, states, and the inner values that are held
 * together. An estimate; `docs/generators.md` has how near it was to what was measured.
 */
import { splitModel } from '../../onnx/encode.ts';
import { sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { peakOf } from '../../passes/alive.ts';
import { recomputed } from '../../passes/recompute.ts';
import { type KnownType, typesOf } from '../../passes/shapes.ts';
import { evaluatorOf, NEXT, type Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import type { StepAdaption } from './reuse.ts';
import type { CompiledStep, StepPlan } from './step.ts';
import { STEP } from './step-names.ts';

/** The program and its libraries, before a model is opened. */
const PROGRAM_BYTES = 150 * 2 ** 20;
/** ONNX Runtime keeps a copy of a weight, and another that is packed for its kernels. */
const WEIGHT_COPIES = 2;
/**
 * What ONNX Runtime's arena takes of what it is asked for: blocks of growing size, and gaps between values. Measured at 64 to 512 px.
 * Without the arena a value is counted as its own bytes: a step of PGGAN of 512 px took 1.1 times as much, 1.3 with inner values computed
 * twice; of StyleGAN2 of 512 px 2.2 times with inner values computed twice, so that there the plan is too low. What kernels take for themselves is not counted.
 */
const ARENA_SHARE = 1.4;
/** The state as it is, and as it will be after the step. */
const STATE_SETS = 2;
/** Everything is counted as float32. */
const ELEMENT_BYTES = 4;

/** Into how many segments the forward half is divided at most; more do not take less. */
const MAX_SEGMENTS = 8;

/** The memory that `compiled` takes: as it was planned when it was adapted, if it was. */
export async function planStep(compiled: CompiledStep, generator: Generator, runtime: Runtime): Promise<StepPlan> {
  return compiled.plan ?? planOf(compiled, generator, await typesOf(compiled.step, evaluatorOf(runtime, splitModel)));
}

/**
 * An adaption of steps that are planned to take more than `allowed` bytes. First their memory is given back at once
 * (`SessionOptions.keepsMemory`); where that does not suffice, inner values are computed again as well (`passes/recompute`), in the fewest
 * segments by which the plan keeps to `allowed`. If no step does, the one that takes least.
 */
export function withinMemory(allowed: number): StepAdaption {
  return async (compiled, generator, runtime) => {
    const types = await typesOf(compiled.step, evaluatorOf(runtime, splitModel));
    const planned = (step: CompiledStep, known: Types) => ({ ...step, plan: planOf(step, generator, known) });
    const plain = planned(compiled, types);
    if (plain.plan.total <= allowed) return plain;
    let best = planned({ ...compiled, keepsMemory: false }, types);
    const ends = [STEP.loss, STEP.fidelity, STEP.masked, STEP.trialLoss];
    const variables = [...compiled.latents.keys()];
    for (let segments = 2; segments <= MAX_SEGMENTS && best.plan.total > allowed; segments++) {
      const made = recomputed(compiled.step, types, { ends, variables, segments });
      if (!made) continue;
      const again = planned({ ...compiled, step: made.graph, keepsMemory: false, recomputes: true }, made.types);
      if (again.plan.total < best.plan.total) best = again;
    }
    return best;
  };
}

type Types = ReadonlyMap<string, Pick<KnownType, 'dims'>>;

function planOf(
  { step, weights: tuned, keepsMemory = true }: CompiledStep,
  { graph }: Generator,
  types: Types,
): StepPlan {
  const bytesOf = (name: string) => ELEMENT_BYTES * sizeOf(types.get(name)?.dims ?? []);
  const held = bytesTogether([...graph.initializers.values(), ...step.initializers.values(), ...tuned.values()]);
  const weights = held + WEIGHT_COPIES * bytesTogether([...step.initializers.values()]);
  const states = step.outputs.filter(({ name }) => name.startsWith(NEXT));
  const state = STATE_SETS * states.reduce((sum, { name }) => sum + bytesOf(name), 0);
  const values = (keepsMemory ? ARENA_SHARE : 1) * peakOf(step, bytesOf);
  return { weights, state, values, total: PROGRAM_BYTES + weights + state + values };
}

/** Of the arrays, each counted once. */
function bytesTogether(tensors: readonly Tensor[]): number {
  return [...new Set(tensors.map(({ data }) => data))].reduce((sum, { byteLength }) => sum + byteLength, 0);
}
