/** Elementwise operators: one line each where the derivative is one. */
import { binary, type RuleTable, unary, zeroDerivative } from '../rule.ts';

export const elementwise: RuleTable = {
  Identity: unary((_, g) => g),
  Neg: unary((b, g) => b.Neg(g)),
  Abs: unary((b, g, x) => b.Mul(g, b.Sign(x))),
  Exp: unary((b, g, _, y) => b.Mul(g, y)),
  Log: unary((b, g, x) => b.Div(g, x)),
  Sqrt: unary((b, g, _, y) => b.Div(b.Mul(g, b.scalar(0.5)), y)),
  Add: binary((_, g) => [() => g, () => g]),
  Sub: binary((b, g) => [() => g, () => b.Neg(g)]),
  Mul: binary((b, g, x, y) => [() => b.Mul(g, y), () => b.Mul(g, x)]),
  Floor: zeroDerivative,
  Sign: zeroDerivative,
};
