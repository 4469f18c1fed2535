/**
 * Products and broadcasts, written so that little is done at full size. Backward graphs multiply by scalars and by
 * expanded sums one after the other; each such product is a pass over the whole tensor.
 *
 * - An Expand that only feeds broadcasting arithmetic is left out.
 * - A tree of Mul, Neg, Div by a constant, x + x is one product: its constants are multiplied here, and its other factors
 *   from the smallest to the largest. Exact but for the order of rounding.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { type Graph, type Node, readsOf } from '../onnx/graph.ts';
import { float32Data, sizeOf } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';

type Dims = ReadonlyMap<string, readonly number[]>;

const BROADCASTING = new Set(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow']);

/** Lets broadcasting operators read what an Expand expanded, wherever that leaves their result's shape as it is. */
export function skipExpands<G extends Graph>(graph: G, dims: Dims): G {
  const source = new Map<string, string>();
  const nodes = graph.nodes.map((node) => {
    if (node.operator === 'Expand' && node.domain === '') source.set(node.outputs[0], node.inputs[0]);
    if (!BROADCASTING.has(node.operator) || node.domain !== '') return node;
    const inputs = [...node.inputs];
    for (let i = 0; i < inputs.length; i++) {
      const small = source.get(inputs[i]);
      if (small === undefined) continue;
      const shapes = inputs.map((input, j) => dims.get(j === i ? small : input));
      const expected = dims.get(node.outputs[0]);
      if (expected && broadcast(shapes) === expected.join()) inputs[i] = small;
    }
    return { ...node, inputs };
  });
  return withoutDeadCode({ ...graph, nodes });
}

function broadcast(shapes: readonly (readonly number[] | undefined)[]): string | undefined {
  const rank = Math.max(...shapes.map((shape) => shape?.length ?? 0));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    if (!shape) return undefined;
    shape.forEach((d, i) => {
      if (d !== 1) result[rank - shape.length + i] = d;
    });
  }
  return result.join();
}

interface Product {
  constant: number;
  readonly factors: Value[];
  /** Nodes of the tree whose result has the size of the whole. */
  passes: number;
}

/** Regroups the float32 products of `graph` that then take fewer passes at full size. */
export function regroupProducts<G extends Graph>(graph: G, dims: Dims): G {
  const floats = float32Values(graph);
  const readers = readerCounts(graph);
  const producers = new Map(graph.nodes.map((node) => [node.outputs[0], node]));
  const shape = (value: Value) => dims.get(value)?.join();
  const number = (value: Value): number | undefined => {
    const tensor = graph.initializers.get(value);
    return tensor?.type === 'float32' && tensor.data.length === 1 ? float32Data(tensor)[0] : undefined;
  };
  const isProduct = ({ operator, domain, inputs, outputs: [output] }: Node): boolean => {
    if (domain !== '' || !floats.has(output)) return false;
    if (operator === 'Mul' || operator === 'Neg') return true;
    return operator === 'Div' ? Boolean(number(inputs[1])) : operator === 'Add' && inputs[0] === inputs[1];
  };
  /** Multiplies the factors of `node` into `product`, opening those that nobody else reads. */
  const open = (node: Node, product: Product, full: string | undefined): void => {
    const [a, b] = node.inputs;
    if (shape(node.outputs[0]) === full) product.passes++;
    if (node.operator === 'Neg') product.constant *= -1;
    if (node.operator === 'Add') product.constant *= 2;
    if (node.operator === 'Div') product.constant /= number(b)!;
    for (const value of node.operator === 'Mul' ? [a, b] : [a]) {
      const constant = number(value);
      const inner = producers.get(value);
      if (constant !== undefined) product.constant *= constant;
      else if (inner && isProduct(inner) && readers.get(value) === 1 && !(node.operator === 'Mul' && a === b))
        open(inner, product, full);
      else if (inner?.operator === 'Expand' && inner.domain === '') product.factors.push(inner.inputs[0]);
      else product.factors.push(value);
    }
  };

  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  for (const node of graph.nodes) {
    const full = shape(node.outputs[0]);
    const product: Product = { constant: 1, factors: [], passes: 0 };
    if (full !== undefined && isProduct(node)) open(node, product, full);
    const large = product.factors.filter((factor) => shape(factor) === full);
    const rest = product.constant !== 1 || large.length < product.factors.length;
    const passes = large.length - 1 + (rest ? 1 : 0);
    const better = large.length > 0 && passes > 0 && passes < product.passes && Number.isFinite(product.constant);
    if (better) emitProduct(b, node, product, dims);
    else b.append(node);
  }
  return withoutDeadCode({ ...graph, nodes: b.nodes, initializers: b.initializers });
}

/** Smallest factors first, the constant with the smallest of all. */
function emitProduct(b: GraphBuilder, node: Node, { constant, factors }: Product, dims: Dims): void {
  const sorted = [...factors].sort((x, y) => sizeOf(dims.get(x)!) - sizeOf(dims.get(y)!));
  const chain = constant === 1 ? sorted : [b.scalar(constant), ...sorted];
  const last = chain.length - 1;
  let value = chain[0];
  for (const factor of chain.slice(1, last)) value = b.Mul(value, factor);
  b.node('Mul', [value, chain[last]], {}, node.outputs);
}

/** How many nodes (and outputs) read each value; a node that reads it twice counts once. */
function readerCounts(graph: Graph): Map<string, number> {
  const readers = new Map<string, number>();
  const read = (name: string) => readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const node of graph.nodes) for (const name of new Set(readsOf(node))) read(name);
  for (const output of graph.outputs) read(output.name);
  return readers;
}

/** Operators whose result is not of the type of their first input. */
const OTHER_TYPE =
  /^(Cast.*|Shape|Size|ArgM.*|Equal|Less.*|Greater.*|Not|And|Or|Xor|Is.*|NonZero|Where|ConstantOfShape|.*Quantize.*|If|Loop|Scan|OneHot|Range|Random.*)$/;

/** Values surely float32. */
export function float32Values(graph: Graph): Set<string> {
  const floats = new Set(graph.inputs.filter((input) => input.type === 'float32').map((input) => input.name));
  for (const [name, tensor] of graph.initializers) if (tensor.type === 'float32') floats.add(name);
  for (const node of graph.nodes) {
    if (node.domain === '' && floats.has(node.inputs[0]) && !OTHER_TYPE.test(node.operator))
      floats.add(node.outputs[0]);
  }
  return floats;
}
