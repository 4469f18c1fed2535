/** Gradient descent with Nesterov momentum, in the form of Yeh et al.'s released code. */
import type { GraphBuilder, Value } from '../onnx/builder.ts';

export interface NesterovState {
  readonly parameter: Value;
  readonly velocity: Value;
}

/**
 * Emits one step:  u' = mu u - rate g,   p' = p + mu u' - rate g.
 * All values have the parameter's shape; `rate` broadcasts to it.
 */
export function nesterovUpdate(
  b: GraphBuilder,
  state: NesterovState & { readonly gradient: Value },
  options: { readonly rate: Value; readonly momentum: number },
): NesterovState {
  const push = b.Mul(state.gradient, options.rate);
  const velocity = b.Sub(b.Mul(state.velocity, b.scalar(options.momentum)), push);
  const move = b.Sub(b.Mul(velocity, b.scalar(options.momentum)), push);
  return { parameter: b.Add(state.parameter, move), velocity };
}
