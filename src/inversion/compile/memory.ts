/**
 * The memory of a search before it starts, from the shapes of its step graphs: weights, states, and the inner values of a step that are held
 * together. An estimate; `docs/generators.md` has how near it was to what was measured.
 */
import { RgiError } from '../../errors.ts';
import { splitModel } from '../../onnx/encode.ts';
import { sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { peakOf } from '../../passes/alive.ts';
import { shapesOf } from '../../passes/shapes.ts';
import { evaluatorOf, NEXT, type Runtime } from '../../runtime/runtime.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { type Method, stageTunesWeights } from '../spec/method.ts';
import { compiledOnce, type Reuse } from './reuse.ts';
import type { CompiledStep } from './step.ts';

/** Bytes of the largest step of a search. */
export interface MemoryPlan {
  /** Name of the stage whose step it is. */
  readonly stage: string;
  /** Weights, with the copies that ONNX Runtime keeps of them. */
  readonly weights: number;
  /** What a step begins and ends with: latents, masks, tuned weights, their moments. */
  readonly state: number;
  /** Inner values that are held together, at most. */
  readonly values: number;
  /** All of it, with the program itself. */
  readonly total: number;
}

/** The program and its libraries, before a model is opened. */
const PROGRAM_BYTES = 150 * 2 ** 20;
/** ONNX Runtime keeps a copy of a weight, and another that is packed for its kernels. */
const WEIGHT_COPIES = 2;
/** ONNX Runtime's arena takes more than it is asked for: blocks of growing size, and gaps between values. Measured at 64 to 512 px. */
const ARENA_SHARE = 1.4;
/** The state as it is, and as it will be after the step. */
const STATE_SETS = 2;
/** Everything is counted as float32. */
const ELEMENT_BYTES = 4;

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
  let most: MemoryPlan | undefined;
  for (const stage of method.stages) {
    const batch = stage.starts * (stageTunesWeights(stage) ? 1 : pictures);
    const compiled = await compiledOnce(reuse, generator, stage.formulation, batch, runtime, critic);
    const plan = await planOf(stage.name, compiled, generator, runtime);
    if (!most || plan.total > most.total) most = plan;
  }
  return most!;
}

/** Throws `usage` where `plan` exceeds `allowed` bytes; the sentence says what takes less. */
export function checkMemory(plan: MemoryPlan, allowed: number, method: Method, pictures: number): void {
  if (plan.total <= allowed) return;
  const remedies = [
    ...(pictures > 1 ? ['fewer pictures at a time (--batch 1)'] : []),
    ...(method.stages.some(({ starts }) => starts > 1) ? ['one search a picture (--starts 1)'] : []),
    ...(method.stages.some(stageTunesWeights) ? ['frozen weights (--method rgi)'] : []),
  ];
  const remedy = remedies.length > 0 ? `It takes less with ${remedies.join(', or ')}.` : 'Use a smaller generator.';
  throw new RgiError(
    'usage',
    `A step of '${plan.stage}' needs about ${inGigabytes(plan.total)} GB, more than --memory allows (${inGigabytes(allowed)} GB). ${remedy}`,
  );
}

/** With one digit after the point. */
export function inGigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

async function planOf(
  stage: string,
  { step, weights: tuned }: CompiledStep,
  { graph }: Generator,
  runtime: Runtime,
): Promise<MemoryPlan> {
  const dims = await shapesOf(step, evaluatorOf(runtime, splitModel));
  const bytesOf = (name: string) => ELEMENT_BYTES * sizeOf(dims.get(name) ?? []);
  const held = bytesTogether([...graph.initializers.values(), ...step.initializers.values(), ...tuned.values()]);
  const weights = held + WEIGHT_COPIES * bytesTogether([...step.initializers.values()]);
  const states = step.outputs.filter(({ name }) => name.startsWith(NEXT));
  const state = STATE_SETS * states.reduce((sum, { name }) => sum + bytesOf(name), 0);
  const values = ARENA_SHARE * peakOf(step, bytesOf);
  return { stage, weights, state, values, total: PROGRAM_BYTES + weights + state + values };
}

/** Of the arrays, each counted once. */
function bytesTogether(tensors: readonly Tensor[]): number {
  return [...new Set(tensors.map(({ data }) => data))].reduce((sum, { byteLength }) => sum + byteLength, 0);
}
