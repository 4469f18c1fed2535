/** Operators that choose between values: where, extrema, bounds. Ties share the cotangent, as in PyTorch. */
import type { Value } from '../../onnx/builder.ts';
import { type Cotangents, type RuleContext, type RuleTable, refuse } from '../rule.ts';

export const selection = {
  Where: {
    broadcasts: true,
    gradient: ({ b, node, cotangents, wants, scalar }) => {
      const [condition] = node.inputs;
      const g = cotangents[0]!;
      const zero = scalar(0, 1);
      return [
        undefined,
        wants(1) ? b.Where(condition, g, zero) : undefined,
        wants(2) ? b.Where(condition, zero, g) : undefined,
      ];
    },
  },
  Max: { broadcasts: true, gradient: (c) => extremum(c, 'Greater') },
  Min: { broadcasts: true, gradient: (c) => extremum(c, 'Less') },
  Clip: { broadcasts: true, gradient: clipGradient },
  Dropout: {
    gradient: ({ node, cotangents, has, constant }) => {
      const training = constant(2);
      if (has(2) && !(training && !training.data[0])) refuse(node, 'it is in training mode. Export with model.eval().');
      return [cotangents[0]];
    },
  },
} satisfies RuleTable;

/** Of two inputs the greater takes the cotangent (half of it at a tie); of more, those equal to the result share it. */
function extremum({ b, node, cotangents, wants, scalar }: RuleContext, wins: 'Greater' | 'Less'): Cotangents {
  const g = cotangents[0]!;
  const { inputs, outputs } = node;
  if (inputs.length === 1) return [g];
  if (inputs.length === 2) {
    const [x, y] = inputs;
    const tie = b.Where(b.Equal(x, y), b.Mul(g, scalar(0.5)), scalar(0));
    return [
      wants(0) ? b.Where(b[wins](x, y), g, tie) : undefined,
      wants(1) ? b.Where(b[wins](y, x), g, tie) : undefined,
    ];
  }
  const winners = inputs.map((input) => b.Where(b.Equal(input, outputs[0]), scalar(1), scalar(0)));
  const share = b.Div(
    g,
    winners.reduce((sum, winner) => b.Add(sum, winner)),
  );
  return winners.map((winner, i) => (wants(i) ? b.Mul(share, winner) : undefined));
}

/** y = min(max(x, low), high): x passes where y equals it (the bounds included), the bounds where they hold. */
function clipGradient({ b, node, cotangents, wants, has, scalar }: RuleContext): Cotangents {
  const [x, low, high] = node.inputs;
  const y = node.outputs[0];
  const g = cotangents[0]!;
  const zero = scalar(0);
  // Where, not a product: sqrt(clip(x, 0)) has an infinite cotangent below 0 that must not become NaN.
  const dx = wants(0) ? b.Where(b.Equal(x, y), g, zero) : undefined;
  let dLow: Value | undefined;
  let dHigh: Value | undefined;
  if (has(1) && wants(1)) {
    const below = b.Less(x, low);
    dLow = b.Where(has(2) ? b.And(below, b.LessOrEqual(low, high)) : below, g, zero);
  }
  if (has(2) && wants(2)) dHigh = b.Where(b.Greater(has(1) ? b.Max(x, low) : x, high), g, zero);
  return [dx, dLow, dHigh];
}
