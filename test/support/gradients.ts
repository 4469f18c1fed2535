/** Gradients of a graph's outputs, computed by `differentiate` and run on ONNX Runtime. */
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph, StaticGraph, ValueInfo } from '../../src/onnx/graph.ts';
import { isFloat, type Tensor } from '../../src/onnx/tensor.ts';
import { prepareForGradient } from '../../src/passes/prepare.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

export const evaluate = evaluatorOf(nodeRuntime({ threads: 1 }), encodeModel);

export type Tensors = Map<string, Tensor>;

export function valueInfo(name: string, tensor: Tensor): ValueInfo {
  return { name, type: tensor.type, dims: tensor.dims };
}

/**
 * A static graph with the inputs of `graph` and `cot/Y` for each float output Y, whose outputs are `grad/X` of
 * L = sum <cot/Y, Y> for each X of `wrt` (graph inputs or initialisers). X without influence gives no output.
 * The gradient of a gradient needs another `prefix` than 'grad/'.
 */
export async function gradientGraph(
  graph: Graph,
  feeds: Tensors,
  cotangents: Tensors,
  wrt: readonly string[],
  prefix = 'grad/',
): Promise<StaticGraph> {
  const initial = wrt.filter((name) => graph.initializers.has(name));
  const primal = await prepareForGradient(graph, feeds, evaluate, { wrt, variables: new Set(initial) });
  const b = new GraphBuilder(primal);
  const seeds = new Map<string, string>();
  const extra: ValueInfo[] = [];
  for (const output of primal.outputs) {
    const cotangent = cotangents.get(output.name);
    if (!cotangent || !isFloat(cotangent.type)) continue;
    seeds.set(output.name, b.reserve(`cot/${output.name}`));
    extra.push(valueInfo(`cot/${output.name}`, cotangent));
  }
  const gradients = differentiate(b, primal, seeds, wrt);
  const outputs: ValueInfo[] = [];
  for (const [name, gradient] of gradients) {
    b.node('Identity', [gradient], {}, [prefix + name]);
    outputs.push({ name: prefix + name, type: 'float32', dims: primal.types.get(name)!.dims });
  }
  const full = b.graph('gradients', [...primal.inputs, ...extra], [...primal.outputs, ...outputs]);
  const all: Tensors = new Map(feeds);
  for (const [name, tensor] of cotangents) if (seeds.has(name)) all.set(`cot/${name}`, tensor);
  return specialise(full, all, evaluate, { variables: new Set(initial) });
}

export async function gradientsOf(
  graph: Graph,
  feeds: Tensors,
  cotangents: Tensors,
  wrt: readonly string[],
  prefix = 'grad/',
): Promise<Tensors> {
  const full = await gradientGraph(graph, feeds, cotangents, wrt, prefix);
  const all: Tensors = new Map(feeds);
  for (const [name, tensor] of cotangents) all.set(`cot/${name}`, tensor);
  const given = new Map([...all].filter(([name]) => full.inputs.some((input) => input.name === name)));
  return evaluate(
    full,
    given,
    full.outputs.map((output) => output.name),
  );
}
