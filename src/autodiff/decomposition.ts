/** What a decomposition is: a composite operator written out in primitive ones. `decompositions/` holds the table. */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import type { Tensor, TensorType } from '../onnx/tensor.ts';

export interface DecompositionContext {
  /** Emits the primitive nodes. */
  readonly b: GraphBuilder;
  readonly node: Node;
  /** Element type and shape of a value of the original graph (not of one just emitted). */
  typeOf(value: Value): TensorType;
  /** Shape of input `i`. */
  dims(i: number): readonly number[];
  /** Shape of output `i`. */
  outputDims(i: number): readonly number[];
  /** Input `i` where it is an initialiser; else undefined. */
  constant(i: number): Tensor | undefined;
  /** Was input `i` given? */
  has(i: number): boolean;
  /** Is output `i` asked for? */
  asked(i: number): boolean;
}

/**
 * Emits the node as primitives (which must have rules, and not be composite themselves) and returns the values of its
 * outputs; undefined for an output not asked for.
 */
export type Decomposition = (context: DecompositionContext) => readonly (Value | undefined)[];

export type DecompositionTable = Readonly<Record<string, Decomposition>>;
