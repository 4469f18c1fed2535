/** What a lifting rule is: it emits, into the graph being built, nodes of the working opset that do what `node` did. */
import type { GraphBuilder, Value } from '../builder.ts';
import type { Attribute, Attributes, Node } from '../graph.ts';
import type { Tensor } from '../tensor.ts';

export interface LiftContext {
  /** The graph being built; holds everything emitted so far. */
  readonly b: GraphBuilder;
  /** Opset the node was written for. */
  readonly opset: number;
  /** The value where it is an initialiser or a Constant node, of this graph or one around it. */
  constantOf(value: Value): Tensor | undefined;
  /** Adds a sentence to the model's notes, once. */
  note(sentence: string): void;
}

export interface Lift {
  /** The first opset whose form is already the working one; the rule is for files below it (absent: for all). */
  readonly until?: number;
  readonly rewrite: (context: LiftContext, node: Node) => void;
}

export type LiftTable = Readonly<Record<string, Lift>>;

/** Appends `node` changed in some parts; its outputs and its name stay. Inputs left out at the end are cut. */
export function emit(
  b: GraphBuilder,
  node: Node,
  changes: { operator?: string; inputs?: readonly Value[]; outputs?: readonly Value[]; attributes?: Attributes },
): void {
  const inputs = [...(changes.inputs ?? node.inputs)];
  while (inputs.length > 0 && inputs[inputs.length - 1] === '') inputs.pop();
  b.append({ ...node, ...changes, inputs });
}

/** The attributes without `names`, and with those of `added` that are defined. */
export function attributesWith(
  node: Node,
  without: readonly string[],
  added: Readonly<Record<string, Attribute | undefined>> = {},
): Attributes {
  const kept = Object.entries(node.attributes).filter(([name]) => !without.includes(name));
  const more = Object.entries(added).filter((entry): entry is [string, Attribute] => entry[1] !== undefined);
  return Object.fromEntries([...kept, ...more]);
}
