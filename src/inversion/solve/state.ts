/** The state of a solver as plain data: start values, checks, and its file form. */
import { readNpz, writeNpz } from '../../arrays/npy.ts';
import { RgiError } from '../../errors.ts';
import { float32, float32Data, numbersOf, sizeOf, type Tensor, tensorOf, zeros } from '../../onnx/tensor.ts';
import type { Tensors } from '../../runtime/runtime.ts';
import type { CompiledStep } from '../compile/step.ts';
import { STEP } from '../compile/step-names.ts';
import type { ResultCode } from '../spec/result.ts';
import { lbfgsMemory } from './lbfgs-loop.ts';

/** Per image and step: the loss of its best search, and that search's mean |M|. */
export interface History {
  /** The objective. */
  readonly loss: readonly (readonly number[])[];
  /** Mean |M|, 0 to 1. */
  readonly masked: readonly (readonly number[])[];
}

/** Everything needed to resume with the same images, method and networks. */
export interface SolverState {
  /** Number of the stage, from 0. */
  readonly stage: number;
  /** Steps made in this stage. */
  readonly step: number;
  /** Latents, mask, weights and their moments, or the memory of L-BFGS. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Per search (images times starts): did it end, and how? */
  readonly codes: readonly (ResultCode | undefined)[];
  /** Per search: its losses in this stage, until it ended. */
  readonly losses: readonly (readonly number[])[];
  /** Up to this step. */
  readonly history: History;
  /** Per image: the least lambda its own residuals call for. */
  readonly minLambda: readonly number[];
  /** 1 - M [n,1,H,W], where a stage has fixed it. */
  readonly visibility?: Tensor;
}

/** The state before the first step of a stage. `memory`: that of L-BFGS, if not empty. */
export function initialTensors(
  compiled: CompiledStep,
  latents: ReadonlyMap<string, Tensor>,
  memory?: Tensor,
): Map<string, Tensor> {
  const { formulation } = compiled;
  const { optimiser } = formulation;
  const state = new Map<string, Tensor>();
  const add = (name: string, value: Tensor, moments: 1 | 2): void => {
    state.set(name, value);
    state.set(STEP.firstMoment(name), zeros('float32', value.dims));
    if (moments === 2) state.set(STEP.secondMoment(name), zeros('float32', value.dims));
  };
  for (const [name, dims] of compiled.latents) {
    const value = latents.get(name);
    if (!value || value.dims.join() !== dims.join()) {
      const found = value ? `[${value.dims.join(', ')}]` : 'missing';
      throw new RgiError('input', `The start of '${name}' must be [${dims.join(', ')}]; it is ${found}.`, {
        tensor: name,
      });
    }
    if (optimiser.kind === 'lbfgs') state.set(name, value);
    else add(name, value, optimiser.kind === 'adam' ? 2 : 1);
  }
  if (optimiser.kind === 'lbfgs') {
    const empty = lbfgsMemory(compiled.latents.values(), optimiser.memory);
    if (memory && memory.dims.join() !== empty.dims.join())
      throw new RgiError(
        'usage',
        'A warm start needs a memory of L-BFGS of the same length as that of the stage before.',
      );
    state.set(STEP.memory, memory ?? empty);
  }
  if (compiled.mask && 'initial' in formulation.mask) {
    add(STEP.mask, float32(new Float32Array(sizeOf(compiled.mask)).fill(formulation.mask.initial), compiled.mask), 2);
  }
  for (const [name, weight] of compiled.weights) add(name, weight, 2);
  return formulation.keepsBest ? withBest(state, compiled) : state;
}

function withBest(state: ReadonlyMap<string, Tensor>, { latents, weights }: CompiledStep): Map<string, Tensor> {
  const best = [...latents.keys(), ...weights.keys()].map((name) => [STEP.best(name), state.get(name)!] as const);
  // No L_rec is negative, or above the first.
  return new Map([...state, ...best, [STEP.bestFidelity, float32([-1, Number.POSITIVE_INFINITY], [2])]]);
}

/** The state that counts: the best one, where the stage keeps it, else the last. */
export function resultOf({ formulation, latents, weights }: CompiledStep, state: Tensors): Tensors {
  if (!formulation.keepsBest) return state;
  const names = [...latents.keys(), ...weights.keys()];
  return new Map([...state, ...names.map((name) => [name, state.get(STEP.best(name))!] as const)]);
}

/** L_rec of the visible pixels before the weights were tuned, and of the best state since. */
export interface Tuning {
  /** That of the search without tuning, at the same mask. */
  readonly before: number;
  /** Equal to `before` where no step lowered it: the weights are then the generator's own. */
  readonly after: number;
}

