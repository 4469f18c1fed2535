/** Constants that half precision holds exactly, in half precision: statistics and weights that were stored so take half of the file. */
import { elementCode } from '../../onnx/element-codes.ts';
import type { Graph, Node } from '../../onnx/graph.ts';
import { castTensor, type Tensor } from '../../onnx/tensor.ts';

/** Fewer numbers are left as they are: the node that widens them takes as much. */
const MIN_LENGTH = 256;

/** The graph with such initialisers in float16, each widened by a Cast: the values that nodes read are the same. */
export function halvedWhereExact(graph: Graph): Graph {
  const casts: Node[] = [];
  const initializers = new Map<string, Tensor>();
  for (const [name, tensor] of graph.initializers) {
    const half = tensor.type === 'float32' && tensor.data.length >= MIN_LENGTH ? exactHalf(tensor) : undefined;
    if (!half) {
      initializers.set(name, tensor);
      continue;
    }
    const stored = `${name}.half`;
    initializers.set(stored, half);
    const attributes = { to: { kind: 'int', value: elementCode('float32') } } as const;
    casts.push({ operator: 'Cast', domain: '', name, inputs: [stored], outputs: [name], attributes });
  }
  return { ...graph, initializers, nodes: [...casts, ...graph.nodes] };
}

/** Undefined where a number would change. */
function exactHalf(tensor: Tensor): Tensor | undefined {
  const half = castTensor(tensor, 'float16');
  const wide = castTensor(half, 'float32');
  for (let i = 0; i < wide.data.length; i++) if (wide.data[i] !== tensor.data[i]) return undefined;
  return half;
}
