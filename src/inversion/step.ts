/**
 * Compiles a formulation into ONE graph, the step: forward, loss, backward, optimiser. And beside it a forward-only graph
 * that shows the images and masks of a state.
 */
import { differentiate } from '../autodiff/differentiate.ts';
import { RgiError } from '../errors.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Evaluate, Graph, StaticGraph, ValueInfo } from '../onnx/graph.ts';
import { appendGraph } from '../onnx/merge.ts';
import { float32, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import { adamUpdate } from '../optim/adam.ts';
import { nesterovUpdate } from '../optim/nesterov.ts';
import { withoutDeadCode } from '../passes/dead-code.ts';
import { optimise, optimisePrimal } from '../passes/index.ts';
import { prepareForGradient } from '../passes/prepare.ts';
import { NEXT } from '../runtime/runtime.ts';
import type { Critic } from './critic.ts';
import { ADAM, type Formulation } from './formulation.ts';
import type { Generator } from './generator.ts';
import { emitObjective, type Objective } from './objective.ts';

/** Names of the step's own inputs and outputs; a generator's names cannot clash with them. */
export const STEP = {
  x: 'rgi.x',
  keep: 'rgi.keep',
  mask: 'rgi.mask',
  lambda: 'rgi.lambda',
  latentRate: 'rgi.rate.latent',
  maskRate: 'rgi.rate.mask',
  weightRate: (group: number) => `rgi.rate.weights.${group}`,
  termScale: (term: number) => `rgi.scale.${term}`,
  correction1: 'rgi.correction.1',
  correction2: 'rgi.correction.2',
  firstMoment: (name: string) => `rgi.m.${name}`,
  secondMoment: (name: string) => `rgi.v.${name}`,
  image: 'rgi.image',
  softMask: 'rgi.softmask',
  loss: 'rgi.loss',
  fidelity: 'rgi.fidelity',
  masked: 'rgi.masked',
} as const;

export interface CompiledStep {
  /** Bytes of the step graph. */
  readonly step: Uint8Array;
  /** Bytes of the forward graph: state in, image and soft mask out. */
  readonly render: Uint8Array;
  readonly batch: number;
  /** Shapes of the latents, the mask variable and the weights (start values of weights are the generator's). */
  readonly latents: ReadonlyMap<string, readonly number[]>;
  readonly mask?: readonly number[];
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Inputs of the step graph. */
  readonly stepInputs: ReadonlySet<string>;
  /** Inputs of the forward graph. */
  readonly renderInputs: readonly string[];
  readonly formulation: Formulation;
}

/** Compiles `formulation` for `batch` images at a time. Throws `unsupported-operator` where G cannot be differentiated. */
export async function compileStep(
  generator: Generator,
  formulation: Formulation,
  batch: number,
  evaluate: Evaluate,
  critic?: Critic,
): Promise<CompiledStep> {
  const weightNames = formulation.weightGroups.flat();
  const forward = forwardGraph(generator, formulation, batch, critic);
  const latentNames = generator.latents.map((latent) => latent.name);
  const maskVariable = forward.graph.inputs.some((input) => input.name === STEP.mask) ? [STEP.mask] : [];
  const wrt = [...latentNames, ...maskVariable, ...weightNames];
  const variables = new Set(weightNames);
  const feeds = new Map(forward.graph.inputs.map((input) => [input.name, dryRunValue(input)]));
  const prepared = await prepareForGradient(forward.graph, feeds, evaluate, { wrt, variables });
  const primal = optimisePrimal(prepared, variables);

  const b = new GraphBuilder(primal);
  const gradients = differentiate(b, primal, new Map([[forward.total, b.scalar(1)]]), wrt, {
    detached: forward.objective.detached,
  });
  const outputs: ValueInfo[] = [
    { name: STEP.loss, type: 'float32', dims: [batch] },
    { name: STEP.fidelity, type: 'float32', dims: [batch] },
    { name: STEP.masked, type: 'float32', dims: [batch] },
  ];
  const inputs = new Map<string, ValueInfo>(primal.inputs.map((input) => [input.name, input]));
  const emit = new UpdateEmitter(b, primal, formulation, batch, inputs, outputs);
  for (const name of wrt) {
    const gradient = gradients.get(name);
    if (gradient === undefined)
      throw new RgiError('model', `The loss does not depend on '${name}': nothing can be learnt about it.`, {
        tensor: name,
      });
    emit.update(name, gradient, variables.has(name));
  }
  const weights = new Map(weightNames.map((name) => [name, primal.initializers.get(name)!]));
  for (const name of weightNames) b.initializers.delete(name);
  const graph = await optimise(b.graph('step', [...inputs.values()], outputs), evaluate);
  const render = await optimise(renderGraph(primal, forward.objective, weightNames), evaluate);
  return {
    step: encodeModel(graph),
    render: encodeModel(render),
    batch,
    latents: new Map(latentNames.map((name) => [name, primal.types.get(name)!.dims])),
    mask: maskVariable.length > 0 ? primal.types.get(STEP.mask)!.dims : undefined,
    weights,
    stepInputs: new Set(graph.inputs.map((input) => input.name)),
    renderInputs: render.inputs.map((input) => input.name),
    formulation,
  };
}

interface Forward {
  readonly graph: Graph;
  readonly objective: Objective;
  /** The sum over the batch of all that is minimised. */
  readonly total: Value;
}

function forwardGraph(generator: Generator, formulation: Formulation, batch: number, critic?: Critic): Forward {
  const { channels, height, width } = generator;
  const dims = [batch, channels, height, width];
  const b = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const input = (name: string, shape: readonly number[]): Value => {
    inputs.push({ name, type: 'float32', dims: shape });
    return b.reserve(name);
  };
  for (const latent of generator.latents) input(latent.name, [batch, ...latent.dims]);
  appendGraph(b, generator.graph, '', new Map());
  const form = formulation.mask;
  const x = input(STEP.x, dims);
  const mask =
    form.form === 'free' || form.form === 'clipped'
      ? input(STEP.mask, [batch, form.shared ? 1 : channels, height, width])
      : undefined;
  const keep = form.form === 'given' ? input(STEP.keep, [batch, 1, height, width]) : undefined;
  const penalised = form.form !== 'none' && form.form !== 'given';
  const lambda = penalised ? input(STEP.lambda, [batch, 1, 1, 1]) : '';
  const termScales = formulation.scheduledTerms
    ? formulation.loss.map((_, i) => input(STEP.termScale(i), []))
    : formulation.loss.map(() => undefined);
  const objective = emitObjective(b, formulation, {
    x,
    y: generator.output,
    dims,
    lambda,
    mask,
    keep,
    termScales,
    features: critic && ((image, layers) => critic.features(b, image, batch, layers)),
  });
  const losses = [
    objective.fidelity,
    ...(objective.penalty ? [objective.penalty] : []),
    ...priors(b, generator, formulation, batch, critic),
  ];
  const loss = losses.reduce((a, c) => b.Add(a, c));
  const total = b.ReduceSum(loss, undefined, false);
  const output = (name: string, value: Value, shape: readonly number[]): ValueInfo => {
    b.node('Identity', [value], {}, [name]);
    return { name, type: 'float32', dims: shape };
  };
  const fraction = objective.mask
    ? b.ReduceMean(b.Abs(objective.mask), [1, 2, 3], false)
    : b.floats(new Float32Array(batch));
  const outputs = [
    output(STEP.loss, loss, [batch]),
    output(STEP.fidelity, objective.fidelity, [batch]),
    output(STEP.masked, fraction, [batch]),
    output(STEP.image, generator.output, dims),
    ...(objective.mask ? [output(STEP.softMask, objective.mask, [])] : []),
    { name: total, type: 'float32' as const, dims: [] },
  ];
  return { graph: b.graph('forward', inputs, outputs), objective, total };
}

/** Prior terms per image, [N] each. */
function priors(
  b: GraphBuilder,
  generator: Generator,
  formulation: Formulation,
  batch: number,
  critic?: Critic,
): Value[] {
  return formulation.priors.map((prior) => {
    const weight = b.scalar(prior.weight);
    if (prior.kind === 'gaussian') {
      const means = generator.latents.map((latent) => {
        const flat = b.Reshape(latent.name, [batch, sizeOf(latent.dims)]);
        return b.Mul(b.ReduceMean(b.Mul(flat, flat), [1], false), b.scalar(0.5));
      });
      return b.Mul(
        means.reduce((a, c) => b.Add(a, c)),
        weight,
      );
    }
    if (!critic)
      throw new RgiError('usage', `The ${prior.kind} prior needs a discriminator: give --discriminator an ONNX file.`);
    const worse = b.Neg(critic.score(b, generator.output, batch));
    return b.Mul(prior.kind === 'logistic' ? b.Softplus(worse) : worse, weight);
  });
}

/** Emits the optimisers' updates; every variable and its moments become state. */
class UpdateEmitter {
  private readonly b: GraphBuilder;
  private readonly primal: StaticGraph;
  private readonly formulation: Formulation;
  private readonly batch: number;
  private readonly inputs: Map<string, ValueInfo>;
  private readonly outputs: ValueInfo[];

  constructor(
    b: GraphBuilder,
    primal: StaticGraph,
    formulation: Formulation,
    batch: number,
    inputs: Map<string, ValueInfo>,
    outputs: ValueInfo[],
  ) {
    this.b = b;
    this.primal = primal;
    this.formulation = formulation;
    this.batch = batch;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  update(name: string, gradient: Value, isWeight: boolean): void {
    const { b, formulation } = this;
    const dims = this.primal.types.get(name)!.dims;
    const isMask = name === STEP.mask;
    const parameter = isWeight ? this.input(name, dims) : name;
    const { optimiser } = formulation;
    if (optimiser.kind === 'nesterov' && !isMask && !isWeight) {
      const velocity = this.input(STEP.firstMoment(name), dims);
      const next = nesterovUpdate(
        b,
        { parameter, velocity, gradient },
        { rate: this.rate(name, dims, isWeight), momentum: optimiser.momentum },
      );
      this.next(name, this.bounded(next.parameter), dims);
      this.next(STEP.firstMoment(name), next.velocity, dims);
      return;
    }
    const { beta1, beta2, epsilon } = optimiser.kind === 'adam' ? optimiser : ADAM;
    const m = this.input(STEP.firstMoment(name), dims);
    const v = this.input(STEP.secondMoment(name), dims);
    const next = adamUpdate(
      b,
      { parameter, gradient, m, v },
      {
        rate: this.rate(name, dims, isWeight),
        beta1,
        beta2,
        epsilon,
        correction1: this.input(STEP.correction1, []),
        correction2: this.input(STEP.correction2, []),
      },
    );
    const clipped = isMask && formulation.mask.form === 'clipped';
    const moved = clipped
      ? b.Clip(next.parameter, b.scalar(0), b.scalar(1))
      : isMask || isWeight
        ? next.parameter
        : this.bounded(next.parameter);
    this.next(name, moved, dims);
    this.next(STEP.firstMoment(name), next.m, dims);
    this.next(STEP.secondMoment(name), next.v, dims);
  }

  private bounded(value: Value): Value {
    const bound = this.formulation.latentBound;
    return bound === undefined ? value : this.b.Clip(value, this.b.scalar(-bound), this.b.scalar(bound));
  }

  /** Latents and masks have a rate per image, so that one can stop while others go on. */
  private rate(name: string, dims: readonly number[], isWeight: boolean): Value {
    if (isWeight)
      return this.input(STEP.weightRate(this.formulation.weightGroups.findIndex((group) => group.includes(name))), []);
    const perImage = this.input(name === STEP.mask ? STEP.maskRate : STEP.latentRate, [this.batch]);
    return this.b.Reshape(perImage, [this.batch, ...dims.slice(1).map(() => 1)]);
  }

  private input(name: string, dims: readonly number[]): Value {
    if (!this.inputs.has(name)) {
      this.inputs.set(name, { name, type: 'float32', dims });
      this.b.reserve(name);
    }
    return name;
  }

  private next(name: string, value: Value, dims: readonly number[]): void {
    this.b.node('Identity', [value], {}, [NEXT + name]);
    this.outputs.push({ name: NEXT + name, type: 'float32', dims });
  }
}

function renderGraph(primal: StaticGraph, objective: Objective, weights: readonly string[]): Graph {
  const initializers = new Map([...primal.initializers].filter(([name]) => !weights.includes(name)));
  const variables = weights.map((name): ValueInfo => ({ name, type: 'float32', dims: primal.types.get(name)!.dims }));
  const outputs = primal.outputs.filter(
    (o) => o.name === STEP.image || (objective.mask !== undefined && o.name === STEP.softMask) || o.name === STEP.loss,
  );
  const graph = withoutDeadCode({ ...primal, initializers, inputs: [...primal.inputs, ...variables], outputs });
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((input) => read.has(input.name)) };
}

/** Values for the dry run that learns the shapes; small and not all equal, so that nothing degenerates. */
function dryRunValue(info: ValueInfo): Tensor {
  const dims = info.dims as readonly number[];
  const size = sizeOf(dims);
  if (info.name === STEP.lambda) return float32(new Float32Array(size).fill(1), dims);
  if (info.name === STEP.mask) return zeros('float32', dims);
  return float32(
    Float32Array.from({ length: size }, (_, i) => 0.5 * Math.sin(1 + i * 0.7)),
    dims,
  );
}
