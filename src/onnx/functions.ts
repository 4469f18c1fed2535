/**
 * Local functions (ModelProto.functions: dynamo and onnxscript exports) replaced by their bodies while a model is
 * decoded: arguments for parameters, attribute references resolved, every inner value under a name of its own.
 */
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { RgiError } from '../errors.ts';
import { type DecodeScope, decodeAttributes, decodeNodes } from './decode.ts';
import type { Attribute, Graph, Node } from './graph.ts';

export interface FunctionExpander {
  /** For `DecodeScope.expand`. */
  readonly expand: NonNullable<DecodeScope['expand']>;
  /** Nodes that came from functions written for another opset than the model's. */
  readonly opsets: ReadonlyMap<Node, number>;
}

/** Bodies multiply when functions call functions: beyond this many nodes a model is refused. */
const MOST_NODES = 1_000_000;
const DEEPEST = 100;

/** `opsetOf` reads the standard opset that a function imports (undefined: none, the model's holds). */
export function functionExpander(
  model: ModelProto,
  opsetOf: (imports: FunctionProto['opsetImport']) => number | undefined,
): FunctionExpander {
  const functions = new Map(model.functions.map((f) => [keyOf(f.domain, f.name, f.overload), f]));
  const taken = new Set<string>();
  if (model.graph && functions.size > 0) collectNames(model.graph, taken);
  const opsets = new Map<Node, number>();
  const open: string[] = [];
  let made = 0;

  const expand = (call: NodeProto, scope: DecodeScope): readonly Node[] | undefined => {
    const key = keyOf(call.domain, call.opType, call.overload);
    const body = functions.get(key);
    if (!body) return undefined;
    const location = { node: call.name, operator: call.opType };
    if (open.includes(key)) {
      throw new RgiError(
        'model',
        `The model's function '${call.opType}' calls itself; it cannot be inlined.`,
        location,
      );
    }
    made += body.node.length;
    if (open.length >= DEEPEST || made > MOST_NODES) {
      throw new RgiError(
        'model',
        `The model's functions call each other without bound (at '${call.opType}').`,
        location,
      );
    }
    if (call.input.length > body.input.length || call.output.length > body.output.length) {
      throw new RgiError(
        'model',
        `'${call.name}' calls the function '${call.opType}' with ${call.input.length} inputs and ${call.output.length} outputs; it has ${body.input.length} and ${body.output.length}.`,
        location,
      );
    }
    const given = decodeAttributes(call.attribute, scope);
    const defaults = decodeAttributes(body.attributeProto, scope);
    open.push(key);
    const nodes = decodeNodes(body.node, { ...scope, reference: (name) => given[name] ?? defaults[name] });
    open.pop();
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

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === 'ai.onnx' ? '' : domain, name, overload]);
}

function identity(input: string, output: string): Node {
  return { operator: 'Identity', domain: '', name: output, inputs: [input], outputs: [output], attributes: {} };
}

function freshName(base: string, taken: Set<string>): string {
  let name = base;
  for (let i = 1; taken.has(name); i++) name = `${base}.${i}`;
  taken.add(name);
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

function collectNames(graph: GraphProto, names: Set<string>): void {
  for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) names.add(name);
  for (const node of graph.node) {
    for (const name of [...node.input, ...node.output]) names.add(name);
    for (const attribute of node.attribute) if (attribute.g) collectNames(attribute.g, names);
  }
}
