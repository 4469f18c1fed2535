/** Axes of a node as plain numbers: from constant inputs, negative ones counted from the end. */
import { numbersOf } from '../../onnx/tensor.ts';
import { type RuleContext, refuse } from '../rule.ts';

export function normalAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The numbers of constant input `i`; undefined if it was not given; refused if it is computed. */
export function constantNumbers(c: RuleContext, i: number, what: string): number[] | undefined {
  if (!c.has(i)) return undefined;
  const tensor = c.constant(i);
  if (!tensor) refuse(c.node, `its ${what} depend on a variable input.`);
  return numbersOf(tensor);
}

/** `dims` with axis `axis` set to `size`. */
export function withDim(dims: readonly number[], axis: number, size: number): number[] {
  return dims.map((d, i) => (i === axis ? size : d));
}
