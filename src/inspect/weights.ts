/** Weights that a search cannot work with: NaN, left by a training that diverged, and infinite ones. */
import type { Graph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { trainableWeights } from '../passes/trainable.ts';

/**
 * A sentence that names a constant of the graph with NaN, or a weight that is infinite; undefined where there is none. Infinite
 * constants that are no weights have their uses (masks, bounds).
 */
export function brokenWeight(graph: Graph): string | undefined {
  const constants = new Map<string, Tensor>(graph.initializers);
  for (const node of graph.nodes) {
    const value = node.operator === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind === 'tensor') constants.set(node.outputs[0], value.value);
  }
  const weights = new Set(trainableWeights(graph));
  for (const [name, { type, data }] of constants) {
    if (type !== 'float32' && type !== 'float64') continue;
    const nan = count(data as Float32Array, Number.isNaN);
    const infinite = weights.has(name)
      ? count(data as Float32Array, (v) => Math.abs(v) === Number.POSITIVE_INFINITY)
      : 0;
    if (nan + infinite === 0) continue;
    const [what, some] = nan > 0 ? ['NaN', nan] : ['infinite', infinite];
    return `${some} of the ${data.length} values of the weight '${name}' are ${what}: its training diverged, or the file is damaged. Export it from an earlier state.`;
  }
  return undefined;
}

function count(data: Float32Array, test: (value: number) => boolean): number {
  let found = 0;
  for (let i = 0; i < data.length; i++) if (test(data[i])) found++;
  return found;
}
