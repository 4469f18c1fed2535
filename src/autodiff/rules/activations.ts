/**
 * Activation functions. The rectifiers' derivatives use the output, not the input (ONNX Runtime can then fuse the
 * activation into the convolution before it), and a `step` that is the cheapest of what ONNX Runtime CPU offers:
 * on [1,256,64,64] HardSigmoid + Mul takes 0.4 ms, Cast(Greater) + Mul 0.6 ms, Where(Greater) 1.1 ms, Mul(Sign) 1.8 ms.
 * The price of a product: an infinite cotangent on the flat side (the root of a Relu at 0) becomes NaN.
 */
import { float, type Value } from '../../onnx/builder.ts';
import { floatAttribute, type Node, stringAttribute } from '../../onnx/graph.ts';
import { type RuleContext, type RuleTable, unary } from '../rule.ts';

/** Slope from which a HardSigmoid is a step: it reaches 1 at the smallest normal float32. */
const STEEP = 3e38;

/** 1 where x > 0, else 0, in the type of x (that of the node's first input). Its derivative is zero. */
function step({ b, typeOf, node, scalar }: RuleContext, x: Value): Value {
  const type = typeOf(node.inputs[0]).type;
  if (type === 'float32') return b.node('HardSigmoid', [x], { alpha: float(STEEP), beta: float(0) })[0];
  return b.Cast(b.Greater(x, scalar(0)), type);
}

const isStep = (node: Node): boolean => floatAttribute(node, 'alpha', 0.2) > 1e30;

const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

export const activations = {
  Relu: unary((b, g, _, y, c) => b.Mul(g, step(c, y))),
  LeakyRelu: unary((b, g, x, y, c) => {
    const alpha = floatAttribute(c.node, 'alpha', 0.01);
    // y has the sign of x if alpha > 0; max(step, alpha) is 1 or alpha if alpha <= 1
    if (alpha > 0 && alpha <= 1) return b.Mul(g, b.Max(step(c, y), c.scalar(alpha)));
    return b.Mul(g, b.Where(b.Greater(x, c.scalar(0)), c.scalar(1), c.scalar(alpha)));
  }),
  PRelu: {
    broadcasts: true,
    gradient: (c) => {
      const { b, node, cotangents, wants, scalar } = c;
      const [x, slope] = node.inputs;
      const g = cotangents[0]!;
      const below = b.Less(x, scalar(0));
      return [
        wants(0) ? b.Where(below, b.Mul(g, slope), g) : undefined,
        wants(1) ? b.Mul(g, b.Where(below, x, scalar(0))) : undefined,
      ];
    },
  },
  // Below 0, y = alpha (e^x - 1), so y' = y + alpha.
  Elu: unary((b, g, x, y, c) => exponentialBelow(c, g, x, b.Add(y, c.scalar(floatAttribute(c.node, 'alpha', 1))))),
  // Below 0, y = alpha (e^(x/alpha) - 1), so y' = y / alpha + 1.
  Celu: unary((b, g, x, y, c) => {
    const alpha = floatAttribute(c.node, 'alpha', 1);
    return exponentialBelow(c, g, x, b.Add(b.Mul(y, c.scalar(1 / alpha)), c.scalar(1)));
  }),
  Selu: unary((b, g, x, y, c) => {
    const alpha = floatAttribute(c.node, 'alpha', SELU_ALPHA);
    const gamma = floatAttribute(c.node, 'gamma', SELU_GAMMA);
    return exponentialBelow(c, g, x, b.Add(y, c.scalar(alpha * gamma)), c.scalar(gamma));
  }),
  ThresholdedRelu: unary((b, g, x, _, c) =>
    b.Where(b.Greater(x, c.scalar(floatAttribute(c.node, 'alpha', 1))), g, c.scalar(0)),
  ),
  Shrink: unary((b, g, x, _, c) =>
    b.Where(b.Greater(b.Abs(x), c.scalar(floatAttribute(c.node, 'lambd', 0.5))), g, c.scalar(0)),
  ),
  Tanh: unary((b, g, _, y) => b.Sub(g, b.Mul(b.Mul(g, y), y))),
  Sigmoid: unary((b, g, _, y) => {
    const gy = b.Mul(g, y);
    return b.Sub(gy, b.Mul(gy, y));
  }),
  Softplus: unary((b, g, x) => b.Mul(g, b.Sigmoid(x))),
  // y = x / (1 + |x|), y' = (1 - |y|)^2
  Softsign: unary((b, g, _, y, c) => {
    const rest = b.Sub(c.scalar(1), b.Abs(y));
    return b.Mul(b.Mul(g, rest), rest);
  }),
  HardSigmoid: {
    zero: isStep,
    gradient: ({ b, node, cotangents, scalar }) => {
      const y = node.outputs[0];
      const inside = b.And(b.Greater(y, scalar(0)), b.Less(y, scalar(1)));
      const slope = scalar(floatAttribute(node, 'alpha', 0.2));
      return [b.Mul(cotangents[0]!, b.Where(inside, slope, scalar(0)))];
    },
  },
  // y = x clip(x/6 + 1/2, 0, 1): y' = x/3 + 1/2 for |x| < 3, else 0 or 1
  HardSwish: unary((b, g, x, _, c) => {
    const inside = b.Less(b.Abs(x), c.scalar(3));
    const middle = b.Add(b.Mul(x, c.scalar(1 / 3)), c.scalar(0.5));
    return b.Mul(g, b.Where(inside, middle, step(c, x)));
  }),
  // y = x t, t = tanh(softplus x): y' = t + x (1 - t^2) sigmoid(x)
  Mish: unary((b, g, x, _, c) => {
    const t = b.Tanh(b.Softplus(x));
    const slope = b.Mul(b.Sub(c.scalar(1), b.Mul(t, t)), b.Sigmoid(x));
    return b.Mul(g, b.Add(t, b.Mul(x, slope)));
  }),
  Gelu: unary((b, g, x, _, c) =>
    b.Mul(g, stringAttribute(c.node, 'approximate', 'none') === 'tanh' ? geluTanhSlope(c, x) : geluSlope(c, x)),
  ),
} satisfies RuleTable;

