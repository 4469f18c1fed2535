/**
 * What a differentiation rule is. A rule is a row in a table, under its operator's name; it emits nodes that compute the
 * cotangents of the node's inputs from those of its outputs. The walker does the shared chores once: it skips nodes off
 * the differentiated path, sums contributions, and un-broadcasts.
 */
import { RgiError } from '../errors.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { describeNode, type Node } from '../onnx/graph.ts';
import { type Tensor, type TensorType, tensorOf } from '../onnx/tensor.ts';

export interface RuleContext {
  /** Emits the backward nodes. */
  readonly b: GraphBuilder;
  readonly node: Node;
  /** Per output: its cotangent, absent where nothing flows back. */
  readonly cotangents: readonly (Value | undefined)[];
  /** Does input `i` lie on a path to a wanted value? */
  wants(i: number): boolean;
  /** Element type and shape of a primal value. */
  typeOf(value: Value): TensorType;
  /** Shape of input `i`. */
  dims(i: number): readonly number[];
  /** Shape of output `i`. */
  outputDims(i: number): readonly number[];
  /** Input `i` where it is an initialiser; else undefined. */
  constant(i: number): Tensor | undefined;
  /** Was input `i` given? */
  has(i: number): boolean;
  /** A scalar constant in the element type of input `i` (the first one if not given). */
  scalar(value: number, i?: number): Value;
}

/** One cotangent per input, in the input's own shape (in the output's for a broadcasting rule); absent = zero. */
export type Cotangents = readonly (Value | undefined)[];

export interface Rule {
  /** Emits the inputs' cotangents; called only if at least one output has a cotangent and one input is wanted. */
  readonly gradient: (context: RuleContext) => Cotangents;
  /** The inputs broadcast to the (single) output; the walker sums each cotangent back to its input's shape. */
  readonly broadcasts?: boolean;
  /** The derivative is zero everywhere it exists (rounding, comparisons, shapes), always or for this node. */
  readonly zero?: boolean | ((node: Node) => boolean);
}

export type RuleTable = Readonly<Record<string, Rule>>;

/** The derivative is zero: Floor, Sign, Shape, comparisons. */
export const zeroDerivative: Rule = { gradient: () => [], zero: true };

/** y = f(x), elementwise: given dy (= cotangent) emit dx; `x` and `y` are the primal's own values. */
export function unary(
  derivative: (b: GraphBuilder, cotangent: Value, x: Value, y: Value, c: RuleContext) => Value,
): Rule {
  return {
    gradient: (c) => [derivative(c.b, c.cotangents[0]!, c.node.inputs[0], c.node.outputs[0], c)],
  };
}

/** An elementwise operator of two broadcast inputs. */
export function binary(
  derivatives: (
    b: GraphBuilder,
    cotangent: Value,
    x: Value,
    y: Value,
    out: Value,
    c: RuleContext,
  ) => readonly [() => Value | undefined, () => Value | undefined],
): Rule {
  return {
    broadcasts: true,
    gradient: (c) => {
      const { b, node, cotangents, wants } = c;
      const [dx, dy] = derivatives(b, cotangents[0]!, node.inputs[0], node.inputs[1], node.outputs[0], c);
      return [wants(0) ? dx() : undefined, wants(1) ? dy() : undefined];
    },
  };
}

/** A scalar constant in the element type of input `i`. */
export function scalarLike(
  { b, typeOf, node }: Pick<RuleContext, 'b' | 'typeOf' | 'node'>,
  value: number,
  i = 0,
): Value {
  return b.constant(tensorOf(typeOf(node.inputs[i]).type, [value], []), 'scalar');
}

/** The refusal of a rule: this form of the operator has no derivative here. */
export function refuse(node: Node, why: string): never {
  throw new RgiError('unsupported-operator', `${describeNode(node)} cannot be differentiated: ${why}`, {
    node: node.name,
    operator: node.operator,
  });
}

/** Sums `value` of shape `from` down to the shape `to` it was broadcast from: at most one ReduceSum and one Reshape. */
export function sumTo(b: GraphBuilder, value: Value, from: readonly number[], to: readonly number[]): Value {
  const lead = from.length - to.length;
  const axes = from.flatMap((d, i) => (d !== 1 && (i < lead || to[i - lead] === 1) ? [i] : []));
  if (axes.length === 0) return lead === 0 ? value : b.Reshape(value, to);
  if (axes.length === lead && axes.every((axis) => axis < lead)) return b.ReduceSum(value, axes, false);
  const summed = b.ReduceSum(value, axes, true);
  return lead === 0 ? summed : b.Reshape(summed, to);
}
