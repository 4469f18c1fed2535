/**
 * Trains: alternates the generator's and the discriminator's step. What a step draws depends on the seed and the step's
 * number alone, so that a run resumed from a saved state gives the same numbers.
 */
import { batchOf, type Dataset, mixed, orderOf } from '../datasets/dataset.ts';
import { RgiError } from '../errors.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32Data, type Tensor } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import { evaluatorOf, type Runtime, type Tensors } from '../runtime/runtime.ts';
import { codesFor } from './codes.ts';
import { type DiscriminatorLoop, discriminatorLoop } from './loops/discriminator-loop.ts';
import { type GeneratorLoop, generatorLoop } from './loops/generator-loop.ts';
import { batchSize, type Position, type TrainingSetup } from './loops/setup.ts';
import { type Network, withOutput } from './networks/layers.ts';
import type { Backbone } from './networks/sizes.ts';
import { createNetworks, type TrainingSettings } from './settings.ts';
import { DISCRIMINATOR_STEP } from './steps/discriminator-step.ts';
import { GENERATOR_STEP, type Networks } from './steps/generator-step.ts';
import { type Role, TRAIN } from './steps/update.ts';

/** Means over the step's pictures; a term that the step does not have is absent. */
export interface StepLosses {
  readonly adversarial?: number;
  readonly reconstruction?: number;
  readonly divergence?: number;
  readonly discriminator?: number;
  readonly penalty?: number;
  readonly realScore?: number;
  readonly fakeScore?: number;
}

export interface TrainerState {
  /** Steps made. */
  readonly step: number;
  /** Times the run was rolled back; each halves the rate and draws anew. */
  readonly rollbacks: number;
  /** Weights, moments, running averages, codes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export interface Trainer {
  readonly settings: TrainingSettings;
  /** Steps made so far. */
  readonly done: number;
  readonly rollbacks: number;
  /** One generator step and, after the warm-up, one discriminator step. */
  step(): Promise<StepLosses>;
  save(): Promise<TrainerState>;
  load(state: TrainerState): Promise<void>;
  /** Networks with the weights of now; generator and encoder with their running average. */
  networks(): Promise<Networks>;
  dispose(): Promise<void>;
}

/** `backbone` gives the start values of the one that `settings` has; a trainer that will `load` a state needs none. */
export async function createTrainer(
  dataset: Dataset,
  settings: TrainingSettings,
  runtime: Runtime,
  backbone?: Backbone,
): Promise<Trainer> {
  const { channels, size, pictures } = dataset;
  const { latent, seed, reconstruction } = settings;
  const networks = createNetworks(settings, channels, size, randomFrom(mixed(seed, 1)), backbone);
  const judge = withOutput(networks.discriminator, 'score');
  const setup = { settings, channels, size, networks, judge, runtime, evaluate: evaluatorOf(runtime, encodeModel) };
  const codes = reconstruction === 'codes' ? codesFor(pictures.length, latent, seed) : undefined;
  const generator = generatorLoop(setup, codes);
  const discriminator = discriminatorLoop(setup);
  let position: Position = { step: 0, rollbacks: 0 };

  return {
    settings,
    get done() {
      return position.step;
    },
    get rollbacks() {
      return position.rollbacks;
    },
    async step() {
      const losses = await alternated(dataset, settings, generator, discriminator, position);
      position = { ...position, step: position.step + 1 };
      return losses;
    },
    async save() {
      const states = [await generator.state(), await discriminator.state(), codes?.state() ?? new Map()];
      return { ...position, tensors: new Map(states.flatMap((state) => [...state])) };
    },
    async load(state) {
      const take = (known: Tensors) => new Map([...known].map(([name, own]) => [name, same(state, name, own)]));
      const [ofGenerator, ofDiscriminator] = [take(await generator.state()), take(await discriminator.state())];
      codes?.restore(take(codes.state()));
      await generator.load(ofGenerator);
      await discriminator.load(ofDiscriminator);
      position = { step: state.step, rollbacks: state.rollbacks };
    },
    networks: async () => withState(setup, await generator.state(), await discriminator.state()),
    async dispose() {
      await generator.dispose();
      await discriminator.dispose();
    },
  };
}

/** One step of each side; of the generator's alone where it is warm. */
async function alternated(
  dataset: Dataset,
  settings: TrainingSettings,
  generator: GeneratorLoop,
  discriminator: DiscriminatorLoop,
  position: Position,
): Promise<StepLosses> {
  const { seed } = settings;
  const random = randomFrom(mixed(seed, 2, position.step, position.rollbacks));
  const indices = orderOf(dataset.pictures.length, batchSize(settings), position.step, seed);
  const pictures = { images: batchOf(dataset, indices, random), indices, random };
  const { outputs, warm } = await generator.step(pictures, position, discriminator.weights);
  const made = {
    adversarial: numberOf(outputs, GENERATOR_STEP.adversarial),
    reconstruction: numberOf(outputs, GENERATOR_STEP.reconstruction),
    divergence: numberOf(outputs, GENERATOR_STEP.divergence),
  };
  if (warm) return made;
  const results = await discriminator.step(pictures, outputs.get(GENERATOR_STEP.fake)!, position);
  await generator.judgeBy(await discriminator.weights());
  return {
    ...made,
    discriminator: numberOf(results, DISCRIMINATOR_STEP.loss),
    penalty: numberOf(results, DISCRIMINATOR_STEP.penalty),
    realScore: numberOf(results, DISCRIMINATOR_STEP.realScore),
    fakeScore: numberOf(results, DISCRIMINATOR_STEP.fakeScore),
  };
}

function numberOf(outputs: Tensors, name: string): number | undefined {
  const tensor = outputs.get(name);
  return tensor ? float32Data(tensor)[0] : undefined;
}

/** The networks with the weights of these states; generator and encoder with their running average. */
function withState({ networks, judge }: TrainingSetup, generator: Tensors, discriminator: Tensors): Networks {
  const averaged = (role: Role, network: Network) =>
    withWeights(network, (name) => generator.get(TRAIN.average(`${role}/${name}`))!);
  return {
    generator: averaged('generator', networks.generator),
    discriminator: withWeights(judge, (name) => discriminator.get(`discriminator/${name}`)!),
    ...(networks.encoder ? { encoder: averaged('encoder', networks.encoder) } : {}),
  };
}

function same(state: TrainerState, name: string, own: Tensor): Tensor {
  const tensor = state.tensors.get(name);
  if (tensor && tensor.type === own.type && tensor.dims.join() === own.dims.join()) return tensor;
  throw new RgiError(
    'input',
    `The checkpoint does not fit: '${name}' ${tensor ? `is [${tensor.dims.join(', ')}], not [${own.dims.join(', ')}]` : 'is missing'}. It belongs to another architecture or data set.`,
    { tensor: name },
  );
}

function withWeights(network: Network, value: (name: string) => Tensor): Network {
  const initializers = new Map(
    [...network.graph.initializers].map(([name, tensor]) => [name, network.rates.has(name) ? value(name) : tensor]),
  );
  return { ...network, graph: { ...network.graph, initializers } };
}
