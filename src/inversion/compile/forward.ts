/** The forward half of a step: the generator on the latents, the objective, the priors; per image, and their sum. */
import { RgiError } from '../../errors.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { type Formulation, type LatentPrior, readsVisibility } from '../spec/formulation.ts';
import { latentEnergy, latentWeight } from './latent-prior.ts';
import { noiseCorrelation } from './noise-prior.ts';
import { emitObjective, type Objective } from './objective.ts';
import { STEP } from './step-names.ts';

export interface Forward {
  /** Outputs: what STEP names loss, fidelity, masked, image and (where there is a mask) softMask, and `total`. */
  readonly graph: Graph;
  readonly objective: Objective;
  /** The sum over the batch of all that is minimised. */
  readonly total: Value;
  /** The sum of the latents' prior alone, unweighted: where L-BFGS needs its gradient. */
  readonly priorTotal?: Value;
}

export function forwardGraph(generator: Generator, formulation: Formulation, batch: number, critic?: Critic): Forward {
  const { channels, height, width } = generator;
  const dims = [batch, channels, height, width];
  const b = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const input = (name: string, shape: readonly number[]): Value => {
    inputs.push({ name, type: 'float32', dims: shape });
    return b.reserve(name);
  };
  for (const latent of generator.latents) input(latent.name, [batch, ...latent.dims]);
  const y = emitGenerator(b, generator, batch);
  const form = formulation.mask;
  const x = input(STEP.x, dims);
  const mask =
    form.form === 'free' || form.form === 'clipped'
      ? input(STEP.mask, [batch, form.shared ? 1 : channels, height, width])
      : undefined;
  const visibility = readsVisibility(form) ? input(STEP.visibility, [batch, 1, height, width]) : undefined;
  const penalised = form.form !== 'none' && form.form !== 'given';
  const lambda = penalised ? input(STEP.lambda, [batch, 1, 1, 1]) : '';
  const termScales = formulation.scheduledTerms
    ? formulation.loss.map((_, i) => input(STEP.termScale(i), []))
    : formulation.loss.map(() => undefined);
  const features = critic && ((image: Value, layers: readonly string[]) => critic.features(b, image, batch, layers));
  const objective = emitObjective(b, formulation, { x, y, dims, lambda, mask, visibility, termScales, features });
  const losses = [
    objective.fidelity,
    ...(objective.penalty ? [objective.penalty] : []),
    ...priors(b, generator, y, formulation, batch, critic),
  ];
  const others = losses.reduce((a, c) => b.Add(a, c));
  const latent = latentPriorOf(formulation);
  const energy = latent && latentEnergy(b, generator, batch, latent);
  const weight = latent && latentWeight(b, generator, latent, objective.noise!, objective.pixels);
  const loss = energy === undefined ? others : b.Add(others, b.Mul(weight!, energy));
  const isReweighted = energy !== undefined && formulation.optimiser.kind === 'lbfgs';
  const trial = isReweighted ? b.Add(others, b.Mul(input(STEP.priorWeight, [batch]), energy)) : loss;
  const sumOf = (value: Value) => b.ReduceSum(value, undefined, false);
  const total = sumOf(trial);
  const priorTotal = isReweighted ? sumOf(energy) : undefined;
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
    output(STEP.image, y, dims),
    ...(objective.mask ? [output(STEP.softMask, objective.mask, [])] : []),
    ...(isReweighted
      ? [output(STEP.trialLoss, trial, [batch]), output(STEP.measuredPriorWeight, weight!, [batch])]
      : []),
    ...[total, ...(priorTotal === undefined ? [] : [priorTotal])].map((name) => ({
      name,
      type: 'float32' as const,
      dims: [],
    })),
  ];
  return { graph: b.graph('forward', inputs, outputs), objective, total, priorTotal };
}

/**
 * G of the latents. A generator exported for a fixed number of images stands in the graph as often as the batch needs, its
 * weights once; the last copy is filled up with the last image, and what that gives is dropped.
 */
function emitGenerator(b: GraphBuilder, generator: Generator, batch: number): Value {
  const { graph, output, latents, batch: size } = generator;
  if (size === 'any' || size === batch) {
    appendGraph(b, graph, '', new Map());
    return output;
  }
  // Before any constant of ours is made: the weights keep their names.
  const weights = [...graph.initializers].map(([name, tensor]): [string, Value] => [name, b.initializer(name, tensor)]);
  const images = Array.from({ length: Math.ceil(batch / size) }, (_, copy) => {
    const picked = b.ints(Array.from({ length: size }, (_, i) => Math.min(batch - 1, copy * size + i)));
    const own = latents.map(({ name }): [string, Value] => [name, b.Gather(name, picked, 0)]);
    return appendGraph(b, graph, `copy.${copy}/`, new Map([...weights, ...own])).get(output)!;
  });
  const all = images.length === 1 ? images[0] : b.Concat(images, 0);
  return batch % size === 0 ? all : b.Slice(all, [0], [batch], [0]);
}

function latentPriorOf({ priors }: Formulation): LatentPrior | undefined {
  const all = priors.filter((prior): prior is LatentPrior => prior.kind === 'latent');
  if (all.length > 1) throw new RgiError('usage', 'A formulation has one prior of the latents by their law at most.');
  return all[0];
}

/** Prior terms per image but for that of the latents' law, [N] each. */
function priors(
  b: GraphBuilder,
  generator: Generator,
  image: Value,
  formulation: Formulation,
  batch: number,
  critic?: Critic,
): Value[] {
  return formulation.priors.flatMap((prior) => {
    if (prior.kind === 'latent') return [];
    const weight = b.scalar(prior.weight);
    if (prior.kind === 'noise') return b.Mul(noiseCorrelation(b, generator.latents, batch), weight);
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
    const worse = b.Neg(critic.score(b, image, batch));
    return b.Mul(prior.kind === 'logistic' ? b.Softplus(worse) : worse, weight);
  });
}
