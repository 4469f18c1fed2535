/**
 * Gradients against central differences of directional derivatives, both through ONNX Runtime:
 * sum <gradient, direction> = (L(x + h direction) - L(x - h direction)) / 2h, L = sum <cotangent, output>.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { isFloat, numbersOf, sizeOf, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluate, gradientGraph, type Tensors, valueInfo } from './gradients.ts';

const runtime = nodeRuntime({ threads: 1 });

export interface Problem {
  readonly graph: Graph;
  readonly feeds: Tensors;
  readonly wrt: readonly string[];
}

/** A graph of `inputs` (all of float type are differentiated for) whose outputs are what `emit` returns. */
export function problemOf(
  inputs: Record<string, Tensor>,
  emit: (b: GraphBuilder) => Value | readonly Value[],
): Problem {
  const b = new GraphBuilder();
  const names = Object.keys(inputs);
  for (const name of names) b.reserve(name);
  const outputs = [emit(b)].flat();
  const graph = b.graph(
    'problem',
    names.map((name) => valueInfo(name, inputs[name])),
    outputs.map((name) => ({ name, type: 'float64', dims: [] })),
  );
  const wrt = names.filter((name) => isFloat(inputs[name].type));
  return { graph, feeds: new Map(Object.entries(inputs)), wrt };
}

/** Checks the gradient, then (`order` 2) the gradient of the gradient, along one random direction each. */
export async function expectDerivatives(problem: Problem, seed: number, order: 1 | 2 = 2): Promise<void> {
  const { graph, feeds, wrt } = problem;
  const names = graph.outputs.map((output) => output.name);
  const values = await evaluate(graph, feeds, names);
  const first = await expectGradient(problem, values, seed, 'grad/');
  const outputs = first.graph.outputs.filter((output) => output.name.startsWith('grad/'));
  if (order === 1 || outputs.length === 0) return;
  await expectGradient({ graph: { ...first.graph, outputs }, feeds: first.feeds, wrt }, first.values, seed + 1, 'hvp/');
}

/** Returns the gradient graph, its feeds and its outputs' values. */
async function expectGradient({ graph, feeds, wrt }: Problem, values: Tensors, seed: number, prefix: string) {
  const random = gaussian(seed);
  const cotangents: Tensors = new Map();
  for (const { name } of graph.outputs) {
    const value = values.get(name)!;
    if (isFloat(value.type)) cotangents.set(name, noise(value, random));
  }
  const directions: Tensors = new Map(wrt.map((name) => [name, noise(feeds.get(name)!, random)]));
  const full = await gradientGraph(graph, feeds, cotangents, wrt, prefix);
  const all: Tensors = new Map(feeds);
  for (const [name, tensor] of cotangents) all.set(`cot/${name}`, tensor);
  const given: Tensors = new Map([...all].filter(([name]) => full.inputs.some((input) => input.name === name)));

  const wanted = full.outputs.map((output) => output.name);
  const session = await runtime.session(encodeModel(full, undefined, wanted), { optimise: 'none' });
  const double = [...directions.values()].every((direction) => direction.type === 'float64');
  const step = double ? 1e-5 : 4e-3;
  const at = async (h: number) => {
    const moved = new Map(given);
    for (const [name, direction] of directions) moved.set(name, shifted(feeds.get(name)!, direction, h));
    const results = await session.run(moved);
    return { results, ...inner(cotangents, results) };
  };
  const [here, above, below] = [await at(0), await at(step), await at(-step)];
  await session.dispose();

  const gradients: Tensors = new Map(wrt.map((name) => [name, here.results.get(prefix + name)!] as const));
  for (const [name, gradient] of gradients) {
    if (gradient) expect(gradient.dims, `shape of ${prefix}${name}`).toEqual([...directions.get(name)!.dims]);
  }
  const analytic = inner(directions, gradients);
  const numeric = (above.sum - below.sum) / (2 * step);
  const rounding = ((double ? 1e-15 : 2e-7) * here.size) / step;
  const allowed = (double ? 1e-6 : 3e-3) * (analytic.size + Math.abs(numeric)) + rounding + 1e-8;
  if (!(Math.abs(analytic.sum - numeric) <= allowed)) {
    expect.fail(`${prefix}: ${analytic.sum} along the direction, central difference ${numeric} (allowed ${allowed})`);
  }
  return { graph: full, feeds: given, values: here.results };
}

/** Sum of products of tensors of equal names, and of their absolute values; absent = zero. */
function inner(weights: Tensors, values: Tensors): { sum: number; size: number } {
  let sum = 0;
  let size = 0;
  for (const [name, weight] of weights) {
    const w = numbersOf(weight);
    const value = values.get(name);
    if (!value) continue;
    numbersOf(value).forEach((v, i) => {
      sum += v * w[i];
      size += Math.abs(v * w[i]);
    });
  }
  return { sum, size };
}

function shifted(tensor: Tensor, direction: Tensor, h: number): Tensor {
  const d = numbersOf(direction);
  return tensorOf(
    tensor.type,
    numbersOf(tensor).map((value, i) => value + h * d[i]),
    tensor.dims,
  );
}

function noise(like: Tensor, random: () => number): Tensor {
  return tensorOf(like.type, Array.from({ length: sizeOf(like.dims) }, random), like.dims);
}

/** Standard normal numbers, cut at 2 so that no step reaches a kink that `spread` stays away from. */
function gaussian(seed: number): () => number {
  const uniform = lcg(seed);
  return () => {
    const value = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return Math.max(-2, Math.min(2, value));
  };
}

function lcg(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

/** Distinct values in random order, `gap` apart, none within gap/3 of zero, of both signs (or from `low` upwards). */
export function spread(
  dims: readonly number[],
  seed: number,
  { type = 'float64', gap = 0.07, low }: { type?: 'float64' | 'float32'; gap?: number; low?: number } = {},
): Tensor {
  const n = sizeOf(dims);
  const random = lcg(seed);
  const ranks = Array.from({ length: n }, (_, i) => [random(), i]);
  ranks.sort((a, b) => a[0] - b[0]);
  const start = low ?? -gap * (Math.floor(n / 2) + 0.4);
  return tensorOf(
    type,
    ranks.map(([, i]) => start + gap * i),
    dims,
  );
}

export const seeds = fc.integer({ min: 1, max: 1_000_000 });

/** Shapes of rank `min` to `max`, sides 1 to 4. */
export function shapes(min: number, max: number, side = 4): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 1, max: side }), { minLength: min, maxLength: max });
}

/** A shape that broadcasts to `dims`: leading axes dropped, some sides 1. */
export function broadcastable(dims: readonly number[]): fc.Arbitrary<number[]> {
  return fc
    .tuple(
      fc.integer({ min: 0, max: dims.length }),
      fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }),
    )
    .map(([drop, ones]) => dims.map((d, i) => (ones[i] ? 1 : d)).slice(drop));
}

/** An axis of `rank`, counted from the front or from the end. */
export function axisOf(rank: number): fc.Arbitrary<number> {
  return fc.integer({ min: -rank, max: rank - 1 });
}

/** Runs an asynchronous property a moderate number of times, always with the same cases. */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  runs = 20,
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, check), { numRuns: runs, seed: 20_260 });
}
