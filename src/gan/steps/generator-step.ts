/**
 * The generator's step, with the encoder's or the codes' where there is a reconstruction term:
 *
 *     min  a mean softplus(-D(A y))  +  r mean (G(q) - x)^2  +  k KL(q(z|x) || N(0,I)) / pixels
 *
 * y are the pictures of drawn latents z ~ N(0,I) and of the codes q. With an encoder, q is drawn from N(mu(x), s(x)^2)
 * (Kingma and Welling 2014; with D, Larsen et al. 2016); with codes, q are free vectors, one per training picture
 * (Bojanowski et al. 2018), whose gradient is given out. A GAN alone leaves out what it has not drawn: the
 * reconstruction term is what makes every good sample reachable.
 */
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Evaluate, ValueInfo } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import { type AugmentSettings, augmentInputs, emitAugment } from '../augment.ts';
import type { Network } from '../networks/layers.ts';
import { applyNetwork, type Betas, compileUpdate, parametersOf } from './update.ts';

export const GENERATOR_STEP = {
  z: 'z',
  x: 'x',
  noise: 'noise',
  codes: 'codes',
  augment: 'augment/',
  /** The pictures made: of z first, then of the codes. */
  fake: 'fake',
  adversarial: 'loss/adversarial',
  /** Mean squared error of reconstructions, images in [-1,1]. */
  reconstruction: 'loss/reconstruction',
  /** In nats per picture; of codes half their mean squared norm. */
  divergence: 'loss/divergence',
  codesGradient: 'gradient/codes',
} as const;

/** What is reconstructed from: nothing (a plain GAN), an encoder's latents, or free codes of each training picture. */
export type Reconstruction = 'none' | 'encoder' | 'codes';

export interface GeneratorWeights {
  readonly adversarial: number;
  readonly reconstruction: number;
  readonly divergence: number;
}

export interface GeneratorStepOptions {
  /** Pictures of drawn latents, and reconstructions, per step. */
  readonly samples: number;
  readonly reconstructions: number;
  readonly reconstruction: Reconstruction;
  readonly weights: GeneratorWeights;
  readonly latent: number;
  readonly channels: number;
  readonly size: number;
  readonly augment?: AugmentSettings;
  readonly betas: Betas;
}

export interface Networks {
  readonly generator: Network;
  readonly discriminator: Network;
  readonly encoder?: Network;
}

export async function compileGeneratorStep(
  { generator, discriminator, encoder }: Networks,
  options: GeneratorStepOptions,
  evaluate: Evaluate,
): Promise<Uint8Array> {
  const { samples, reconstructions, reconstruction, weights, latent, channels, size, augment } = options;
  const names = GENERATOR_STEP;
  const count = samples + reconstructions;
  const b = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const input = (name: string, dims: readonly number[]): Value => {
    inputs.push({ name, type: 'float32', dims });
    return b.reserve(name);
  };
  const output = (name: string, value: Value, dims: readonly number[] = []): void => {
    b.node('Identity', [value], {}, [name]);
    outputs.push({ name, type: 'float32', dims });
  };
  const trained = new Map([
    ...parametersOf('generator', generator),
    ...(encoder ? parametersOf('encoder', encoder) : []),
  ]);
  for (const [name, { tensor }] of trained) b.initializer(name, tensor);

  const latents = samples > 0 ? [input(names.z, [samples, latent])] : [];
  const terms: Value[] = [];
  const term = (name: string, value: Value, weight: number): void => {
    output(name, value);
    terms.push(b.Mul(value, b.scalar(weight)));
  };
  const mean = (value: Value) => b.ReduceMean(value, undefined, false);
  const x = reconstruction === 'none' ? '' : input(names.x, [reconstructions, channels, size, size]);
  if (reconstruction === 'encoder') {
    const encoded = applyNetwork(b, encoder!, 'encoder', x, 'encode');
    const [mu, logVariance] = [encoded.get('z')!, encoded.get('log_variance')!];
    const spread = b.Exp(b.Mul(logVariance, b.scalar(0.5)));
    latents.push(b.Add(mu, b.Mul(spread, input(names.noise, [reconstructions, latent]))));
    // KL(N(mu, s^2) || N(0,1)) = (mu^2 + s^2 - 1 - log s^2) / 2
    const inner = b.Sub(b.Add(b.Mul(mu, mu), b.Exp(logVariance)), b.Add(logVariance, b.scalar(1)));
    const divergence = b.Mul(b.ReduceSum(inner, undefined, false), b.scalar(0.5 / reconstructions));
    term(names.divergence, divergence, weights.divergence / sizeOf([channels, size, size]));
  } else if (reconstruction === 'codes') {
    const codes = input(names.codes, [reconstructions, latent]);
    latents.push(codes);
    const norm = b.Mul(b.ReduceSum(b.Mul(codes, codes), undefined, false), b.scalar(0.5 / reconstructions));
    term(names.divergence, norm, weights.divergence / sizeOf([channels, size, size]));
  }
  const fake = applyNetwork(b, generator, 'generator', b.Concat(latents, 0), 'generate').get('image')!;
  output(names.fake, fake, [count, channels, size, size]);
  if (reconstruction !== 'none') {
    const rebuilt = samples > 0 ? b.Slice(fake, [samples], [count], [0]) : fake;
    const residual = b.Sub(rebuilt, x);
    term(names.reconstruction, mean(b.Mul(residual, residual)), weights.reconstruction);
  }
  if (weights.adversarial > 0) {
    for (const [name, { tensor }] of parametersOf('discriminator', discriminator)) input(name, tensor.dims);
    if (augment)
      for (const [name, shape] of augmentInputs(names.augment, augment, [count, channels, size])) input(name, shape);
    const seen = augment ? emitAugment(b, fake, names.augment, augment, channels) : fake;
    const score = applyNetwork(b, discriminator, 'discriminator', seen, 'judge').get('score')!;
    term(names.adversarial, mean(b.Softplus(b.Neg(score))), weights.adversarial);
  }
  const total = terms.reduce((a, c) => b.Add(a, c));
  outputs.push({ name: total, type: 'float32', dims: [] });
  const rates = new Map([...trained].map(([name, { rate }]) => [name, rate]));
  const gradients = reconstruction === 'codes' ? [names.codes] : [];
  const graph = b.graph('generator step', inputs, outputs);
  return compileUpdate(graph, total, { rates, betas: options.betas, averaged: true, gradients }, evaluate);
}
