/** Emits the optimisers' updates: every latent, the mask and the weights become state, with their moments beside them. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import type { StaticGraph, ValueInfo } from '../../onnx/graph.ts';
import { adamUpdate } from '../../optim/adam.ts';
import { nesterovUpdate } from '../../optim/nesterov.ts';
import { NEXT } from '../../runtime/runtime.ts';
import { ADAM, type Formulation } from '../spec/formulation.ts';
import { STEP } from './step-names.ts';

/** The inputs and outputs of the step graph that is being made; both grow. */
export interface StepInterface {
  readonly inputs: Map<string, ValueInfo>;
  readonly outputs: ValueInfo[];
}

/** Emits `next/NAME` of one variable and of its moments. A rate of 0 leaves the variable where it is. */
export function emitUpdate(
  b: GraphBuilder,
  primal: StaticGraph,
  formulation: Formulation,
  step: StepInterface,
  name: string,
  gradient: Value,
): void {
  const { dims } = primal.types.get(name)!;
  const input = (wanted: string, shape: readonly number[]): Value => {
    if (!step.inputs.has(wanted)) {
      step.inputs.set(wanted, { name: wanted, type: 'float32', dims: shape });
      b.reserve(wanted);
    }
    return wanted;
  };
  const next = (of: string, value: Value): void => {
    b.node('Identity', [value], {}, [NEXT + of]);
    step.outputs.push({ name: NEXT + of, type: 'float32', dims });
  };
  const isMask = name === STEP.mask;
  const group = formulation.weightGroups.findIndex((names) => names.includes(name));
  const isLatent = !isMask && group < 0;
  const { optimiser } = formulation;
  if (optimiser.kind === 'lbfgs' && isLatent) {
    b.node('Identity', [gradient], {}, [STEP.gradient(name)]);
    step.outputs.push({ name: STEP.gradient(name), type: 'float32', dims });
    return;
  }
  /** Latents and masks have a rate per image, so that one can stop while others go on. */
  const perImage = (): Value => {
    const rates = input(isMask ? STEP.maskRate : STEP.latentRate, [dims[0]]);
    return b.Reshape(rates, [dims[0], ...dims.slice(1).map(() => 1)]);
  };
  const rate = group < 0 ? perImage() : input(STEP.weightRate(group), []);
  const kept = (value: Value): Value => {
    const bound = formulation.latentBound;
    if (isMask && formulation.mask.form === 'clipped') return b.Clip(value, b.scalar(0), b.scalar(1));
    return isLatent && bound !== undefined ? b.Clip(value, b.scalar(-bound), b.scalar(bound)) : value;
  };

  const parameter = input(name, dims);
  const m = input(STEP.firstMoment(name), dims);
  if (optimiser.kind === 'nesterov' && isLatent) {
    const moved = nesterovUpdate(b, { parameter, velocity: m, gradient }, { rate, momentum: optimiser.momentum });
    // Its velocity would carry a stopped image on.
    next(name, b.Where(b.Greater(rate, b.scalar(0)), kept(moved.parameter), parameter));
    next(m, moved.velocity);
    return;
  }
  const { beta1, beta2, epsilon } = optimiser.kind === 'adam' ? optimiser : ADAM;
  const moved = adamUpdate(
    b,
    { parameter, gradient, m, v: input(STEP.secondMoment(name), dims) },
    {
      rate,
      beta1,
      beta2,
      epsilon,
      correction1: input(STEP.correction1, []),
      correction2: input(STEP.correction2, []),
    },
  );
  next(name, kept(moved.parameter));
  next(m, moved.m);
  next(STEP.secondMoment(name), moved.v);
}