/** `slopeAbove` (1) for x > 0, `slopeBelow` else. */
function exponentialBelow(c: RuleContext, g: Value, x: Value, slopeBelow: Value, slopeAbove = c.scalar(1)): Value {
  return c.b.Mul(g, c.b.Where(c.b.Greater(x, c.scalar(0)), slopeAbove, slopeBelow));
}

/** y = x Phi(x): y' = Phi(x) + x phi(x). */
function geluSlope({ b, scalar }: RuleContext, x: Value): Value {
  const half = scalar(0.5);
  const cdf = b.Add(b.Mul(b.Erf(b.Mul(x, scalar(Math.SQRT1_2))), half), half);
  const density = b.Mul(b.Exp(b.Mul(b.Mul(x, x), scalar(-0.5))), scalar(1 / Math.sqrt(2 * Math.PI)));
  return b.Add(cdf, b.Mul(x, density));
}

/** y = x/2 (1 + t), t = tanh(k (x + a x^3)): y' = (1 + t)/2 + x/2 (1 - t^2) k (1 + 3 a x^2). */
function geluTanhSlope({ b, scalar }: RuleContext, x: Value): Value {
  const k = Math.sqrt(2 / Math.PI);
  const a = 0.044715;
  const square = b.Mul(x, x);
  const t = b.Tanh(b.Mul(x, b.Add(b.Mul(square, scalar(k * a)), scalar(k))));
  const inner = b.Mul(x, b.Add(b.Mul(square, scalar(1.5 * k * a)), scalar(k / 2)));
  const rest = b.Sub(scalar(1), b.Mul(t, t));
  return b.Add(b.Add(b.Mul(t, scalar(0.5)), scalar(0.5)), b.Mul(inner, rest));
}
