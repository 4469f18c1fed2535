/** Emits the optimisers' updates: every latent, the mask and the weights become state, with their moments beside them. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import type { StaticGraph, ValueInfo } from '../../onnx/graph.ts';
import { type AdamStep, adamStep } from '../../optim/adam.ts';
import { nesterovUpdate } from '../../optim/nesterov.ts';
import { NEXT } from '../../runtime/runtime.ts';
import { ADAM, type Formulation } from '../spec/formulation.ts';
import { STEP } from './step-names.ts';

/** The inputs and outputs of the step graph that is being made; both grow. */
export interface StepInterface {
  readonly inputs: Map<string, ValueInfo>;
  readonly outputs: ValueInfo[];
}

/** A variable that Adam moves: its step, and the length at the rate of the controls. */
interface AdamMove {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly adam: AdamStep;
  readonly length: Value;
  kept(value: Value): Value;
}

/**
 * Emits `next/NAME` of the variables whose gradients are given, and of their moments. A rate of 0 leaves a variable where it is.
 * `fidelity` [n]: L_rec of the state that the step begins with.
 */
export function emitUpdates(
  b: GraphBuilder,
  primal: StaticGraph,
  formulation: Formulation,
  step: StepInterface,
  gradients: ReadonlyMap<string, Value>,
  fidelity: Value,
): void {
  const { optimiser, maxPredictedFall, keepsBest } = formulation;
  const next = nextOf(b, primal, step);
  const moves = new Map<string, AdamMove>();
  for (const [name, gradient] of gradients) {
    const isLatent = name !== STEP.mask && groupOf(formulation, name) < 0;
    if (optimiser.kind === 'lbfgs' && isLatent) {
      b.node('Identity', [gradient], {}, [STEP.gradient(name)]);
      step.outputs.push({ name: STEP.gradient(name), type: 'float32', dims: primal.types.get(name)!.dims });
    } else if (optimiser.kind === 'nesterov' && isLatent) {
      emitNesterov(b, primal, formulation, step, name, gradient, optimiser.momentum);
    } else moves.set(name, adamMove(b, primal, formulation, step, name, gradient));
  }
  const share = maxPredictedFall === undefined ? undefined : boundedShare(b, moves, fidelity, maxPredictedFall);
  for (const [name, { parameter, adam, length, kept }] of moves) {
    const size = share === undefined ? length : b.Mul(length, share);
    next(name, kept(b.Sub(parameter, b.Mul(adam.direction, size))));
    next(STEP.firstMoment(name), adam.m);
    next(STEP.secondMoment(name), adam.v);
  }
  if (keepsBest) emitBest(b, primal, step, [...moves.keys()], fidelity);
}

function groupOf({ weightGroups }: Formulation, name: string): number {
  return weightGroups.findIndex((names) => names.includes(name));
}

function inputOf(b: GraphBuilder, { inputs }: StepInterface, name: string, dims: readonly number[]): Value {
  if (!inputs.has(name)) {
    inputs.set(name, { name, type: 'float32', dims });
    b.reserve(name);
  }
  return name;
}

/** Emits the next value of a state, shaped as the variable `like` or as itself. */
function nextOf(b: GraphBuilder, primal: StaticGraph, { inputs, outputs }: StepInterface) {
  return (name: string, value: Value): void => {
    const dims = inputs.get(name)?.dims ?? primal.types.get(name)!.dims;
    b.node('Identity', [value], {}, [NEXT + name]);
    outputs.push({ name: NEXT + name, type: 'float32', dims });
  };
}

/** Latents and masks have a rate per image, so that one can stop while others go on. */
function rateOf(
  b: GraphBuilder,
  primal: StaticGraph,
  formulation: Formulation,
  step: StepInterface,
  name: string,
): Value {
  const group = groupOf(formulation, name);
  if (group >= 0) return inputOf(b, step, STEP.weightRate(group), []);
  const { dims } = primal.types.get(name)!;
  const rates = inputOf(b, step, name === STEP.mask ? STEP.maskRate : STEP.latentRate, [dims[0]]);
  return b.Reshape(rates, [dims[0], ...dims.slice(1).map(() => 1)]);
}

