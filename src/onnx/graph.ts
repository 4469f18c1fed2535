/**
 * The graph IR: an ONNX graph with values named by strings, as in the file, in topological order.
 * Everything above the reader works on graphs of `WORKING_OPSET`; the reader lifts older and newer forms to it.
 */
import type { ElementType, Tensor, TensorType } from './tensor.ts';

/** The one opset used inside. 20 has every operator form we emit, and every execution provider registers it. */
export const WORKING_OPSET = 20;

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly operator: string;
  /** '' is the standard domain. */
  readonly domain: string;
  readonly name: string;
  /** Value names; '' is an input left out. */
  readonly inputs: readonly string[];
  /** Value names; '' is an output not asked for. */
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** A graph input or output as declared: a dimension is a number, or a name where it is symbolic or unknown. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly (number | string)[];
  /** What the file did not say; `type` is float32 and `dims` empty there, and neither is written. */
  readonly undeclared?: 'type' | 'shape';
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
}

/** A graph whose every value has a known element type and static shape (made by `specialise`). */
export interface StaticGraph extends Graph {
  readonly types: ReadonlyMap<string, TensorType>;
}

export interface Model {
  readonly graph: Graph;
  /** The opset of the file it was read from; the graph itself is in `WORKING_OPSET`. */
  readonly sourceOpset: number;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** What the reader changed that a user should know (float16 widened, random nodes, ...). */
  readonly notes: readonly string[];
}

/** Runs a graph once on given inputs and returns the named values: how passes evaluate, without knowing a runtime. */
export type Evaluate = (
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  wanted: readonly string[],
) => Promise<Map<string, Tensor>>;

export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === 'string' ? attribute.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}

/** The entry of a table by a name from a file: 'constructor' is none, though every object has one. */
export function entryOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** "Conv 'to_rgb_5'", for messages. */
export function describeNode(node: Node): string {
  const name = node.name || node.outputs.find((output) => output) || '';
  return name ? `${node.operator} '${name}'` : node.operator;
}

/** Every value a node reads, those read inside its subgraphs from the outer scope included. */
export function readsOf(node: Node): string[] {
  const reads = node.inputs.filter((input) => input);
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') reads.push(...freeValues(attribute.value));
  }
  return reads;
}

/** Names a (sub)graph reads but does not define: captured from the outer scope. */
function freeValues(graph: Graph): string[] {
  const defined = new Set<string>([...graph.initializers.keys(), ...graph.inputs.map((input) => input.name)]);
  const free = new Set<string>();
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) if (!defined.has(name)) free.add(name);
    for (const name of node.outputs) defined.add(name);
  }
  for (const output of graph.outputs) if (!defined.has(output.name)) free.add(output.name);
  return [...free];
}

/** The node that makes each value. */
export function producersOf(graph: Graph): Map<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) producers.set(output, node);
  return producers;
}
