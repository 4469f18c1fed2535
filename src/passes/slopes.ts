/**
 * Two small rewrites of backward graphs, each a pass over the tensor less on ONNX Runtime's CPU provider.
 *
 * - A leaky rectifier's slope max(step(y), a) as clip(y / tiny, a, 1): Clip works in place where Max does not, and the
 *   product reads y as the arithmetic around it does, where HardSigmoid asks for it in the convolutions' blocked layout
 *   and needs it reordered again (8 x 32 x 64 x 64: 1.3 ms, so 0.5 ms). Equal but for |y| below 1e-38.
 * - (a + b) + b as a + 2 b, whose 2 joins the small factors of b.
 */
import { GraphBuilder } from '../onnx/builder.ts';
import { floatAttribute, type Graph, type Node, producersOf, readsOf } from '../onnx/graph.ts';
import { float32Data } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';

/** A HardSigmoid as steep as this is a step. */
const STEEP = 1e30;

/** Rewrites leaky slopes and doubled terms. */
export function simplifySlopes<G extends Graph>(graph: G): G {
  const producers = producersOf(graph);
  const reads = new Map<string, number>();
  for (const node of graph.nodes) for (const name of readsOf(node)) reads.set(name, (reads.get(name) ?? 0) + 1);
  for (const output of graph.outputs) reads.set(output.name, (reads.get(output.name) ?? 0) + 1);
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  for (const node of graph.nodes) {
    const slope = slopeOf(graph, producers, node);
    const doubled = slope ? undefined : doubledTerm(producers, reads, node);
    b.scope(`${node.outputs[0]}/simple`, () => {
      if (slope) {
        const steep = b.Mul(slope.value, b.scalar(slope.steepness));
        b.node('Clip', [steep, b.scalar(slope.least), b.scalar(1)], {}, node.outputs);
      } else if (doubled) {
        b.node('Add', [doubled.once, b.Mul(doubled.twice, b.scalar(2))], {}, node.outputs);
      } else b.append(node);
    });
  }
  return withoutDeadCode({ ...graph, nodes: b.nodes, initializers: b.initializers });
}

/** max(step(value), least) with 0 < least <= 1. */
function slopeOf(graph: Graph, producers: ReadonlyMap<string, Node>, node: Node) {
  if (node.operator !== 'Max' || node.domain !== '' || node.inputs.length !== 2) return undefined;
  const step = producers.get(node.inputs[0]);
  const constant = graph.initializers.get(node.inputs[1]);
  if (step?.operator !== 'HardSigmoid' || constant?.type !== 'float32' || constant.dims.length > 0) return undefined;
  const steepness = floatAttribute(step, 'alpha', 0.2);
  const [least] = float32Data(constant);
  if (steepness < STEEP || floatAttribute(step, 'beta', 0.5) !== 0 || !(least > 0 && least <= 1)) return undefined;
  return { value: step.inputs[0], steepness, least };
}

/** (once + twice) + twice, in any order, where nobody else reads the inner sum. */
function doubledTerm(producers: ReadonlyMap<string, Node>, reads: ReadonlyMap<string, number>, node: Node) {
  if (node.operator !== 'Add' || node.domain !== '') return undefined;
  const [p, q] = node.inputs;
  for (const [sum, twice] of [
    [p, q],
    [q, p],
  ]) {
    const inner = producers.get(sum);
    if (inner?.operator !== 'Add' || inner.domain !== '' || reads.get(sum) !== 1) continue;
    const [r, s] = inner.inputs;
    // Only a product can take the 2 among its small factors.
    if (producers.get(twice)?.operator !== 'Mul' || reads.get(twice) !== 2 || r === s) continue;
    if (r === twice || s === twice) return { once: r === twice ? s : r, twice };
  }
  return undefined;
}
