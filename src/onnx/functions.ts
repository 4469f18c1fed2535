/**
 * Local functions (ModelProto.functions: dynamo and onnxscript exports) replaced by their bodies while a model is
 * decoded: arguments for parameters, attribute references resolved, every inner value under a name of its own.
 */
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { RgiError } from '../errors.ts';
import { type DecodeScope, decodeAttributes, decodeNodes } from './decode.ts';
import { type Attribute, entryOf, type Graph, type Node } from './graph.ts';

export interface FunctionExpander {
  /** For `DecodeScope.expand`. */
  readonly expand: NonNullable<DecodeScope['expand']>;
  /** Nodes that came from functions written for another opset than the model's. */
  readonly opsets: ReadonlyMap<Node, number>;
}

/** Bodies multiply when functions call functions: beyond this many nodes a model is refused. */
const MAX_NODES = 200_000;
const DEEPEST = 100;

/** `opsetOf` reads the standard opset that a function imports (undefined: none, the model's holds). */
export function functionExpander(
  model: ModelProto,
  opsetOf: (imports: FunctionProto['opsetImport']) => number | undefined,
): FunctionExpander {
  const functions = new Map(model.functions.map((f) => [keyOf(f.domain, f.name, f.overload), f]));
  /** Names in use, and how often each was wanted again. */
  const taken = new Map<string, number>();
  if (model.graph && functions.size > 0) collectNames(model.graph, taken);
  const opsets = new Map<Node, number>();
  if (model.graph) refuseUnbounded(model.graph, functions);

  const expand = (call: NodeProto, scope: DecodeScope): readonly Node[] | undefined => {
    const body = functions.get(keyOf(call.domain, call.opType, call.overload));
    if (!body) return undefined;
    const location = { node: call.name, operator: call.opType };
    if (call.input.length > body.input.length || call.output.length > body.output.length) {
      throw new RgiError(
        'model',
        `'${call.name}' calls the function '${call.opType}' with ${call.input.length} inputs and ${call.output.length} outputs; it has ${body.input.length} and ${body.output.length}.`,
        location,
      );
    }
    const given = decodeAttributes(call.attribute, scope);
    const defaults = decodeAttributes(body.attributeProto, scope);
    const nodes = decodeNodes(body.node, {
      ...scope,
      reference: (name) => entryOf(given, name) ?? entryOf(defaults, name),
    });
    return inline(call, body, nodes, opsetOf(body.opsetImport));
  };

  function inline(call: NodeProto, body: FunctionProto, nodes: readonly Node[], opset: number | undefined): Node[] {
    const prefix = call.name || call.output.find((name) => name) || call.opType;
    const names = new Map<string, string>([['', '']]);
    body.input.forEach((name, i) => {
      names.set(name, call.input[i] ?? '');
    });
    const passedOn: Node[] = [];
    body.output.forEach((name, i) => {
      const wanted = call.output[i];
      if (!wanted) return;
      if (names.has(name)) passedOn.push(identity(names.get(name)!, wanted));
      else names.set(name, wanted);
    });
    const rename = (name: string): string => {
      let found = names.get(name);
      if (found === undefined) {
        found = freshName(`${prefix}/${name}`, taken);
        names.set(name, found);
      }
      return found;
    };
    const renamed = (node: Node): Node => {
      const result: Node = {
        ...node,
        name: node.name && `${prefix}/${node.name}`,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
        attributes: mapSubgraphs(node.attributes, renamedGraph),
      };
      const own = opsets.get(node);
      opsets.delete(node);
      if (own !== undefined) opsets.set(result, own);
      return result;
    };
    const renamedGraph = (graph: Graph): Graph => ({
      name: graph.name,
      inputs: graph.inputs.map((info) => ({ ...info, name: rename(info.name) })),
      outputs: graph.outputs.map((info) => ({ ...info, name: rename(info.name) })),
      initializers: new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor])),
      nodes: graph.nodes.map(renamed),
    });
    const result = [...nodes.map(renamed), ...passedOn];
    if (opset !== undefined) for (const node of result) if (!opsets.has(node)) opsets.set(node, opset);
    return result;
  }

  return { expand, opsets };
}

/** Throws where functions call themselves, or where the inlined model would be absurdly large. */
function refuseUnbounded(graph: GraphProto, functions: ReadonlyMap<string, FunctionProto>): void {
  const sizes = new Map<string, number>();
  const open = new Set<string>();
  const refuse = (name: string, what: string) =>
    new RgiError('model', `The model's function '${name}' ${what}; it cannot be inlined.`, { operator: name });
  const sizeOfNodes = (nodes: readonly NodeProto[]): number =>
    nodes.reduce((sum, node) => {
      const inner = node.attribute.reduce((total, { g }) => total + (g ? sizeOfNodes(g.node) : 0), 0);
      return sum + sizeOfCall(node) + inner;
    }, 0);
  const sizeOfCall = (node: NodeProto): number => {
    const key = keyOf(node.domain, node.opType, node.overload);
    const body = functions.get(key);
    if (!body) return 1;
    const known = sizes.get(key);
    if (known !== undefined) return known;
    if (open.has(key)) throw refuse(node.opType, 'calls itself');
    if (open.size >= DEEPEST) throw refuse(node.opType, `stands at the end of more than ${DEEPEST} nested calls`);
    open.add(key);
    // The call itself counts: empty bodies called without end are work, too.
    const size = 1 + sizeOfNodes(body.node);
    open.delete(key);
    if (size > MAX_NODES) throw refuse(node.opType, `stands for more than ${MAX_NODES} nodes`);
    sizes.set(key, size);
    return size;
  };
  sizeOfNodes(graph.node);
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === 'ai.onnx' ? '' : domain, name, overload]);
}

function identity(input: string, output: string): Node {
  return { operator: 'Identity', domain: '', name: output, inputs: [input], outputs: [output], attributes: {} };
}

function freshName(base: string, taken: Map<string, number>): string {
  let name = base;
  while (taken.has(name)) {
    const count = taken.get(base)! + 1;
    taken.set(base, count);
    name = `${base}.${count}`;
  }
  taken.set(name, 0);
  return name;
}

function mapSubgraphs(
  attributes: Node['attributes'],
  change: (graph: Graph) => Graph,
): Readonly<Record<string, Attribute>> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: change(attribute.value) } : attribute,
    ]),
  );
}

function collectNames(graph: GraphProto, names: Map<string, number>): void {
  for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) names.set(name, 0);
  for (const node of graph.node) {
    for (const name of [...node.input, ...node.output]) names.set(name, 0);
    for (const attribute of node.attribute) if (attribute.g) collectNames(attribute.g, names);
  }
}
