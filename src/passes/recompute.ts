/**
 * Checkpointing: inner values of the forward half that the backward half reads are computed again when it comes to them, rather than
 * held until then (Chen et al., Training deep nets with sublinear memory cost, 2016). The forward half is divided into segments at
 * places where few bytes are alive. The values that cross a place are held; those inside all segments but the last have copies.
 *
 * The runtime chooses the order of nodes. So that a copy is not computed before it is needed, what it is computed from passes through
 * `Where(condition, value, value)`, whose condition is made of a gradient that arrives at the segment. The copies then have
 * other inputs than the originals, so that they are not merged with them as common subexpressions either.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { type Graph, type Node, readsOf } from '../onnx/graph.ts';
import { inOrder } from '../onnx/order.ts';
import { sizeOf } from '../onnx/tensor.ts';
import { rootsOf } from './alive.ts';
import { withoutDeadCode } from './dead-code.ts';
import { isRepeatable } from './draws.ts';
import { float32Values } from './products.ts';
import type { KnownType } from './shapes.ts';

export interface RecomputeOptions {
  /** Values that the forward half ends with. */
  readonly ends: readonly Value[];
  /** Inputs that the values to be recomputed depend on: what depends on others alone is held. */
  readonly variables: readonly Value[];
  /** Into how many the forward half is divided; the more, the fewer values are held between segments of few bytes each. */
  readonly segments: number;
  /** Smaller values are held. */
  readonly minBytes?: number;
}

const MIN_BYTES = 2 ** 20;
/** Everything is counted as float32. */
const ELEMENT_BYTES = 4;

/** A node of the whole graph, at its place in it. */
interface Place {
  readonly node: Node;
  /** Is it of the forward half? */
  readonly isForward: boolean;
  /** The segment that it belongs to by the last of its inputs; -1 where it depends on no variable. */
  readonly segment: number;
}

/** A graph, and the types of its values. */
export interface Recomputing {
  readonly graph: Graph;
  readonly types: ReadonlyMap<Value, KnownType>;
}

/** `graph`, whose values have the types `types` (`typesOf`), with inner values computed again in its backward half; undefined where there are none. */
export function recomputed(
  graph: Graph,
  types: ReadonlyMap<Value, KnownType>,
  options: RecomputeOptions,
): Recomputing | undefined {
  const { minBytes = MIN_BYTES, variables } = options;
  const floats = float32Values(graph);
  const traits: Traits = {
    bytesOf: (name) => ELEMENT_BYTES * sizeOf(types.get(name)?.dims ?? []),
    isLarge: (name) => traits.bytesOf(name) >= minBytes,
    isFloat32: (name) => (types.get(name)?.type ?? (floats.has(name) ? 'float32' : undefined)) === 'float32',
    dimsOf: (name) => types.get(name)?.dims ?? [],
  };
  const places = placesOf(graph, traits.bytesOf, options);
  const last = Math.max(...places.map(({ segment }) => segment));
  if (last < 1) return undefined;
  const copies = copiesOf(graph, places, last, variables, traits);
  if (copies.size === 0) return undefined;
  const { graph: copied, made } = withCopies(graph, places, last, copies, traits);
  if (made.size === 0) return undefined;
  const all = new Map(types);
  for (const [name, original] of made) all.set(name, types.get(original)!);
  return { graph: withoutDeadCode(inOrder(copied)), types: all };
}

/** What is asked about values. */
interface Traits {
  bytesOf(name: Value): number;
  isLarge(name: Value): boolean;
  /** Surely: what is not known to be cannot be gated. */
  isFloat32(name: Value): boolean;
  dimsOf(name: Value): readonly number[];
}

