/** One copy of equal constants: the stages of a search hold the same weights. */
import type { Attribute, Graph, Node } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';

/** The graph with one of each of its equal initialisers. Those of subgraphs stay as they are. */
export function sharedInitializers(graph: Graph): Graph {
  const bySize = new Map<string, [string, Tensor][]>();
  const kept = new Map<string, Tensor>();
  const renamed = new Map<string, string>();
  for (const [name, tensor] of graph.initializers) {
    const key = `${tensor.type} ${tensor.dims.join()}`;
    const others = bySize.get(key) ?? [];
    const same = others.find(([, other]) => isEqual(other, tensor));
    if (same) renamed.set(name, same[0]);
    else {
      kept.set(name, tensor);
      bySize.set(key, [...others, [name, tensor]]);
    }
  }
  return { ...graph, initializers: kept, nodes: graph.nodes.map((node) => withNames(node, renamed)) };
}

function isEqual(a: Tensor, b: Tensor): boolean {
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}

function withNames(node: Node, names: ReadonlyMap<string, string>): Node {
  const rename = (name: string) => names.get(name) ?? name;
  const attributes = Object.entries(node.attributes).map(([key, attribute]): [string, Attribute] => [
    key,
    attribute.kind === 'graph'
      ? {
          kind: 'graph',
          value: { ...attribute.value, nodes: attribute.value.nodes.map((inner) => withNames(inner, names)) },
        }
      : attribute,
  ]);
  return { ...node, inputs: node.inputs.map(rename), attributes: Object.fromEntries(attributes) };
}
