/** Gradients against differences of the graph's own values along random directions. */
import { expect } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, numbersOf, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { evaluate, gradientsOf, type Tensors, valueInfo } from './gradients.ts';

/** Deterministic values in [-1, 1), rounded to 1/64 so that small sums of products are exact in float32. */
export function noise(dims: readonly number[], seed: number): Tensor {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.round(((state >>> 0) / 2 ** 32) * 128 - 64) / 64;
  };
  for (let i = 0; i < 8; i++) next();
  return float32(Float32Array.from({ length: sizeOf(dims) }, next), dims);
}

/** A graph whose inputs are `feeds` and whose one output `y` is what `emit` returns. */
export function graphOf(feeds: Tensors, emit: (b: GraphBuilder) => string): Graph {
  const b = new GraphBuilder();
  for (const name of feeds.keys()) b.reserve(name);
  const result = emit(b);
  b.node('Identity', [result], {}, ['y']);
  const inputs = [...feeds].map(([name, tensor]) => valueInfo(name, tensor));
  return b.graph('case', inputs, [{ name: 'y', type: 'float32', dims: [] }]);
}

/**
 * Per name of `wrt`: <gradient, u> = <cotangent, f(x + step u) - f(x - step u)> / (2 step) for a random u. A function
 * linear in each input apart holds this exactly for any step (the default, 1).
 */
export async function expectDirectional(
  graph: Graph,
  feeds: Tensors,
  wrt: readonly string[] = [...feeds.keys()],
  { step = 1, tolerance = 1e-4 }: { readonly step?: number; readonly tolerance?: number } = {},
): Promise<void> {
  const output = graph.outputs[0].name;
  const at = async (inputs: Tensors) => (await evaluate(graph, inputs, [output])).get(output)!;
  const cotangent = noise((await at(feeds)).dims, 77);
  const weights = numbersOf(cotangent);
  const gradients = await gradientsOf(graph, feeds, new Map([[output, cotangent]]), wrt);
  for (const [i, name] of wrt.entries()) {
    const x = feeds.get(name)!;
    const along = numbersOf(noise(x.dims, 5 + i));
    const moved = (sign: number) => {
      const values = numbersOf(x).map((v, j) => v + sign * step * along[j]);
      return new Map([...feeds, [name, float32(values, x.dims)] as const]);
    };
    const [up, down] = [numbersOf(await at(moved(1))), numbersOf(await at(moved(-1)))];
    const terms = up.map((v, j) => (weights[j] * (v - down[j])) / (2 * step));
    const expected = terms.reduce((a, c) => a + c, 0);
    const gradient = gradients.get(`grad/${name}`);
    expect(gradient?.dims ?? x.dims, `shape of the gradient of ${name}`).toEqual(x.dims);
    const actual = gradient ? numbersOf(gradient).reduce((a, c, j) => a + c * along[j], 0) : 0;
    const scale = Math.max(1, Math.sqrt(terms.reduce((a, c) => a + c * c, 0)));
    const error = Math.abs(actual - expected) / scale;
    expect(error, `gradient of ${name}: ${actual} instead of ${expected}`).toBeLessThan(tolerance);
  }
}
