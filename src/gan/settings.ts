/** The settings of a training run, as plain data; and the defaults, chosen by measuring (see each). */
import { RgiError } from '../errors.ts';
import type { Random } from '../random.ts';
import { AUGMENT, type AugmentSettings } from './augment.ts';
import { backboneSize, emptyBackbone } from './networks/backbone.ts';
import { encoder, lightDiscriminator, lightGenerator } from './networks/light.ts';
import { pgganDiscriminator, pgganGenerator } from './networks/pggan.ts';
import { type Backbone, type BackboneSettings, type Sizes, widths } from './networks/sizes.ts';
import type { GeneratorWeights, Networks, Reconstruction } from './steps/generator-step.ts';
import type { Betas } from './steps/update.ts';

export type Architecture = 'light' | 'pggan';

export interface TrainingSettings {
  readonly architecture: Architecture;
  /** Length of z. */
  readonly latent: number;
  /** Channels of the feature maps at full size, and the most at small sizes. */
  readonly width: number;
  readonly mostWidth: number;
  /** What pictures are rebuilt from, so that every good sample can be reached. */
  readonly reconstruction: Reconstruction;
  /** The linear generator that the network is added to. */
  readonly backbone?: BackboneSettings;
  readonly weights: GeneratorWeights;
  /** Pictures per step: made of drawn latents, and rebuilt. */
  readonly samples: number;
  readonly reconstructions: number;
  /** Steps in all; the rate falls to zero over the last part. */
  readonly steps: number;
  /** Of these, steps before the discriminator takes part (reconstruction alone). */
  readonly warmup: number;
  readonly rate: number;
  readonly betas: Betas;
  /** Weight of R1, and how often it is applied. */
  readonly penalty: number;
  readonly penaltyEvery: number;
  readonly augment?: AugmentSettings;
  /** Weight of what the discriminator's features rebuild of a real picture (`light` only); 0 = nothing. */
  readonly selfSupervision: number;
  /** Pictures after which the running average of the weights has forgotten half. */
  readonly halfLife: number;
  readonly seed: number;
}

/** Below this many pictures augmentation is on unless it is said otherwise. */
export const AUGMENT_BELOW = 3000;

/** The share of the steps over which the rate falls to zero. */
export const FALLING_SHARE = 0.3;

export function defaultSettings(
  data: { readonly size: number; readonly count: number; readonly residual?: number; readonly backbone?: Backbone },
  given: Partial<TrainingSettings> = {},
): TrainingSettings {
  const reconstruction = given.reconstruction ?? 'encoder';
  const none = reconstruction === 'none';
  const architecture = given.architecture ?? 'light';
  const steps = given.steps ?? 20000;
  const { backbone } = data;
  // A Gaussian likelihood with the variance that the components leave (sigma-VAE: Rybkin et al. 2021).
  const noise = Math.max(data.residual ?? 0.01, 1e-4);
  const batch = (given.samples ?? (none ? 16 : 8)) + (given.reconstructions ?? (none ? 0 : 8));
  const settings: TrainingSettings = {
    architecture,
    latent: architecture === 'pggan' ? 512 : 64,
    width: data.size >= 128 ? 16 : 24,
    mostWidth: architecture === 'pggan' ? 256 : 128,
    reconstruction,
    ...(backbone
      ? {
          backbone: {
            size: backboneSize(data.size),
            decoderRate: backbone.decoderRate,
            encoderRate: backbone.encoderRate,
          },
        }
      : {}),
    weights: { adversarial: 1, reconstruction: none ? 0 : 0.5 / noise, divergence: none ? 0 : 1 },
    samples: none ? 16 : 8,
    reconstructions: none ? 0 : 8,
    steps,
    warmup: none ? 0 : Math.round(steps / (backbone ? 20 : 3)),
    rate: 0.002,
    betas: { beta1: none ? 0 : 0.5, beta2: 0.99 },
    // The heuristic of Karras et al. 2020 (StyleGAN2-ADA).
    penalty: (0.0002 * data.size ** 2) / batch,
    penaltyEvery: 16,
    ...(data.count < AUGMENT_BELOW ? { augment: AUGMENT } : {}),
    selfSupervision: 0,
    halfLife: 5000,
    seed: 0,
    ...given,
  };
  check(settings);
  return settings;
}

function check(settings: TrainingSettings): void {
  const { reconstruction, samples, reconstructions, warmup } = settings;
  if (reconstruction === 'none' && (reconstructions > 0 || warmup > 0))
    throw new RgiError('usage', 'Without a reconstruction term there is nothing to rebuild, and no warm-up.');
  if (reconstruction !== 'none' && reconstructions < 1)
    throw new RgiError('usage', 'A reconstruction term needs at least one rebuilt picture per step.');
  if (settings.selfSupervision > 0 && settings.architecture !== 'light')
    throw new RgiError(
      'usage',
      `The discriminator of '${settings.architecture}' rebuilds nothing: leave self-supervision out.`,
    );
  if (samples + reconstructions < 2) throw new RgiError('usage', 'A step needs at least two pictures.');
}

/** The untrained networks, their weights drawn with `random`; a backbone not given is left to be loaded. */
export function createNetworks(
  settings: TrainingSettings,
  channels: number,
  size: number,
  random: Random,
  given?: Backbone,
): Networks {
  const { latent, width, mostWidth } = settings;
  const backbone = settings.backbone && (given ?? emptyBackbone(settings.backbone, latent, channels));
  const sizes: Sizes = { latent, channels, size, width: widths(size, width, mostWidth), backbone };
  const pggan = settings.architecture === 'pggan';
  return {
    generator: (pggan ? pgganGenerator : lightGenerator)(sizes, random),
    discriminator: pggan
      ? pgganDiscriminator(sizes, random)
      : lightDiscriminator(sizes, random, settings.selfSupervision > 0),
    ...(settings.reconstruction === 'encoder' ? { encoder: encoder(sizes, random) } : {}),
  };
}
