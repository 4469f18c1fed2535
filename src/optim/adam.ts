/**
 * Adam (Kingma and Ba 2015) in the graph, with PyTorch's conventions: epsilon is added to the root of the
 * bias-corrected second moment. The bias corrections are inputs of the step, so that one graph serves every step.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';

/** What a step of Adam is made with, its rate left out. */
export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** 1 - beta1^t of step t = 1, 2, ...: a float32 scalar. */
  readonly correction1: Value;
  /** 1 - beta2^t: a float32 scalar. */
  readonly correction2: Value;
}

/** One parameter and its moments. */
export interface AdamState {
  readonly parameter: Value;
  /** Exponential mean of the gradients, over 1 - beta1: the sum of beta1^age g. */
  readonly m: Value;
  /** Exponential mean of the squared gradients, over 1 - beta2: the sum of beta2^age g^2. */
  readonly v: Value;
}

/** A step of Adam that has no length yet. */
export interface AdamStep {
  readonly m: Value;
  readonly v: Value;
  /** m' / (sqrt(v') + epsilon r) of `adamStep`. */
  readonly direction: Value;
  /** The length along it at a rate (float32, any shape that broadcasts): p' = p - length(rate) direction. */
  length(rate: Value): Value;
}

/**
 * Emits the moments and the direction of one Adam step, all in the parameter's shape.
 *
 *     m' = beta1 m + g,   v' = beta2 v + g^2
 *     p' = p - rate ((1 - beta1) m' / c1) / (sqrt((1 - beta2) v' / c2) + epsilon)
 *        = p - [rate (1 - beta1) r / c1] m' / (sqrt(v') + [epsilon r]),   r = sqrt(c2 / (1 - beta2))
 *
 * Moments kept without their factors 1 - beta leave all constants to scalars: ten passes over the parameter, each in
 * place where ONNX Runtime's planner finds the room.
 */
export function adamStep(
  b: GraphBuilder,
  { gradient, m, v }: Omit<AdamState, 'parameter'> & { readonly gradient: Value },
  { beta1, beta2, epsilon, correction1, correction2 }: AdamOptions,
): AdamStep {
  const root = b.Sqrt(b.Mul(correction2, b.scalar(1 / (1 - beta2))));
  const floor = b.Mul(b.scalar(epsilon), root);
  const nextM = b.Add(b.Mul(m, b.scalar(beta1)), gradient);
  const nextV = b.Add(b.Mul(v, b.scalar(beta2)), b.Mul(gradient, gradient));
  return {
    m: nextM,
    v: nextV,
    direction: b.Div(nextM, b.Add(b.Sqrt(nextV), floor)),
    length: (rate) => b.Div(b.Mul(b.Mul(rate, root), b.scalar(1 - beta1)), correction1),
  };
}

/** Emits one Adam step at a rate (a float32 scalar) and returns the next parameter and moments. */
export function adamUpdate(
  b: GraphBuilder,
  { parameter, ...rest }: AdamState & { readonly gradient: Value },
  { rate, ...options }: AdamOptions & { readonly rate: Value },
): AdamState {
  const { m, v, direction, length } = adamStep(b, rest, options);
  return { parameter: b.Sub(parameter, b.Mul(direction, length(rate))), m, v };
}

/** The two bias corrections 1 - beta^t of step t = 1, 2, ... */
export function adamCorrections(step: number, beta1: number, beta2: number): [number, number] {
  return [1 - beta1 ** step, 1 - beta2 ** step];
}
