/**
 * Old and new operator forms to the working opset, by one table of rules. Opsets 21 and 22 differ from it in element
 * types only (GroupNormalization apart). Nodes of other domains pass untouched.
 */
import { GraphBuilder, type Value } from './builder.ts';
import { type Attribute, entryOf, type Graph, type Node } from './graph.ts';
import type { LiftContext, LiftTable } from './lift/context.ts';
import { forms } from './lift/forms.ts';
import { movedAttributes } from './lift/moved-attributes.ts';
import { resizing } from './lift/resizing.ts';
import type { Tensor } from './tensor.ts';

export interface Lifted {
  readonly graph: Graph;
  readonly notes: readonly string[];
}

const LIFTS: LiftTable = { ...movedAttributes, ...resizing, ...forms };

/** `graph`, written for `opset`, in the working opset. `opsets` names the nodes written for another one (functions). */
export function lift(graph: Graph, opset: number, opsets: ReadonlyMap<Node, number> = new Map()): Lifted {
  const notes = new Set<string>();
  const taken = namesOf(graph);
  return { graph: liftGraph(graph, { opset, opsets, notes, taken, outer: () => undefined }), notes: [...notes] };
}

interface Surroundings {
  readonly opset: number;
  readonly opsets: ReadonlyMap<Node, number>;
  readonly notes: Set<string>;
  /** Every name of the model: what is made in one graph must not hide a name of another. */
  readonly taken: Set<string>;
  readonly outer: (value: Value) => Tensor | undefined;
}

function liftGraph(graph: Graph, around: Surroundings): Graph {
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const name of around.taken) b.reserve(name);
  const constants = new Map(graph.initializers);
  const constantOf = (value: Value) => constants.get(value) ?? around.outer(value);
  for (const node of graph.nodes) {
    const opset = around.opsets.get(node) ?? around.opset;
    const context: LiftContext = { b, opset, constantOf, note: (sentence) => around.notes.add(sentence) };
    const inner = withSubgraphs(withoutTrailingGaps(node), (subgraph) =>
      liftGraph(subgraph, { ...around, opset, outer: constantOf }),
    );
    const rule = node.domain === '' ? entryOf(LIFTS, node.operator) : undefined;
    const before = b.nodes.length;
    if (rule && opset < (rule.until ?? Number.POSITIVE_INFINITY)) rule.rewrite(context, inner);
    else b.append(inner);
    for (const made of b.nodes.slice(before)) {
      for (const output of made.outputs) around.taken.add(output);
      const value = made.operator === 'Constant' ? made.attributes.value : undefined;
      if (value?.kind === 'tensor') constants.set(made.outputs[0], value.value);
    }
  }
  for (const name of b.initializers.keys()) around.taken.add(name);
  return { ...b.graph(graph.name, graph.inputs, graph.outputs), nodes: withOwnNames(b.nodes) };
}

/** Inputs left out at the end are cut: ONNX Runtime crashes on some that are named '' (LayerNormalization's bias). */
function withoutTrailingGaps(node: Node): Node {
  const given = node.inputs.findLastIndex((input) => input) + 1;
  return given === node.inputs.length ? node : { ...node, inputs: node.inputs.slice(0, given) };
}

/** Node names made unique, as ONNX Runtime asks: one old node may have become several. */
function withOwnNames(nodes: readonly Node[]): Node[] {
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  return nodes.map((node) => {
    let name = node.name;
    while (name && seen.has(name)) {
      const count = (counts.get(node.name) ?? 0) + 1;
      counts.set(node.name, count);
      name = `${node.name}.${count}`;
    }
    seen.add(name);
    return name === node.name ? node : { ...node, name };
  });
}

function withSubgraphs(node: Node, change: (graph: Graph) => Graph): Node {
  const entries = Object.entries(node.attributes);
  if (!entries.some(([, attribute]) => attribute.kind === 'graph')) return node;
  const attributes = entries.map(([name, attribute]): [string, Attribute] => [
    name,
    attribute.kind === 'graph' ? { kind: 'graph', value: change(attribute.value) } : attribute,
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) };
}

/** Every value name of a graph and of the graphs inside its nodes. */
export function namesOf(graph: Graph, names: Set<string> = new Set()): Set<string> {
  for (const input of graph.inputs) names.add(input.name);
  for (const name of graph.initializers.keys()) names.add(name);
  for (const node of graph.nodes) {
    for (const output of node.outputs) names.add(output);
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === 'graph') namesOf(attribute.value, names);
  }
  return names;
}
