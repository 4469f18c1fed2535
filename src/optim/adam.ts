/**
 * Adam (Kingma and Ba 2015) in the graph, with PyTorch's conventions: epsilon is added to the root of the
 * bias-corrected second moment. The bias corrections are inputs of the step, so that one graph serves every step.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';

export interface AdamOptions {
  /** Step size: a float32 scalar. */
  readonly rate: Value;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** 1 - beta1^t of step t = 1, 2, ...: a float32 scalar. */
  readonly correction1: Value;
  /** 1 - beta2^t: a float32 scalar. */
  readonly correction2: Value;
}

export interface AdamState {
  readonly parameter: Value;
  /** Exponential mean of the gradients, over 1 - beta1: the sum of beta1^age g. */
  readonly m: Value;
  /** Exponential mean of the squared gradients, over 1 - beta2: the sum of beta2^age g^2. */
  readonly v: Value;
}

/**
 * Emits one Adam step and returns the next parameter and moments, all in the parameter's shape.
 *
 *     m' = beta1 m + g,   v' = beta2 v + g^2
 *     p' = p - rate ((1 - beta1) m' / c1) / (sqrt((1 - beta2) v' / c2) + epsilon)
 *        = p - [rate (1 - beta1) r / c1] m' / (sqrt(v') + [epsilon r]),   r = sqrt(c2 / (1 - beta2))
 *
 * Moments kept without their factors 1 - beta leave all constants to scalars: ten passes over the parameter, each in
 * place where ONNX Runtime's planner finds the room.
 */
export function adamUpdate(
  b: GraphBuilder,
  state: AdamState & { readonly gradient: Value },
  options: AdamOptions,
): AdamState {
  const { parameter, gradient, m, v } = state;
  const root = b.Sqrt(b.Mul(options.correction2, b.scalar(1 / (1 - options.beta2))));
  const size = b.Div(b.Mul(b.Mul(options.rate, root), b.scalar(1 - options.beta1)), options.correction1);
  const floor = b.Mul(b.scalar(options.epsilon), root);
  const nextM = b.Add(b.Mul(m, b.scalar(options.beta1)), gradient);
  const nextV = b.Add(b.Mul(v, b.scalar(options.beta2)), b.Mul(gradient, gradient));
  const direction = b.Div(nextM, b.Add(b.Sqrt(nextV), floor));
  return { parameter: b.Sub(parameter, b.Mul(direction, size)), m: nextM, v: nextV };
}

/** The two bias corrections 1 - beta^t of step t = 1, 2, ... */
export function adamCorrections(step: number, beta1: number, beta2: number): [number, number] {
  return [1 - beta1 ** step, 1 - beta2 ** step];
}