/** Divides the forward half, and finds for every node the segment that it belongs to. */
function placesOf(graph: Graph, bytesOf: (name: Value) => number, options: RecomputeOptions): Place[] {
  const forward = ancestorsOf(graph, options.ends);
  const dependent = new Set(options.variables);
  const chain: Node[] = [];
  for (const node of graph.nodes) {
    if (!readsOf(node).some((name) => dependent.has(name))) continue;
    for (const output of node.outputs) dependent.add(output);
    if (forward.has(node)) chain.push(node);
  }
  const segmentOf = new Map<Node, number>();
  const cuts = cutsOf(graph, chain, forward, bytesOf, options.segments);
  chain.forEach((node, at) => {
    segmentOf.set(node, cuts.filter((cut) => cut <= at).length);
  });
  const made = new Map<Value, number>(options.variables.map((name) => [name, 0]));
  return graph.nodes.map((node) => {
    const inherited = Math.max(-1, ...readsOf(node).map((name) => made.get(name) ?? -1));
    const segment = segmentOf.get(node) ?? inherited;
    for (const output of node.outputs) made.set(output, segment);
    return { node, isForward: forward.has(node), segment };
  });
}

function ancestorsOf(graph: Graph, ends: readonly Value[]): Set<Node> {
  const wanted = new Set(ends);
  const found = new Set<Node>();
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.outputs.some((output) => wanted.has(output))) continue;
    found.add(node);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return found;
}

/**
 * Where the segments after the first begin, as positions in `chain`: such that the backward half reads about as many bytes of each
 * segment, and, near these places, where the fewest bytes are alive.
 */
function cutsOf(
  graph: Graph,
  chain: readonly Node[],
  forward: ReadonlySet<Node>,
  bytesOf: (name: Value) => number,
  segments: number,
): number[] {
  const rootOf = rootsOf(graph);
  const readBackwards = new Set(
    graph.nodes.filter((node) => !forward.has(node)).flatMap((node) => readsOf(node).map(rootOf)),
  );
  const lastRead = new Map<Value, number>();
  chain.forEach((node, at) => {
    for (const name of readsOf(node)) lastRead.set(rootOf(name), at);
  });
  const ending = new Map<number, number>();
  const alive: number[] = [];
  const read: number[] = [];
  let [held, sum] = [0, 0];
  chain.forEach(({ outputs }, at) => {
    alive.push(held);
    read.push(sum);
    for (const name of outputs) {
      if (!name || rootOf(name) !== name) continue;
      if (readBackwards.has(name)) sum += bytesOf(name);
      const end = lastRead.get(name);
      if (end === undefined) continue;
      held += bytesOf(name);
      ending.set(end, (ending.get(end) ?? 0) + bytesOf(name));
    }
    held -= ending.get(at) ?? 0;
  });
  const cuts = new Set<number>();
  for (let i = 1; i < segments; i++) {
    const near = chain.flatMap((_, at) => (Math.abs(read[at] / sum - i / segments) <= 0.5 / segments ? [at] : []));
    if (near.length === 0) continue;
    cuts.add(near.reduce((best, at) => (alive[at] < alive[best] ? at : best)));
  }
  return [...cuts].sort((a, b) => a - b);
}

/** What is computed again of one segment. */
interface Copies {
  readonly nodes: ReadonlySet<Node>;
  /** The outputs of `nodes` that are read from the copies: not small ones, nor those that are held anyway. */
  readonly values: ReadonlySet<Value>;
  /** Values that are made before the segment, or held, and that the copies are made of. */
  readonly sources: ReadonlySet<Value>;
  /** The gradient that the copies wait for. */
  readonly gate: Value;
}

/** The copies of each segment but the last, by its number. */
function copiesOf(
  graph: Graph,
  places: readonly Place[],
  last: number,
  variables: readonly Value[],
  traits: Traits,
): Map<number, Copies> {
  const { isLarge } = traits;
  const placeOf = new Map(places.flatMap((place) => place.node.outputs.map((name) => [name, place] as const)));
  const segmentOf = (name: Value) => placeOf.get(name)?.segment ?? (variables.includes(name) ? 0 : -1);
  const gradients = places.filter(({ isForward, segment }) => !isForward && segment === last).map(({ node }) => node);
  const held = new Set(graph.outputs.map(({ name }) => name));
  const found = new Map<number, Copies>();
  for (let segment = last - 1; segment >= 0; segment--) {
    const isInside = (name: Value) => {
      const place = placeOf.get(name);
      return place?.segment === segment && isLarge(name) && !held.has(name) && isRepeatable(place.node);
    };
    const nodes = new Set<Node>();
    const sources = new Set<Value>();
    const open = [...new Set(gradients.flatMap(readsOf).filter(isInside))];
    const gate = open.length > 0 ? gateOf(gradients, new Set(open), placeOf, { ...traits, segment, last }) : undefined;
    if (gate === undefined) continue;
    while (open.length > 0) {
      const { node } = placeOf.get(open.pop()!)!;
      if (nodes.has(node)) continue;
      nodes.add(node);
      for (const name of readsOf(node)) {
        if (isInside(name)) open.push(name);
        else if (segmentOf(name) >= 0) sources.add(name);
      }
    }
    const values = new Set([...nodes].flatMap(({ outputs }) => outputs.filter(isInside)));
    // What the copies of a later segment are made of is held.
    for (const name of sources) held.add(name);
    found.set(segment, { nodes, values, sources, gate });
  }
  return found;
}