/** Are tuned weights part of the result? */
export function isKept({ before, after }: Tuning): boolean {
  return after < before;
}

/** What tuning has brought, where the stage keeps the best state and has made a step. */
export function tuningOf({ formulation }: CompiledStep, state: Tensors): Tuning | undefined {
  if (!formulation.keepsBest) return undefined;
  const [before, after] = float32Data(state.get(STEP.bestFidelity)!);
  return before < 0 ? undefined : { before, after };
}

/** Throws `input` where `state` cannot be one of this step. */
export function checkTensors(compiled: CompiledStep, state: SolverState): void {
  const expected = initialTensors(compiled, state.tensors);
  const unknown = [...state.tensors.keys()].find((name) => !expected.has(name));
  if (unknown) {
    throw new RgiError(
      'input',
      `The saved state belongs to another run: it holds '${unknown}', which this run has not.`,
      {
        tensor: unknown,
      },
    );
  }
  for (const [name, { dims }] of expected) {
    const found = state.tensors.get(name);
    if (found?.dims.join() === dims.join()) continue;
    throw new RgiError(
      'input',
      `The saved state belongs to another run: '${name}' must be [${dims.join(', ')}] and is ${found ? `[${found.dims.join(', ')}]` : 'missing'}.`,
      { tensor: name },
    );
  }
}

const TENSOR = 'state/';
const VISIBILITY = 'visibility';

/** The state as an `.npz` file. */
export function writeState(state: SolverState): Uint8Array {
  const { stage, step, codes, minLambda } = state;
  const facts = new TextEncoder().encode(
    JSON.stringify({ stage, step, minLambda, codes: codes.map((c) => c ?? null) }),
  );
  const arrays = new Map<string, Tensor>([['facts.json', tensorOf('uint8', [...facts], [facts.length])]]);
  state.losses.forEach((losses, i) => {
    arrays.set(`losses.${i}`, float32(losses));
  });
  state.history.loss.forEach((losses, i) => {
    arrays.set(`history.loss.${i}`, float32(losses));
    arrays.set(`history.masked.${i}`, float32(state.history.masked[i]));
  });
  if (state.visibility) arrays.set(VISIBILITY, state.visibility);
  for (const [name, tensor] of state.tensors) arrays.set(TENSOR + name, tensor);
  return writeNpz(arrays);
}

/** Reads what `writeState` wrote. Throws `input` for anything else. */
export function readState(bytes: Uint8Array): SolverState {
  const arrays = readNpz(bytes);
  const facts = arrays.get('facts.json');
  if (!facts) throw new RgiError('input', 'This .npz file is not a saved state of an inversion.');
  const { stage, step, minLambda, codes } = factsFrom(facts);
  const lists = (prefix: string): number[][] => {
    const found: number[][] = [];
    for (let i = 0; arrays.has(`${prefix}.${i}`); i++) found.push(numbersOf(arrays.get(`${prefix}.${i}`)!));
    return found;
  };
  return {
    stage,
    step,
    minLambda,
    ...(arrays.has(VISIBILITY) ? { visibility: arrays.get(VISIBILITY) } : {}),
    codes,
    losses: lists('losses'),
    history: { loss: lists('history.loss'), masked: lists('history.masked') },
    tensors: new Map(
      [...arrays].flatMap(([name, tensor]) => (name.startsWith(TENSOR) ? [[name.slice(TENSOR.length), tensor]] : [])),
    ),
  };
}

/** The numbers of a saved state. Throws `input` where one of them is not what `writeState` writes. */
function factsFrom(facts: Tensor): Pick<SolverState, 'stage' | 'step' | 'minLambda' | 'codes'> {
  let value: { readonly [name: string]: unknown } | null;
  try {
    value = JSON.parse(new TextDecoder().decode(Uint8Array.from(numbersOf(facts))));
  } catch {
    value = null;
  }
  const { stage, step, minLambda, codes } = value ?? {};
  const isCount = (number: unknown): number is number => Number.isSafeInteger(number) && Number(number) >= 0;
  const isSound =
    isCount(stage) &&
    isCount(step) &&
    Array.isArray(minLambda) &&
    minLambda.every(Number.isFinite) &&
    Array.isArray(codes) &&
    codes.every((code) => code === null || typeof code === 'string');
  if (!isSound) throw new RgiError('input', 'The saved state is damaged: its facts cannot be read.');
  return { stage, step, minLambda, codes: codes.map((code) => (code ?? undefined) as ResultCode | undefined) };
}
