import { describe, expect, it } from 'vitest';
import { AUGMENT, drawAugment } from '../../src/gan/augment.ts';
import { buildNetwork, type Network } from '../../src/gan/networks/layers.ts';
import { createNetworks } from '../../src/gan/settings.ts';
import { compileDiscriminatorStep, DISCRIMINATOR_STEP } from '../../src/gan/steps/discriminator-step.ts';
import { compileGeneratorStep, GENERATOR_STEP } from '../../src/gan/steps/generator-step.ts';
import { initialState, parametersOf, type Role, TRAIN } from '../../src/gan/steps/update.ts';
import { float32, float32Data, scalar, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import type { Session } from '../../src/runtime/runtime.ts';
import { expectClose } from '../support/close.ts';
import { evaluate, runtime, SIZE, tinySettings } from './support.ts';

type Tensors = Map<string, Tensor>;

/** Adam of the GAN literature (Karras et al. 2018). */
const GAN_BETAS = { beta1: 0, beta2: 0.99 };

const normals = (seed: number, ...dims: number[]) =>
  float32(randomFrom(seed).normals(dims.reduce((a, d) => a * d, 1)), dims);

const scalars = (rate: number): [string, Tensor][] => [
  [TRAIN.rate, scalar(rate)],
  [TRAIN.correction1, scalar(1)],
  [TRAIN.correction2, scalar(1 - GAN_BETAS.beta2)],
  [TRAIN.decay, scalar(0.75)],
];

/** Rectifiers have kinks, at which R1 even jumps; differences need a network without. */
function smooth<N extends Network | undefined>(network: N): N {
  if (!network) return network;
  const nodes = network.graph.nodes.map((node) =>
    node.operator === 'LeakyRelu' ? { ...node, operator: 'Softplus', attributes: {} } : node,
  );
  return { ...network, graph: { ...network.graph, nodes } };
}

function smoothNetworks(given: Parameters<typeof tinySettings>[0]) {
  const settings = tinySettings(given);
  const { generator, discriminator, encoder } = createNetworks(settings, 1, SIZE, randomFrom(2));
  const networks = { generator: smooth(generator), discriminator: smooth(discriminator), encoder: smooth(encoder) };
  return { settings, networks };
}

/** Runs a step once; with beta1 = 0 the next first moments are the gradients. */
const sessions = new Map<Uint8Array, Promise<Session>>();

async function runStep(model: Uint8Array, feeds: Tensors): Promise<Tensors> {
  const open = sessions.get(model) ?? runtime.session(model);
  sessions.set(model, open);
  return (await open).run(feeds);
}

/** |g|^2 = d loss along g, by central differences: every parameter at once, each with its own gradient. */
async function expectGradient(
  model: Uint8Array,
  feeds: Tensors,
  names: readonly string[],
  loss: (outputs: Tensors) => number,
): Promise<void> {
  const outputs = await runStep(model, feeds);
  const gradientOf = (name: string) => float32Data(outputs.get(`next/${TRAIN.firstMoment(name)}`)!);
  const norm = (values: Float32Array) => values.reduce((sum, v) => sum + v * v, 0);
  const largest = Math.max(...names.map((name) => norm(gradientOf(name))));
  for (const name of names) {
    const gradient = gradientOf(name);
    const squares = norm(gradient);
    // What hardly moves the loss is lost in its rounding.
    if (squares < 1e-5 * largest) continue;
    const step = 1e-2 / Math.sqrt(squares);
    const own = feeds.get(name)!;
    const moved = async (sign: number) => {
      const data = float32Data(own).map((v, j) => v + sign * step * gradient[j]);
      return loss(await runStep(model, new Map([...feeds, [name, float32(data, own.dims)]])));
    };
    const slope = ((await moved(1)) - (await moved(-1))) / (2 * step);
    const error = Math.abs(slope - squares) / squares;
    expect(error, `gradient in ${name}: slope ${slope}, |g|^2 ${squares}`).toBeLessThan(0.02);
  }
}

function statesOf(entries: [Role, Network][], averaged: boolean): Tensors {
  return new Map(entries.flatMap(([role, network]) => [...initialState(parametersOf(role, network), averaged)]));
}

const observed = (outputs: Tensors, name: string) => float32Data(outputs.get(name)!)[0];

describe("the generator's step", () => {
  it.each([
    ['light', 'none'],
    ['light', 'encoder'],
    ['light', 'codes'],
    ['pggan', 'encoder'],
  ] as const)(
    '%s, reconstruction %s: gradients agree with differences of its own loss',
    async (architecture, kind) => {
      const { settings, networks } = smoothNetworks({ architecture, reconstruction: kind });
      const weights = { adversarial: 0.7, reconstruction: kind === 'none' ? 0 : 3, divergence: 0.5 };
      const { latent, samples, reconstructions } = settings;
      const count = samples + reconstructions;
      const model = await compileGeneratorStep(
        networks,
        { ...settings, reconstruction: kind, weights, channels: 1, size: SIZE, augment: AUGMENT, betas: GAN_BETAS },
        evaluate,
      );
      const entries: [Role, Network][] = [['generator', networks.generator]];
      if (networks.encoder) entries.push(['encoder', networks.encoder]);
      const feeds: Tensors = new Map([
        ...statesOf(entries, true),
        ...[...parametersOf('discriminator', networks.discriminator)].map(([name, { tensor }]): [string, Tensor] => [
          name,
          tensor,
        ]),
        ...drawAugment(GENERATOR_STEP.augment, AUGMENT, [count, 1, SIZE], randomFrom(4)),
        [GENERATOR_STEP.z, normals(5, samples, latent)],
        ...scalars(0.002),
      ]);
      if (kind !== 'none') feeds.set(GENERATOR_STEP.x, normals(6, reconstructions, 1, SIZE, SIZE));
      if (kind === 'encoder') feeds.set(GENERATOR_STEP.noise, normals(7, reconstructions, latent));
      if (kind === 'codes') feeds.set(GENERATOR_STEP.codes, normals(7, reconstructions, latent));
      const loss = (outputs: Tensors) =>
        weights.adversarial * observed(outputs, GENERATOR_STEP.adversarial) +
        (kind === 'none'
          ? 0
          : weights.reconstruction * observed(outputs, GENERATOR_STEP.reconstruction) +
            (weights.divergence / SIZE ** 2) * observed(outputs, GENERATOR_STEP.divergence));
      const names = entries.flatMap(([role, network]) => [...parametersOf(role, network).keys()]);
      await expectGradient(model, feeds, names, loss);
    },
    180_000,
  );
});

describe("the discriminator's step", () => {
  const real = normals(11, 4, 1, SIZE, SIZE);
  const fake = normals(12, 4, 1, SIZE, SIZE);
  const feedsOf = (network: Network): Tensors =>
    new Map([
      ...statesOf([['discriminator', network]], false),
      [DISCRIMINATOR_STEP.real, real],
      [DISCRIMINATOR_STEP.fake, fake],
      ...scalars(0.002).slice(0, 3),
    ]);
  const options = { batch: 4, channels: 1, size: SIZE, supervision: 2, betas: GAN_BETAS };

  it.each([
    { architecture: 'light', selfSupervision: 0 },
    { architecture: 'light', selfSupervision: 2 },
    { architecture: 'pggan', selfSupervision: 0 },
  ] as const)(
    '%o: gradients, R1 included, agree with differences',
    async (given) => {
      const { discriminator } = smoothNetworks(given).networks;
      const penalty = 5;
      const model = await compileDiscriminatorStep(discriminator, { ...options, augment: AUGMENT, penalty }, evaluate);
      const feeds = feedsOf(discriminator);
      for (const prefix of [DISCRIMINATOR_STEP.realAugment, DISCRIMINATOR_STEP.fakeAugment])
        for (const entry of drawAugment(prefix, AUGMENT, [4, 1, SIZE], randomFrom(8))) feeds.set(...entry);
      const loss = (outputs: Tensors) =>
        observed(outputs, DISCRIMINATOR_STEP.loss) +
        (penalty / 2) * observed(outputs, DISCRIMINATOR_STEP.penalty) +
        (given.selfSupervision && given.selfSupervision * observed(outputs, DISCRIMINATOR_STEP.rebuilt));
      await expectGradient(model, feeds, [...parametersOf('discriminator', discriminator).keys()], loss);
    },
    180_000,
  );

  it('R1 of a linear discriminator w x + b is |w|^2, and adds penalty * w to the gradient', async () => {
    const values = SIZE * SIZE;
    const input = { name: 'image', dims: [1, SIZE, SIZE] };
    const linear = buildNetwork('d', input, [{ name: 'score', dims: [1] }], randomFrom(1), (l, image) => [
      l.dense('score', l.b.Reshape(image, [-1, values]), values, 1),
    ]);
    const w = linear.graph.initializers.get('score.weight')!;
    const square = float32Data(w).reduce((sum, v) => sum + v * v, 0);
    const gradient = async (penalty: number) => {
      const model = await compileDiscriminatorStep(linear, { ...options, penalty }, evaluate);
      const outputs = await runStep(model, feedsOf(linear));
      if (penalty > 0) expect(observed(outputs, DISCRIMINATOR_STEP.penalty)).toBeCloseTo(square, 4);
      return float32Data(outputs.get(`next/${TRAIN.firstMoment('discriminator/score.weight')}`)!);
    };
    const [without, withR1] = [await gradient(0), await gradient(3)];
    const added = float32(
      withR1.map((v, i) => v - without[i]),
      w.dims,
    );
    const expected = float32(
      float32Data(w).map((v) => 3 * v),
      w.dims,
    );
    expectClose(added, expected, 1e-4, 'gradient of R1');
  });
});

describe('the update', () => {
  it('moves by Adam at the rate of each parameter, and the running average follows', async () => {
    const settings = tinySettings({ reconstruction: 'none' });
    const networks = createNetworks(settings, 1, SIZE, randomFrom(2));
    const step = { ...settings, channels: 1, size: SIZE, augment: undefined, betas: GAN_BETAS };
    const model = await compileGeneratorStep(networks, step, evaluate);
    const feeds: Tensors = new Map([
      ...statesOf([['generator', networks.generator]], true),
      ...[...parametersOf('discriminator', networks.discriminator)].map(([name, { tensor }]): [string, Tensor] => [
        name,
        tensor,
      ]),
      [GENERATOR_STEP.z, normals(5, settings.samples, settings.latent)],
      ...scalars(0.01),
    ]);
    const outputs = await runStep(model, feeds);
    for (const [name, { tensor, rate }] of parametersOf('generator', networks.generator)) {
      const start = float32Data(tensor);
      const gradient = float32Data(outputs.get(`next/${TRAIN.firstMoment(name)}`)!);
      // The first step of Adam with beta1 = 0: g / (|g| + epsilon).
      const next = start.map((p, i) => p - (0.01 * rate * gradient[i]) / (Math.abs(gradient[i]) + 1e-8));
      expectClose(outputs.get(`next/${name}`)!, float32(next, tensor.dims), 1e-4, name);
      const average = start.map((p, i) => 0.75 * p + 0.25 * next[i]);
      expectClose(outputs.get(`next/${TRAIN.average(name)}`)!, float32(average, tensor.dims), 1e-4, name);
    }
  });
});