/**
 * The last value of the backward half that arrives at the readers of `values`, and does not itself depend on values of this segment
 * or earlier ones: copies of a segment then wait for later segments alone.
 */
function gateOf(
  gradients: readonly Node[],
  values: ReadonlySet<Value>,
  placeOf: ReadonlyMap<Value, Place>,
  { segment, last, isLarge, isFloat32 }: Traits & { readonly segment: number; readonly last: number },
): Value | undefined {
  const reached = new Set<Value>();
  const isOfEarlier = (name: Value) => {
    const place = placeOf.get(name);
    return place !== undefined && place.segment >= 0 && place.segment <= segment && isLarge(name);
  };
  const order = new Map<Value, number>();
  let gate: Value | undefined;
  gradients.forEach((node, at) => {
    const reads = readsOf(node);
    const isReader = reads.some((name) => values.has(name));
    const isReached = reads.some((name) => reached.has(name) || isOfEarlier(name));
    for (const output of node.outputs) {
      order.set(output, at);
      if (isReached) reached.add(output);
    }
    if (!isReader) return;
    for (const name of reads) {
      if (reached.has(name) || placeOf.get(name)?.segment !== last || !isFloat32(name)) continue;
      if (gate === undefined || (order.get(name) ?? -1) > (order.get(gate) ?? -1)) gate = name;
    }
  });
  return gate;
}

/**
 * Emits the copies, which the backward half reads in place of the originals; `made` has the original of each. A node without
 * a source that is gated has no copy, since nothing would make it wait: its values are held.
 */
function withCopies(
  graph: Graph,
  places: readonly Place[],
  last: number,
  copies: ReadonlyMap<number, Copies>,
  { isFloat32, dimsOf }: Traits,
): { readonly graph: Graph; readonly made: ReadonlyMap<Value, Value> } {
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const { node } of places) for (const output of node.outputs) b.reserve(output);
  const again = new Map<Value, Value>();
  const made = new Map<Value, Value>();
  for (const [segment, { nodes, values, sources, gate }] of copies) {
    b.scope(`segment.${segment}`, () => {
      const condition = b.Less(b.Slice(b.Reshape(gate, [-1]), [0], [1], [0]), b.scalar(0));
      const own = new Map<Value, Value>();
      for (const name of [...sources].filter(isFloat32)) {
        const gated = dimsOf(name).length === 0 ? b.Reshape(condition, []) : condition;
        own.set(name, b.Where(gated, name, name));
      }
      for (const { node } of places) {
        if (!nodes.has(node) || !node.inputs.some((name) => own.has(name))) continue;
        const inputs = node.inputs.map((name) => own.get(name) ?? name);
        const outputs = node.outputs.map((name) => name && b.fresh(name));
        node.outputs.forEach((name, i) => {
          if (name) made.set(outputs[i], name);
          if (!values.has(name)) return;
          own.set(name, outputs[i]);
          again.set(name, outputs[i]);
        });
        b.append({ ...node, name: '', inputs, outputs });
      }
      for (const name of sources) if (own.has(name)) made.set(own.get(name)!, name);
    });
  }
  const originals = places.map(({ node, isForward, segment }) =>
    isForward || segment !== last ? node : { ...node, inputs: node.inputs.map((name) => again.get(name) ?? name) },
  );
  return { graph: { ...graph, initializers: b.initializers, nodes: [...originals, ...b.nodes] }, made };
}
