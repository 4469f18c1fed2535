/** Reductions and cumulative sums. Cotangents are scaled while they are small, then broadcast. */
import type { Value } from '../../onnx/builder.ts';
import { intAttribute } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import { type Rule, type RuleContext, type RuleTable, refuse } from '../rule.ts';
import { constantNumbers, normalAxis } from './axes.ts';

export const reduction = {
  ReduceSum: reduce((r) => r.spread(r.g)),
  ReduceMean: reduce((r) => r.spread(r.b.Mul(r.g, r.c.scalar(1 / r.count)))),
  ReduceMax: reduce(extremum),
  ReduceMin: reduce(extremum),
  ReduceL1: reduce((r) => r.b.Mul(r.b.Sign(r.x), r.g)),
  // x / y, and 0 where y = 0 (x is 0 there too)
  ReduceL2: reduce(({ b, c, g, x, y }) => b.Mul(x, b.Div(g, b.Where(b.Equal(y, c.scalar(0)), c.scalar(1), y)))),
  ReduceSumSquare: reduce(({ b, c, g, x }) => b.Mul(x, b.Mul(g, c.scalar(2)))),
  // y = log s: 1 / s = e^-y
  ReduceLogSum: reduce(({ b, g, y, spread }) => spread(b.Mul(g, b.Exp(b.Neg(y))))),
  ReduceLogSumExp: reduce(({ b, g, x, y }) => b.Mul(b.Exp(b.Sub(x, y)), g)),
  CumSum: {
    gradient: ({ b, node, cotangents }) => [
      b.node('CumSum', [cotangents[0]!, node.inputs[1]], {
        exclusive: intAttribute(node, 'exclusive', 0),
        reverse: 1 - intAttribute(node, 'reverse', 0),
      })[0],
    ],
  },
} satisfies RuleTable;

interface Reduction {
  readonly c: RuleContext;
  readonly b: RuleContext['b'];
  /** Cotangent and output with the reduced axes kept as 1. */
  readonly g: Value;
  readonly y: Value;
  readonly x: Value;
  /** Elements that make one output element. */
  readonly count: number;
  readonly axes: readonly number[];
  /** Broadcasts a value of g's shape to the input's. */
  readonly spread: (value: Value) => Value;
}

function reduce(gradient: (r: Reduction) => Value): Rule {
  return {
    gradient: (c) => {
      const { b, node, cotangents, dims } = c;
      const axes = reducedAxes(c);
      const kept = dims(0).map((d, i) => (axes.includes(i) ? 1 : d));
      const keepdims = axes.length === 0 || intAttribute(node, 'keepdims', 1) === 1;
      const keep = (value: Value) => (keepdims ? value : b.Reshape(value, kept));
      const same = kept.every((d, i) => d === dims(0)[i]);
      const y = node.outputs[0];
      let keptY: Value | undefined;
      return [
        gradient({
          c,
          b,
          axes,
          x: node.inputs[0],
          g: keep(cotangents[0]!),
          get y() {
            keptY ??= keep(y);
            return keptY;
          },
          count: sizeOf(axes.map((axis) => dims(0)[axis])),
          spread: (value) => (same ? value : b.Expand(value, dims(0))),
        }),
      ];
    },
  };
}

/** The axes a reduction of the working opset sums over. */
function reducedAxes(c: RuleContext): number[] {
  const rank = c.dims(0).length;
  if (c.node.attributes.axes) refuse(c.node, 'its axes are an attribute, a form older than the working opset.');
  const axes = constantNumbers(c, 1, 'axes') ?? [];
  if (axes.length > 0) return axes.map((axis) => normalAxis(axis, rank));
  return intAttribute(c.node, 'noop_with_empty_axes', 0) ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** All elements equal to the extremum share the cotangent evenly, as PyTorch's amax. */
function extremum({ b, c, g, x, y, axes }: Reduction): Value {
  const winners = b.Cast(b.Equal(x, y), c.typeOf(x).type);
  return b.Mul(winners, b.Div(g, b.ReduceSum(winners, axes, true)));
}
