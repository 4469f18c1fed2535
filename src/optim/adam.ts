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
  /** Exponential mean of the gradients. */
  readonly m: Value;
  /** Exponential mean of the squared gradients. */
  readonly v: Value;
}

/**
 * Emits one Adam step and returns the next parameter and moments, all in the parameter's shape.
 *
 *     m' = m + (1 - beta1) (g - m),   v' = v + (1 - beta2) (g^2 - v)
 *     p' = p - rate (m' / c1) / (sqrt(v' / c2) + epsilon)
 *        = p - [rate sqrt(c2) / c1] m' / (sqrt(v') + [epsilon sqrt(c2)])
 *
 * The last form leaves all work on the corrections to scalars: twelve passes over the parameter, each in place where
 * ONNX Runtime's planner finds the room.
 */
export function adamUpdate(
  b: GraphBuilder,
  state: AdamState & { readonly gradient: Value },
  options: AdamOptions,
): AdamState {
  const { parameter, gradient, m, v } = state;
  const root = b.Sqrt(options.correction2);
  const size = b.Div(b.Mul(options.rate, root), options.correction1);
  const floor = b.Mul(b.scalar(options.epsilon), root);
  const nextM = b.Add(m, b.Mul(b.Sub(gradient, m), b.scalar(1 - options.beta1)));
  const nextV = b.Add(v, b.Mul(b.Sub(b.Mul(gradient, gradient), v), b.scalar(1 - options.beta2)));
  const direction = b.Div(nextM, b.Add(b.Sqrt(nextV), floor));
  return { parameter: b.Sub(parameter, b.Mul(direction, size)), m: nextM, v: nextV };
}

/** The two bias corrections 1 - beta^t of step t = 1, 2, ... */
export function adamCorrections(step: number, beta1: number, beta2: number): [number, number] {
  return [1 - beta1 ** step, 1 - beta2 ** step];
}
