/** From a loss to one training step: gradients of the parameters, Adam, and the running average of the weights. */
import { differentiate } from '../../autodiff/differentiate.ts';
import { RgiError } from '../../errors.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Evaluate, Graph, ValueInfo } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';
import { float32, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { adamUpdate } from '../../optim/adam.ts';
import { optimise, optimisePrimal } from '../../passes/index.ts';
import { prepareForGradient } from '../../passes/prepare.ts';
import { NEXT } from '../../runtime/runtime.ts';
import type { Network } from '../networks/layers.ts';

/** Names of a training step's own inputs and outputs. */
export const TRAIN = {
  rate: 'rate',
  correction1: 'correction.1',
  correction2: 'correction.2',
  /** Of the running average of weights: a' = decay a + (1 - decay) w. */
  decay: 'decay',
  firstMoment: (name: string) => `m/${name}`,
  secondMoment: (name: string) => `v/${name}`,
  average: (name: string) => `ema/${name}`,
} as const;

export interface Betas {
  readonly beta1: number;
  readonly beta2: number;
}

/** The networks of a step by role; parameters are named `role/name` in it. */
export type Role = 'generator' | 'discriminator' | 'encoder';

/** Parameter names of a network in a step (`role/name`), with their start values and rates. */
export function parametersOf(role: string, network: Network): Map<string, { tensor: Tensor; rate: number }> {
  return new Map(
    [...network.rates].map(([name, rate]) => [
      `${role}/${name}`,
      { tensor: network.graph.initializers.get(name)!, rate },
    ]),
  );
}

/** Puts `network` on `input`; its parameters are the values `role/name`, which the host must have. */
export function applyNetwork(
  b: GraphBuilder,
  network: Network,
  role: string,
  input: Value,
  place: string,
): Map<string, Value> {
  const { graph, rates } = network;
  const bindings = new Map<string, Value>([[graph.inputs[0].name, input]]);
  for (const name of rates.keys()) bindings.set(name, `${role}/${name}`);
  const constants = new Map([...graph.initializers].filter(([name]) => !rates.has(name)));
  return appendGraph(b, { ...graph, initializers: constants }, `${place}/`, bindings);
}

export interface UpdateOptions {
  /** Names of the initialisers to be trained, each with the factor of its rate. */
  readonly rates: ReadonlyMap<string, number>;
  readonly betas: Betas;
  /** Keep a running average of the weights? */
  readonly averaged: boolean;
  /** Values whose gradient is given out as `gradient/NAME`. */
  readonly gradients?: readonly string[];
}

/**
 * The step that lowers `total` (a scalar of `forward`, whose initialisers named in `rates` are trained): the graph's
 * outputs, `next/` of each parameter, its moments and average. Inputs: those of `forward`, the state, and `TRAIN`'s scalars.
 */
export async function compileUpdate(
  forward: Graph,
  total: Value,
  { rates, betas, averaged, gradients: wanted = [] }: UpdateOptions,
  evaluate: Evaluate,
): Promise<Uint8Array> {
  const variables = new Set(rates.keys());
  const wrt = [...variables, ...wanted];
  const feeds = new Map(forward.inputs.map((info) => [info.name, dryRunValue(info)]));
  const prepared = await prepareForGradient(forward, feeds, evaluate, { wrt, variables });
  const primal = optimisePrimal(prepared, variables);
  const b = new GraphBuilder(primal);
  const gradients = differentiate(b, primal, new Map([[total, b.scalar(1)]]), wrt);

  const inputs: ValueInfo[] = [...primal.inputs];
  const outputs = primal.outputs.filter((output) => output.name !== total);
  const input = (name: string, dims: readonly number[]): Value => {
    if (!inputs.some((info) => info.name === name)) inputs.push({ name, type: 'float32', dims });
    return b.reserve(name);
  };
  const output = (name: string, value: Value, dims: readonly number[]): void => {
    b.node('Identity', [value], {}, [name]);
    outputs.push({ name, type: 'float32', dims });
  };
  const scalars = { correction1: input(TRAIN.correction1, []), correction2: input(TRAIN.correction2, []) };
  const rate = input(TRAIN.rate, []);
  const towards = averaged ? b.Sub(b.scalar(1), input(TRAIN.decay, [])) : '';
  for (const [name, factor] of rates) {
    const gradient = gradients.get(name);
    if (gradient === undefined)
      throw new RgiError('model', `The training loss does not depend on '${name}'.`, { tensor: name });
    const { dims } = primal.initializers.get(name)!;
    const [m, v] = [TRAIN.firstMoment(name), TRAIN.secondMoment(name)];
    b.initializers.delete(name);
    const next = adamUpdate(
      b,
      { parameter: input(name, dims), gradient, m: input(m, dims), v: input(v, dims) },
      { rate: b.Mul(rate, b.scalar(factor)), ...betas, epsilon: 1e-8, ...scalars },
    );
    output(NEXT + name, next.parameter, dims);
    output(NEXT + m, next.m, dims);
    output(NEXT + v, next.v, dims);
    if (!averaged) continue;
    const average = input(TRAIN.average(name), dims);
    output(NEXT + average, b.Add(average, b.Mul(b.Sub(next.parameter, average), towards)), dims);
  }
  for (const name of wanted) {
    output(`gradient/${name}`, gradients.get(name)!, primal.types.get(name)!.dims);
  }
  return encodeModel(await optimise(b.graph('training step', inputs, outputs), evaluate));
}

/** Start values of everything that a step carries on: weights, moments, averages. */
export function initialState(
  parameters: ReadonlyMap<string, { readonly tensor: Tensor }>,
  averaged: boolean,
): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  for (const [name, { tensor }] of parameters) {
    const zero = () => float32(new Float32Array(sizeOf(tensor.dims)), tensor.dims);
    state.set(name, tensor).set(TRAIN.firstMoment(name), zero()).set(TRAIN.secondMoment(name), zero());
    if (averaged) state.set(TRAIN.average(name), tensor);
  }
  return state;
}

/** Values for the run that learns the shapes; not all equal, so that nothing degenerates. */
export function dryRunValue(info: ValueInfo): Tensor {
  const dims = info.dims as readonly number[];
  return float32(
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => 0.5 * Math.sin(1 + i * 0.7)),
    dims,
  );
}
