/**
 * The generator's side of a training, the encoder and the codes included: one loop for the warm-up, in which pictures are
 * rebuilt only, and another one from then on, which takes over the state.
 */
import type { Image } from '../../images/image.ts';
import { float32, scalar, type Tensor } from '../../onnx/tensor.ts';
import type { Random } from '../../random.ts';
import type { Loop, Tensors } from '../../runtime/runtime.ts';
import { drawAugment } from '../augment.ts';
import type { Codes } from '../codes.ts';
import { compileGeneratorStep, GENERATOR_STEP } from '../steps/generator-step.ts';
import { initialState, parametersOf, TRAIN } from '../steps/update.ts';
import { adamControls, batchSize, type Position, type TrainingSetup } from './setup.ts';

/** The real pictures of a step [n,C,H,W], their numbers in the data set, and what all draws of the step come from. */
export interface StepPictures {
  readonly images: Image;
  readonly indices: Uint32Array;
  readonly random: Random;
}

export interface GeneratorLoop {
  /** One step. `judge` gives the discriminator's weights where a loop that needs them is opened. */
  step(
    pictures: StepPictures,
    position: Position,
    judge: () => Promise<Tensors>,
  ): Promise<{ readonly outputs: Tensors; readonly warm: boolean }>;
  /** Weights of the discriminator from the next step on. */
  judgeBy(weights: Tensors): Promise<void>;
  /** Weights, moments and running averages. */
  state(): Promise<Map<string, Tensor>>;
  load(state: Map<string, Tensor>): Promise<void>;
  dispose(): Promise<void>;
}

/** `codes` are moved by each step that has used them. */
export function generatorLoop(setup: TrainingSetup, codes: Codes | undefined): GeneratorLoop {
  const { settings, networks, runtime } = setup;
  const isAdversarial = settings.weights.adversarial > 0;
  /** The state while no loop holds it: before one is opened, and when one gives way to another. */
  let held = initialState(
    new Map([
      ...parametersOf('generator', networks.generator),
      ...(networks.encoder ? parametersOf('encoder', networks.encoder) : []),
    ]),
    true,
  );
  let open: { readonly loop: Loop; readonly warm: boolean } | undefined;

  async function loopAt(warm: boolean, judge: () => Promise<Tensors>): Promise<Loop> {
    if (open?.warm === warm) return open.loop;
    if (open) {
      held = await open.loop.read();
      await open.loop.dispose();
      open = undefined;
    }
    const model = await compiled(setup, warm);
    const fixed = warm ? new Map<string, Tensor>() : await judge();
    open = { loop: await runtime.loop(model, held, fixed), warm };
    return open.loop;
  }

  return {
    async step(pictures, position, judge) {
      const warm = position.step < settings.warmup || !isAdversarial;
      const loop = await loopAt(warm, judge);
      const used = pictures.indices.subarray(0, warm ? batchSize(settings) : settings.reconstructions);
      const outputs = await loop.step(feedsOf(setup, codes, pictures, position, used, warm));
      codes?.move(used, outputs.get(GENERATOR_STEP.codesGradient)!);
      return { outputs, warm };
    },
    judgeBy: async (weights) => open?.loop.fix(weights),
    state: async () => (open ? open.loop.read() : held),
    async load(state) {
      held = state;
      await open?.loop.dispose();
      open = undefined;
    },
    dispose: async () => open?.loop.dispose(),
  };
}

function compiled(setup: TrainingSetup, warm: boolean): Promise<Uint8Array> {
  const { settings, networks, judge, channels, size, evaluate } = setup;
  const { samples, reconstructions, reconstruction, latent, betas, augment, weights } = settings;
  const options = {
    channels,
    size,
    augment,
    betas,
    latent,
    reconstruction,
    samples: warm ? 0 : samples,
    reconstructions: warm ? batchSize(settings) : reconstructions,
    weights: warm ? { ...weights, adversarial: 0 } : weights,
  };
  return compileGeneratorStep({ ...networks, discriminator: judge }, options, evaluate);
}

/** What a step is fed: the pictures `used` are rebuilt, the others are made of drawn latents. */
function feedsOf(
  { settings, channels, size }: TrainingSetup,
  codes: Codes | undefined,
  { images, random }: StepPictures,
  position: Position,
  used: Uint32Array,
  warm: boolean,
): Map<string, Tensor> {
  const { samples, latent, augment } = settings;
  const batch = batchSize(settings);
  const feeds = adamControls(settings, position, position.step + 1);
  // At first the average forgets sooner: half of it in a tenth of what has been seen.
  const halfLife = Math.min(settings.halfLife, 0.1 * (position.step + 1) * batch);
  feeds.set(TRAIN.decay, scalar(0.5 ** (batch / Math.max(halfLife, 1e-8))));
  if (!warm && samples > 0) feeds.set(GENERATOR_STEP.z, float32(random.normals(samples * latent), [samples, latent]));
  const count = used.length;
  if (count > 0 && settings.reconstruction !== 'none') {
    feeds.set(GENERATOR_STEP.x, firstOf(images, count));
    if (codes) feeds.set(GENERATOR_STEP.codes, codes.rows(used));
    else feeds.set(GENERATOR_STEP.noise, float32(random.normals(count * latent), [count, latent]));
  }
  if (!warm && augment)
    for (const entry of drawAugment(GENERATOR_STEP.augment, augment, [batch, channels, size], random))
      feeds.set(...entry);
  return feeds;
}

function firstOf(images: Image, count: number): Image {
  const [, ...dims] = images.dims;
  const each = images.data.length / images.dims[0];
  return float32(images.data.subarray(0, count * each), [count, ...dims]);
}
