/**
 * The graph IR: an ONNX graph with values named by strings, as in the file, in topological order.
 * Everything above the reader works on graphs of `WORKING_OPSET`; the reader lifts older and newer forms to it.
 */
import type { ElementType, Tensor, TensorType } from './tensor.ts';

/** The one opset used inside. 20 has every operator form we emit, and every execution provider registers it. */
export const WORKING_OPSET = 20;

/** The value of a node's attribute, with its kind. */
export type Attribute =
  /** A whole number, within 2^53. */
  | { readonly kind: 'int'; readonly value: number }
  /** A number; stored in 32 bits. */
  | { readonly kind: 'float'; readonly value: number }
  /** A text (UTF-8). */
  | { readonly kind: 'string'; readonly value: string }
  /** Whole numbers, within 2^53. */
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  /** Numbers; stored in 32 bits. */
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  /** Texts. */
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  /** A constant. */
  | { readonly kind: 'tensor'; readonly value: Tensor }
  /** A subgraph: a branch of If, the body of Loop or Scan. */
  | { readonly kind: 'graph'; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an operator. */
export interface Node {
  /** ONNX name of the operator, for instance 'Conv'. */
  readonly operator: string;
  /** '' is the standard domain. */
  readonly domain: string;
  /** For messages; may be empty, and need not be unique. */
  readonly name: string;
  /** Value names; '' is an input left out. */
  readonly inputs: readonly string[];
  /** Value names; '' is an output not asked for. */
  readonly outputs: readonly string[];
  /** By name; those left out have the operator's defaults. */
  readonly attributes: Attributes;
}

/** A graph input or output as declared: a dimension is a number, or a name where it is symbolic or unknown. */
export interface ValueInfo {
  /** Name of the value; feeds and results go by it. */
  readonly name: string;
  /** Element type. */
  readonly type: ElementType;
  /** One entry per axis; [] is a scalar. */
  readonly dims: readonly (number | string)[];
  /** What the file did not say; `type` is float32 and `dims` empty there, and neither is written. */
  readonly undeclared?: 'type' | 'shape';
}

/** A computation: nodes in topological order between named inputs and outputs. */
export interface Graph {
  /** For messages; means nothing else. */
  readonly name: string;
  /** What has to be fed; initialisers are not among them. */
  readonly inputs: readonly ValueInfo[];
  /** What is returned. */
  readonly outputs: readonly ValueInfo[];
  /** Constants and weights, by name. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** In topological order. */
  readonly nodes: readonly Node[];
}

/** A graph whose every value has a known element type and static shape (made by `specialise`). */
export interface StaticGraph extends Graph {
  /** Type and shape of every value, by name. */
  readonly types: ReadonlyMap<string, TensorType>;
}

/** A model as it was read from its file. */
export interface Model {
  /** The computation, in the working opset. */
  readonly graph: Graph;
  /** The opset of the file it was read from; the graph itself is in `WORKING_OPSET`. */
  readonly sourceOpset: number;
  /** The tool that wrote the file, as it names itself; may be empty. */
  readonly producer: string;
  /** The file's metadata entries; ours begin with 'rgi.'. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What the reader changed that a user should know (float16 widened, random nodes, ...). */
  readonly notes: readonly string[];
}

/** Runs a graph once on given inputs and returns the named values: how passes evaluate, without knowing a runtime. */
export interface Evaluate {
  (graph: Graph, feeds: ReadonlyMap<string, Tensor>, wanted: readonly string[]): Promise<Map<string, Tensor>>;
  /** Element types and shapes that are known of values before `graph` runs, whose inputs are of static shape; the others are absent. */
  readonly infer?: (graph: Graph, values: readonly string[]) => Promise<Map<string, DeclaredType>>;
}

/** What is known of a value before it is computed: sizes that are open are undefined, and so are the dimensions of an unknown rank. */
export interface DeclaredType {
  readonly type: ElementType;
  readonly dims: readonly (number | undefined)[];
}

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
