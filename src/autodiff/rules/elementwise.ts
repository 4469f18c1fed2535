/** Arithmetic and elementary functions: one line each where the derivative is one. */
import { isFloat, numbersOf } from '../../onnx/tensor.ts';
import { binary, type Rule, type RuleContext, type RuleTable, unary } from '../rule.ts';

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

export const elementwise = {
  Identity: unary((_, g) => g),
  Neg: unary((b, g) => b.Neg(g)),
  Abs: unary((b, g, x) => b.Mul(g, b.Sign(x))),
  Exp: unary((b, g, _, y) => b.Mul(g, y)),
  Log: unary((b, g, x) => b.Div(g, x)),
  Sqrt: unary((b, g, _, y, c) => b.Div(b.Mul(g, c.scalar(0.5)), y)),
  Reciprocal: unary((b, g, _, y) => b.Neg(b.Mul(b.Mul(g, y), y))),
  Sin: unary((b, g, x) => b.Mul(g, b.Cos(x))),
  Cos: unary((b, g, x) => b.Neg(b.Mul(g, b.Sin(x)))),
  // tan' = 1 + tan^2
  Tan: unary((b, g, _, y) => b.Add(g, b.Mul(b.Mul(g, y), y))),
  Asin: unary((b, g, x, _, c) => b.Div(g, b.Sqrt(b.Sub(c.scalar(1), b.Mul(x, x))))),
  Acos: unary((b, g, x, _, c) => b.Neg(b.Div(g, b.Sqrt(b.Sub(c.scalar(1), b.Mul(x, x)))))),
  Atan: unary((b, g, x, _, c) => b.Div(g, b.Add(b.Mul(x, x), c.scalar(1)))),
  Sinh: unary((b, g, x) => b.Mul(g, b.node('Cosh', [x])[0])),
  Cosh: unary((b, g, x) => b.Mul(g, b.node('Sinh', [x])[0])),
  Asinh: unary((b, g, x, _, c) => b.Div(g, b.Sqrt(b.Add(b.Mul(x, x), c.scalar(1))))),
  // sqrt(x - 1) sqrt(x + 1) keeps its digits near x = 1
  Acosh: unary((b, g, x, _, c) => b.Div(g, b.Sqrt(b.Mul(b.Sub(x, c.scalar(1)), b.Add(x, c.scalar(1)))))),
  Atanh: unary((b, g, x, _, c) => b.Div(g, b.Sub(c.scalar(1), b.Mul(x, x)))),
  Erf: unary((b, g, x, _, c) => b.Mul(b.Mul(g, c.scalar(TWO_OVER_ROOT_PI)), b.Exp(b.Neg(b.Mul(x, x))))),

  Add: binary((_, g) => [() => g, () => g]),
  Sub: binary((b, g) => [() => g, () => b.Neg(g)]),
  Mul: binary((b, g, x, y) => [() => b.Mul(g, y), () => b.Mul(g, x)]),
  Div: {
    broadcasts: true,
    gradient: ({ b, node, cotangents, wants }) => {
      const dx = b.Div(cotangents[0]!, node.inputs[1]);
      return [wants(0) ? dx : undefined, wants(1) ? b.Neg(b.Mul(dx, node.outputs[0])) : undefined];
    },
  },
  Sum: { broadcasts: true, gradient: ({ node, cotangents }) => node.inputs.map(() => cotangents[0]) },
  Mean: {
    broadcasts: true,
    gradient: ({ b, node, cotangents, scalar }) => {
      const share = b.Mul(cotangents[0]!, scalar(1 / node.inputs.length));
      return node.inputs.map(() => share);
    },
  },
  Pow: { broadcasts: true, gradient: powGradient },
  // out = x - y trunc(x / y); (out - x) / y is the integer -trunc(x / y) but for rounding
  Mod: binary((b, g, x, y, out) => [() => g, () => b.Mul(g, b.node('Round', [b.Div(b.Sub(out, x), y)])[0])]),
  Cast: { gradient: castGradient },
  CastLike: { gradient: castGradient },
} satisfies RuleTable;

function castGradient({ b, node, cotangents, typeOf }: RuleContext): ReturnType<Rule['gradient']> {
  const type = typeOf(node.inputs[0]).type;
  if (!isFloat(type)) return [];
  return [type === typeOf(node.outputs[0]).type ? cotangents[0] : b.Cast(cotangents[0]!, type)];
}

/** x^p: exact for integer p at x <= 0; where x^p has no derivative in p (x < 0) that derivative is NaN, as in PyTorch. */
function powGradient(c: RuleContext): ReturnType<Rule['gradient']> {
  const { b, node, cotangents, wants, typeOf, constant } = c;
  const [x, exponent] = node.inputs;
  const y = node.outputs[0];
  const g = cotangents[0]!;
  const known = constant(1);
  const values = known && !wants(1) ? numbersOf(known) : undefined;
  if (values && values.length > 0 && values.every((p) => p === values[0])) return [scalarPower(c, values[0])];

  const type = typeOf(x).type;
  const p = typeOf(exponent).type === type ? exponent : b.Cast(exponent, type);
  const one = c.scalar(1);
  const zero = c.scalar(0);
  let dx: string | undefined;
  let dp: string | undefined;
  if (wants(0)) {
    // At p = 0 the derivative is 0 also for x = 0, where 0 * 0^-1 would be NaN.
    const safe = values?.every((v) => v !== 0) ? p : b.Where(b.Equal(p, zero), one, p);
    dx = b.Mul(b.Mul(g, p), b.Pow(x, b.Sub(safe, one)));
  }
  if (wants(1)) {
    // 0^p = 0 for all p > 0: no log 0 there.
    const flat = b.And(b.Equal(x, zero), b.GreaterOrEqual(p, zero));
    dp = b.Mul(b.Mul(g, y), b.Log(b.Where(flat, one, x)));
  }
  return [dx, dp];
}

/** d x^p for one constant p, by the cheapest form. */
function scalarPower({ b, node, cotangents, scalar }: RuleContext, p: number): string | undefined {
  const [x] = node.inputs;
  const y = node.outputs[0];
  const g = cotangents[0]!;
  if (p === 0) return undefined;
  if (p === 1) return g;
  const scaled = b.Mul(g, scalar(p));
  if (p === 2) return b.Mul(scaled, x);
  if (p === 3) return b.Mul(b.Mul(scaled, x), x);
  if (p === 0.5) return b.Div(scaled, y);
  if (p === -1) return b.Mul(b.Mul(scaled, y), y);
  return b.Mul(scaled, b.Pow(x, scalar(p - 1)));
}
