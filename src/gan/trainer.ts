/**
 * Trains: alternates the generator's and the discriminator's step. What a step draws depends on the seed and the step's
 * number alone, so that a run resumed from a saved state gives the same numbers.
 */
import { batchOf, type Dataset, mixed, orderOf } from '../datasets/dataset.ts';
import { RgiError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, scalar, type Tensor } from '../onnx/tensor.ts';
import { adamCorrections } from '../optim/adam.ts';
import { type Random, randomFrom } from '../random.ts';
import { evaluatorOf, type Loop, type Runtime, type Tensors } from '../runtime/runtime.ts';
import { drawAugment } from './augment.ts';
import { type Codes, codesFor } from './codes.ts';
import { type Network, withOutput } from './networks/layers.ts';
import type { Backbone } from './networks/sizes.ts';
import { createNetworks, FALLING_SHARE, type TrainingSettings } from './settings.ts';
import { compileDiscriminatorStep, DISCRIMINATOR_STEP } from './steps/discriminator-step.ts';
import { compileGeneratorStep, GENERATOR_STEP, type Networks } from './steps/generator-step.ts';
import { initialState, parametersOf, type Role, TRAIN } from './steps/update.ts';

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
  const evaluate = evaluatorOf(runtime, encodeModel);
  const { channels, size } = dataset;
  const { samples, reconstructions, latent, betas, augment, weights, warmup } = settings;
  const batch = samples + reconstructions;
  const adversarial = weights.adversarial > 0;
  const networks = createNetworks(settings, channels, size, randomFrom(mixed(settings.seed, 1)), backbone);
  /** Without what rebuilds: what the generator is judged by, and what is exported. */
  const judge = withOutput(networks.discriminator, 'score');
  const discriminatorNames = [...parametersOf('discriminator', judge).keys()];
  const codes: Codes | undefined =
    settings.reconstruction === 'codes' ? codesFor(dataset.pictures.length, latent, settings.seed) : undefined;
  const common = { channels, size, augment, betas };

  let step = 0;
  let rollbacks = 0;
  /** The states where no loop holds them (before a loop is opened, and when one gives way to another). */
  const held = {
    generator: initialState(
      new Map([
        ...parametersOf('generator', networks.generator),
        ...(networks.encoder ? parametersOf('encoder', networks.encoder) : []),
      ]),
      true,
    ),
    discriminator: initialState(parametersOf('discriminator', networks.discriminator), false),
  };
  let generatorLoop: { loop: Loop; warm: boolean } | undefined;
  let discriminatorLoops: { plain: Loop; penalised: Loop; last: 'plain' | 'penalised' } | undefined;

  const current = async (): Promise<{ generator: Map<string, Tensor>; discriminator: Map<string, Tensor> }> => ({
    generator: generatorLoop ? await generatorLoop.loop.read() : held.generator,
    discriminator: discriminatorLoops ? await discriminatorLoops[discriminatorLoops.last].read() : held.discriminator,
  });
  const weightsOf = (state: Tensors) => new Map(discriminatorNames.map((name) => [name, state.get(name)!]));

  async function generatorAt(warm: boolean): Promise<Loop> {
    if (generatorLoop?.warm === warm) return generatorLoop.loop;
    if (generatorLoop) {
      held.generator = await generatorLoop.loop.read();
      await generatorLoop.loop.dispose();
      generatorLoop = undefined;
    }
    const model = await compileGeneratorStep(
      { ...networks, discriminator: judge },
      {
        ...common,
        latent,
        reconstruction: settings.reconstruction,
        samples: warm ? 0 : samples,
        reconstructions: warm ? batch : reconstructions,
        weights: warm ? { ...weights, adversarial: 0 } : weights,
      },
      evaluate,
    );
    const fixed = warm || !adversarial ? new Map<string, Tensor>() : weightsOf((await current()).discriminator);
    generatorLoop = { loop: await runtime.loop(model, held.generator, fixed), warm };
    return generatorLoop.loop;
  }

  async function discriminatorAt(penalised: boolean): Promise<Loop> {
    if (!discriminatorLoops) {
      const open = async (penalty: number) =>
        runtime.loop(
          await compileDiscriminatorStep(
            networks.discriminator,
            { ...common, batch, penalty, supervision: settings.selfSupervision },
            evaluate,
          ),
          held.discriminator,
          new Map(),
        );
      const penalty = settings.penalty * settings.penaltyEvery;
      const plain = await open(0);
      discriminatorLoops = { plain, penalised: penalty > 0 ? await open(penalty) : plain, last: 'plain' };
    }
    const wanted = penalised ? 'penalised' : 'plain';
    const loops = discriminatorLoops;
    if (loops.last !== wanted && loops.plain !== loops.penalised)
      await loops[wanted].write(await loops[loops.last].read());
    loops.last = wanted;
    return loops[wanted];
  }

  /** Step numbers of Adam and its rate; the discriminator begins to count after the warm-up. */
  const controls = (count: number) => {
    const [c1, c2] = adamCorrections(count, betas.beta1, betas.beta2);
    return new Map<string, Tensor>([
      [TRAIN.rate, scalar(settings.rate * rateShare(step, settings.steps) * 0.5 ** rollbacks)],
      [TRAIN.correction1, scalar(c1)],
      [TRAIN.correction2, scalar(c2)],
    ]);
  };

  async function generatorStep(images: Image, indices: Uint32Array, random: Random) {
    const warm = step < warmup || !adversarial;
    const loop = await generatorAt(warm);
    const count = warm ? batch : reconstructions;
    const feeds = controls(step + 1);
    const halfLife = Math.min(settings.halfLife, 0.1 * (step + 1) * batch);
    feeds.set(TRAIN.decay, scalar(0.5 ** (batch / Math.max(halfLife, 1e-8))));
    if (!warm && samples > 0) feeds.set(GENERATOR_STEP.z, float32(random.normals(samples * latent), [samples, latent]));
    const used = indices.subarray(0, count);
    if (count > 0 && settings.reconstruction !== 'none') {
      feeds.set(GENERATOR_STEP.x, firstOf(images, count));
      if (codes) feeds.set(GENERATOR_STEP.codes, codes.rows(used));
      else feeds.set(GENERATOR_STEP.noise, float32(random.normals(count * latent), [count, latent]));
    }
    if (!warm && augment)
      for (const entry of drawAugment(GENERATOR_STEP.augment, augment, [batch, channels, size], random))
        feeds.set(...entry);
    const outputs = await loop.step(feeds);
    codes?.move(used, outputs.get(GENERATOR_STEP.codesGradient)!);
    return { outputs, warm };
  }

  return {
    settings,
    get done() {
      return step;
    },
    get rollbacks() {
      return rollbacks;
    },
    async step() {
      const random = randomFrom(mixed(settings.seed, 2, step, rollbacks));
      const indices = orderOf(dataset.pictures.length, batch, step, settings.seed);
      const images = batchOf(dataset, indices, random);
      const { outputs, warm } = await generatorStep(images, indices, random);
      const number = (from: Tensors, name: string) => {
        const tensor = from.get(name);
        return tensor ? float32Data(tensor)[0] : undefined;
      };
      const made = {
        adversarial: number(outputs, GENERATOR_STEP.adversarial),
        reconstruction: number(outputs, GENERATOR_STEP.reconstruction),
        divergence: number(outputs, GENERATOR_STEP.divergence),
      };
      if (warm) {
        step++;
        return made;
      }
      const judged = step - warmup;
      const loop = await discriminatorAt(settings.penalty > 0 && judged % settings.penaltyEvery === 0);
      const feeds = controls(judged + 1);
      feeds.set(DISCRIMINATOR_STEP.real, images).set(DISCRIMINATOR_STEP.fake, outputs.get(GENERATOR_STEP.fake)!);
      if (augment)
        for (const prefix of [DISCRIMINATOR_STEP.realAugment, DISCRIMINATOR_STEP.fakeAugment])
          for (const entry of drawAugment(prefix, augment, [batch, channels, size], random)) feeds.set(...entry);
      const results = await loop.step(feeds);
      await generatorLoop!.loop.fix(await loop.read(discriminatorNames));
      step++;
      return {
        ...made,
        discriminator: number(results, DISCRIMINATOR_STEP.loss),
        penalty: number(results, DISCRIMINATOR_STEP.penalty),
        realScore: number(results, DISCRIMINATOR_STEP.realScore),
        fakeScore: number(results, DISCRIMINATOR_STEP.fakeScore),
      };
    },
    async save() {
      const { generator, discriminator } = await current();
      return { step, rollbacks, tensors: new Map([...generator, ...discriminator, ...(codes?.state() ?? [])]) };
    },
    async load(state) {
      const take = (known: Tensors) => new Map([...known].map(([name, own]) => [name, same(state, name, own)]));
      held.generator = take(held.generator);
      held.discriminator = take(held.discriminator);
      codes?.restore(take(codes.state()));
      await generatorLoop?.loop.dispose();
      generatorLoop = undefined;
      if (discriminatorLoops)
        for (const loop of new Set([discriminatorLoops.plain, discriminatorLoops.penalised]))
          await loop.write(held.discriminator);
      step = state.step;
      rollbacks = state.rollbacks;
    },
    async networks() {
      const { generator, discriminator } = await current();
      const averaged = (role: Role, network: Network) =>
        withWeights(network, (name) => generator.get(TRAIN.average(`${role}/${name}`))!);
      return {
        generator: averaged('generator', networks.generator),
        discriminator: withWeights(judge, (name) => discriminator.get(`discriminator/${name}`)!),
        ...(networks.encoder ? { encoder: averaged('encoder', networks.encoder) } : {}),
      };
    },
    async dispose() {
      await generatorLoop?.loop.dispose();
      if (!discriminatorLoops) return;
      for (const loop of new Set([discriminatorLoops.plain, discriminatorLoops.penalised])) await loop.dispose();
    },
  };
}

/** 1, then linearly to (nearly) 0 over the last part of the steps. */
export function rateShare(step: number, steps: number): number {
  return Math.min(1, Math.max(0.01, (steps - step) / (FALLING_SHARE * steps)));
}

function firstOf(images: Image, count: number): Image {
  const [, ...dims] = images.dims;
  const each = images.data.length / images.dims[0];
  return float32(images.data.subarray(0, count * each), [count, ...dims]);
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