/** What of a moved variable's new value is kept: masks and latents may be bounded. */
function bounds(b: GraphBuilder, formulation: Formulation, name: string): (value: Value) => Value {
  const { latentBound: bound, mask } = formulation;
  const isMask = name === STEP.mask;
  if (isMask && mask.form === 'clipped') return (value) => b.Clip(value, b.scalar(0), b.scalar(1));
  if (isMask || bound === undefined || groupOf(formulation, name) >= 0) return (value) => value;
  return (value) => b.Clip(value, b.scalar(-bound), b.scalar(bound));
}

function emitNesterov(
  b: GraphBuilder,
  primal: StaticGraph,
  formulation: Formulation,
  step: StepInterface,
  name: string,
  gradient: Value,
  momentum: number,
): void {
  const { dims } = primal.types.get(name)!;
  const next = nextOf(b, primal, step);
  const rate = rateOf(b, primal, formulation, step, name);
  const [parameter, velocity] = [name, STEP.firstMoment(name)].map((wanted) => inputOf(b, step, wanted, dims));
  const moved = nesterovUpdate(b, { parameter, velocity, gradient }, { rate, momentum });
  // Its velocity would carry a stopped image on.
  const kept = bounds(b, formulation, name)(moved.parameter);
  next(name, b.Where(b.Greater(rate, b.scalar(0)), kept, parameter));
  next(velocity, moved.velocity);
}

function adamMove(
  b: GraphBuilder,
  primal: StaticGraph,
  formulation: Formulation,
  step: StepInterface,
  name: string,
  gradient: Value,
): AdamMove {
  const { optimiser } = formulation;
  const { dims } = primal.types.get(name)!;
  const { beta1, beta2, epsilon } = optimiser.kind === 'adam' ? optimiser : ADAM;
  const rate = rateOf(b, primal, formulation, step, name);
  const [parameter, m, v] = [name, STEP.firstMoment(name), STEP.secondMoment(name)].map((wanted) =>
    inputOf(b, step, wanted, dims),
  );
  const [correction1, correction2] = [STEP.correction1, STEP.correction2].map((wanted) => inputOf(b, step, wanted, []));
  const adam = adamStep(b, { gradient, m, v }, { beta1, beta2, epsilon, correction1, correction2 });
  return { parameter, gradient, adam, length: adam.length(rate), kept: bounds(b, formulation, name) };
}

/** The share of Adam's step at which all variables' slopes together predict a fall of at most `most` times L_rec: at most 1. */
function boundedShare(b: GraphBuilder, moves: ReadonlyMap<string, AdamMove>, fidelity: Value, most: number): Value {
  const falls = [...moves.values()].map(({ gradient, adam, length }) =>
    b.Mul(b.ReduceSum(b.Mul(gradient, adam.direction), undefined, false), b.ReduceSum(length, undefined, false)),
  );
  const fall = b.Abs(falls.reduce((a, c) => b.Add(a, c)));
  const allowed = b.Mul(b.ReduceSum(fidelity, undefined, false), b.scalar(most));
  // Where nothing falls there is nothing to shorten; 1e-30 is above the least float32 that is not denormal.
  return b.Min(b.Div(allowed, b.Max(fall, b.scalar(1e-30))), b.scalar(1));
}

/** Emits the state of least L_rec so far beside the state itself. */
function emitBest(
  b: GraphBuilder,
  primal: StaticGraph,
  step: StepInterface,
  names: readonly string[],
  fidelity: Value,
): void {
  const next = nextOf(b, primal, step);
  const known = inputOf(b, step, STEP.bestFidelity, [2]);
  const [first, best] = [0, 1].map((at) => b.Slice(known, [at], [at + 1], [0]));
  const isBetter = b.Less(fidelity, best);
  for (const name of names) {
    const before = inputOf(b, step, STEP.best(name), primal.types.get(name)!.dims);
    // In the variable's own shape, which may be that of a scalar.
    next(before, b.Where(b.Reshape(isBetter, []), name, before));
  }
  // Nothing is known before the first step.
  const isFirst = b.Less(first, b.scalar(0));
  next(known, b.Concat([b.Where(isFirst, fidelity, first), b.Where(isBetter, fidelity, best)], 0));
}
