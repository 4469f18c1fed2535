/**
 * Exporters copy weights: one parameter used twice is folded into two initialisers, one of them transposed or reshaped
 * (StyleGAN2's modulated weights in the convolution and in the demodulation). Tuned apart they would drift: found here by
 * their bits, and made one again.
 */
import type { Graph, Node } from '../onnx/graph.ts';
import { ints, isFloat, type Tensor } from '../onnx/tensor.ts';

/** An initialiser that holds the values of another. */
export interface TiedCopy {
  /** Name of the initialiser. */
  readonly name: string;
  /** The copy is the original transposed by this permutation of its axes, then reshaped to the copy's own shape. */
  readonly permutation: readonly number[];
}

/** Initialisers that are copies of one weight. */
export interface TiedGroup {
  /** The initialiser with the most axes; of several the first. */
  readonly original: string;
  /** The others. */
  readonly copies: readonly TiedCopy[];
}

/** Fewer values than these, or values that mostly repeat (zeros, ones), are equal by chance. */
const MIN_VALUES = 16;

/** Groups of float initialisers that hold the same values, bit for bit, in some order of their axes. */
export function tiedWeights(graph: Graph): TiedGroup[] {
  const buckets = new Map<string, string[]>();
  for (const [name, tensor] of graph.initializers) {
    if (!isFloat(tensor.type) || tensor.data.length < MIN_VALUES) continue;
    const key = fingerprint(tensor);
    if (key !== undefined) buckets.set(key, [...(buckets.get(key) ?? []), name]);
  }
  const groups: TiedGroup[] = [];
  for (const bucket of buckets.values()) {
    let rest = bucket;
    while (rest.length > 1) {
      const axes = (name: string) => graph.initializers.get(name)!.dims.filter((d) => d > 1).length;
      const original = rest.reduce((best, name) => (axes(name) > axes(best) ? name : best));
      const tensor = graph.initializers.get(original)!;
      const copies: TiedCopy[] = [];
      for (const name of rest) {
        const permutation = name !== original && permutationTo(tensor, graph.initializers.get(name)!);
        if (permutation) copies.push({ name, permutation });
      }
      if (copies.length > 0) groups.push({ original, copies });
      rest = rest.filter((name) => name !== original && !copies.some((copy) => copy.name === name));
    }
  }
  return groups;
}

/** The graph with one initialiser per group, its copies computed from it; and the groups. Values are unchanged. */
export function retie(graph: Graph): { readonly graph: Graph; readonly groups: readonly TiedGroup[] } {
  const groups = tiedWeights(graph);
  if (groups.length === 0) return { graph, groups };
  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  const node = (operator: string, inputs: string[], output: string, attributes: Node['attributes']) =>
    nodes.push({ operator, domain: '', name: `tied/${operator}/${output}`, inputs, outputs: [output], attributes });
  for (const { original, copies } of groups) {
    for (const { name, permutation } of copies) {
      const copy = initializers.get(name)!;
      initializers.delete(name);
      const moved = permutation.every((axis, i) => axis === i) ? original : `tied/${name}/transposed`;
      if (moved !== original) {
        node('Transpose', [original], moved, { perm: { kind: 'ints', value: permutation } });
      }
      initializers.set(`tied/${name}/shape`, ints(copy.dims));
      node('Reshape', [moved, `tied/${name}/shape`], name, {});
    }
  }
  return { graph: { ...graph, initializers, nodes: [...nodes, ...graph.nodes] }, groups };
}

function bitsOf(tensor: Tensor): Uint32Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return byteLength % 4 === 0 && byteOffset % 4 === 0
    ? new Uint32Array(buffer, byteOffset, byteLength / 4)
    : new Uint32Array(buffer.slice(byteOffset, byteOffset + (byteLength & ~3)));
}

/** The same for every order of the same values; undefined where values mostly repeat. */
function fingerprint(tensor: Tensor): string | undefined {
  if (tensor.type !== 'float32') return undefined;
  const bits = bitsOf(tensor);
  let sum = 0;
  let mixed = 0;
  const some = new Set<number>();
  for (let i = 0; i < bits.length; i++) {
    sum = (sum + bits[i]) >>> 0;
    mixed = (mixed ^ Math.imul(bits[i] ^ (bits[i] >>> 15), 0x2c1b3c6d)) >>> 0;
    if (i < 256) some.add(bits[i]);
  }
  if (some.size < Math.min(bits.length, 256) / 2) return undefined;
  return `${bits.length}/${sum}/${mixed}`;
}

/** The permutation of `from`'s axes after which it holds `to`'s values in `to`'s order; undefined if there is none. */
function permutationTo(from: Tensor, to: Tensor): number[] | undefined {
  const [source, target] = [bitsOf(from), bitsOf(to)];
  const long = from.dims.flatMap((d, axis) => (d > 1 ? [axis] : []));
  const single = from.dims.flatMap((d, axis) => (d > 1 ? [] : [axis]));
  // Six axes have 720 orders; no weight has more.
  if (long.length > 6) return undefined;
  for (const order of permutations(long)) {
    if (equalUnder(source, target, from.dims, order)) {
      return order.every((axis, i) => axis === long[i]) ? from.dims.map((_, axis) => axis) : [...single, ...order];
    }
  }
  return undefined;
}

function equalUnder(
  source: Uint32Array,
  target: Uint32Array,
  dims: readonly number[],
  order: readonly number[],
): boolean {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, d) => a * d, 1));
  const sizes = order.map((axis) => dims[axis]);
  const steps = order.map((axis) => strides[axis]);
  const index = new Array<number>(order.length).fill(0);
  let from = 0;
  for (let i = 0; i < target.length; i++) {
    if (target[i] !== source[from]) return false;
    for (let k = order.length - 1; k >= 0; k--) {
      from += steps[k];
      if (++index[k] < sizes[k]) break;
      from -= steps[k] * sizes[k];
      index[k] = 0;
    }
  }
  return true;
}

function* permutations(items: readonly number[]): Generator<number[]> {
  if (items.length <= 1) {
    yield [...items];
    return;
  }
  for (let i = 0; i < items.length; i++) {
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [items[i], ...rest];
  }
}
