/**
 * Makes a graph static. Each value's element type and shape are those that ONNX Runtime infers, or finds in one run where it cannot infer
 * them all. What does not depend on a variable input is computed and folded into initialisers (shape arithmetic, frozen-weight
 * precomputation, constant conditions).
 */
import { RgiError } from '../errors.ts';
import { type Attributes, type Evaluate, type Graph, type Node, readsOf, type StaticGraph } from '../onnx/graph.ts';
import type { Tensor, TensorType } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';
import { DRAWS } from './draws.ts';
import { inferredTypes, withKnownShapes, withReadInputs } from './inferred.ts';
import { typeOf, withTypeProbes } from './probes.ts';

export interface SpecialiseOptions {
  /** Initialisers that will be variables (tuned weights): what depends on them is kept, not folded. */
  readonly variables?: ReadonlySet<string>;
}

/** Operators whose result depends on their input's shape only. */
const SHAPE_ONLY = new Set(['Shape', 'Size']);

/**
 * The graph at the shapes of `feeds` (every graph input, concrete), with constants folded and dead code removed.
 * Throws `model` where the graph cannot run at these shapes.
 */
export async function specialise(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
  options: SpecialiseOptions = {},
): Promise<StaticGraph> {
  for (const input of graph.inputs) {
    if (!feeds.has(input.name))
      throw new RgiError('usage', `The model's input '${input.name}' has no value.`, { tensor: input.name });
  }
  let current = withConstantsAsInitializers(graph);
  for (;;) {
    const { folded, types } = await foldOnce(current, feeds, evaluate, options);
    const inlined = inlineConstantIfs(folded);
    if (!inlined) return { ...withoutDeadCode(folded), types };
    current = withConstantsAsInitializers(inlined);
  }
}

async function foldOnce(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
  options: SpecialiseOptions,
) {
  const known = new Set([...graph.initializers.keys()].filter((name) => !options.variables?.has(name)));
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    // One draw of the dry run is frozen, so that G is a function.
    const foldable =
      SHAPE_ONLY.has(node.operator) || DRAWS.has(node.operator) || readsOf(node).every((name) => known.has(name));
    if (foldable) for (const output of node.outputs) known.add(output);
    else nodes.push(node);
  }
  const needed = [...nodes.flatMap(readsOf), ...graph.outputs.map((output) => output.name)];
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const constants = [...new Set(needed)].filter((name) => known.has(name) && made.has(name));
  const { values, types } = await dryRun(graph, feeds, evaluate, constants);
  const initializers = new Map([...graph.initializers, ...values]);
  const outputs = graph.outputs.map((output) => ({ ...output, ...types.get(output.name) }));
  const inputs = graph.inputs.map((input) => ({ ...input, dims: types.get(input.name)!.dims }));
  return { folded: { ...graph, inputs, outputs, nodes, initializers }, types };
}

/** The values of `constants`, and of every other value its type and dimensions: inferred where they can be, else by a run of the whole. */
async function dryRun(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
  constants: readonly string[],
) {
  const types = new Map<string, TensorType>();
  for (const [name, { type, dims }] of [...graph.initializers, ...feeds]) types.set(name, { type, dims });
  const inferred = await inferredTypes(graph, feeds, evaluate);
  if (inferred) {
    for (const [name, type] of inferred) types.set(name, type);
    return { values: await valuesOf(constants, withKnownShapes(graph, types), feeds, evaluate), types };
  }
  const probed = withTypeProbes(graph);
  const wanted = [...constants, ...probed.wanted];
  const found = wanted.length > 0 ? await evaluate(probed.graph, feeds, wanted) : new Map<string, Tensor>();
  for (const name of probed.values) types.set(name, typeOf(name, found));
  return { values: constants.map((name) => [name, found.get(name)!] as const), types };
}

/** The values of `constants`, by what of the graph they are made of. */
async function valuesOf(
  constants: readonly string[],
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
): Promise<(readonly [string, Tensor])[]> {
  const open = constants.filter((name) => !graph.initializers.has(name));
  const outputs = open.map((name) => ({ name, type: 'float32' as const, dims: [] }));
  const needed = withReadInputs(withoutDeadCode({ ...graph, outputs }));
  const fed = new Map(needed.inputs.map(({ name }): [string, Tensor] => [name, feeds.get(name)!]));
  const found = open.length > 0 ? await evaluate(needed, fed, open) : new Map<string, Tensor>();
  return constants.map((name) => [name, found.get(name) ?? graph.initializers.get(name)!] as const);
}

/** Constant nodes become initialisers, so that everything constant is found in one place. */
function withConstantsAsInitializers(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.filter((node) => {
    const value = node.operator === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind !== 'tensor') return true;
    initializers.set(node.outputs[0], value.value);
    return false;
  });
  return { ...graph, nodes, initializers };
}

/** Replaces `If` nodes whose condition is constant by the branch taken; undefined if there was none. */
function inlineConstantIfs(graph: Graph): Graph | undefined {
  let found = false;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.flatMap((node) => {
    const condition = node.operator === 'If' ? initializers.get(node.inputs[0]) : undefined;
    if (!condition) return [node];
    found = true;
    const branch = node.attributes[condition.data[0] ? 'then_branch' : 'else_branch'];
    if (branch?.kind !== 'graph') throw new RgiError('model', `If '${node.name}' lacks a branch.`, { node: node.name });
    return inlineBranch(branch.value, node, initializers);
  });
  return found ? { ...graph, nodes, initializers } : undefined;
}

/** The branch's nodes under names of their own, its outputs renamed to the node's. */
function inlineBranch(branch: Graph, node: Node, initializers: Map<string, Tensor>): Node[] {
  const prefix = `${node.name || node.outputs[0]}/`;
  const local = new Set([...branch.initializers.keys(), ...branch.nodes.flatMap((inner) => inner.outputs)]);
  const rename = (name: string) => (local.has(name) ? prefix + name : name);
  for (const [name, tensor] of branch.initializers) initializers.set(prefix + name, tensor);
  const nodes: Node[] = branch.nodes.map((inner) => ({
    ...inner,
    name: inner.name && prefix + inner.name,
    inputs: inner.inputs.map((name) => (name ? rename(name) : name)),
    outputs: inner.outputs.map((name) => (name ? rename(name) : name)),
    attributes: withRenamedCaptures(inner.attributes, rename),
  }));
  branch.outputs.forEach((output, i) => {
    if (!node.outputs[i]) return;
    nodes.push({
      operator: 'Identity',
      domain: '',
      name: '',
      inputs: [rename(output.name)],
      outputs: [node.outputs[i]],
      attributes: {},
    });
  });
  return nodes;
}

/** Graphs inside a moved node read values of the branch, too: those get their new names; a graph's own values keep theirs. */
function withRenamedCaptures(attributes: Attributes, rename: (name: string) => string): Attributes {
  const inGraph = (graph: Graph): Graph => {
    const own = new Set([
      ...graph.inputs.map((input) => input.name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((inner) => inner.outputs),
    ]);
    const captured = (name: string) => (name === '' || own.has(name) ? name : rename(name));
    return {
      ...graph,
      outputs: graph.outputs.map((output) => ({ ...output, name: captured(output.name) })),
      nodes: graph.nodes.map((inner) => ({
        ...inner,
        inputs: inner.inputs.map(captured),
        attributes: withRenamedCaptures(inner.attributes, captured),
      })),
    };
  };
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => [
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: inGraph(attribute.value) } : attribute,
    ]),
  );
}
