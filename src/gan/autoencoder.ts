/**
 * Trains the autoencoder of good pictures: min over the weights of the mean squared error, or of 1 - SSIM (Bergmann et al.
 * 2019), by Adam. One training step is one ONNX graph; what it draws depends on the seed alone.
 */
import { mixed, orderOf } from '../datasets/dataset.ts';
import type { Image } from '../images/image.ts';
import { shapeOf } from '../images/image.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Evaluate, Graph } from '../onnx/graph.ts';
import { float32, float32Data, scalar, type Tensor } from '../onnx/tensor.ts';
import { adamCorrections } from '../optim/adam.ts';
import { randomFrom } from '../random.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';
import { rateShare } from './loops/setup.ts';
import { type AutoencoderSizes, autoencoder } from './networks/autoencoder.ts';
import { BATCH, type Network } from './networks/layers.ts';
import { emitSsim } from './steps/ssim.ts';
import { applyNetwork, type Betas, compileUpdate, initialState, parametersOf, TRAIN } from './steps/update.ts';

export type AutoencoderLoss = 'l2' | 'ssim';

export interface AutoencoderSettings {
  readonly loss: AutoencoderLoss;
  readonly steps: number;
  /** Length of the code. */
  readonly latent: number;
  /** Pictures per step. */
  readonly batch: number;
  readonly rate: number;
  readonly betas: Betas;
  readonly seed: number;
}

/** The code's length is that of Bergmann et al. 2019; the rate was the surest on good pictures; the steps take minutes at 128 pixels. */
export const AUTOENCODER: AutoencoderSettings = {
  loss: 'l2',
  steps: 1500,
  latent: 100,
  batch: 16,
  rate: 0.005,
  betas: { beta1: 0.9, beta2: 0.999 },
  seed: 0,
};

export interface AutoencoderHooks {
  /** After each step, with its loss. */
  readonly onStep?: (step: number, loss: number) => void;
  readonly signal?: AbortSignal;
}

const ROLE = 'autoencoder';
const [IMAGE, LOSS] = ['image', 'loss'];

/** The trained network as a graph: `image` [N,C,H,W] to `restored` and, for either loss, its anomaly `map` [N,1,H,W]. */
export async function trainAutoencoder(
  images: Image,
  settings: AutoencoderSettings,
  runtime: Runtime,
  { onStep, signal }: AutoencoderHooks = {},
): Promise<Graph | undefined> {
  const { count, channels, height, width } = shapeOf(images);
  const { latent, steps, rate, betas, seed } = settings;
  const batch = Math.min(settings.batch, count);
  const sizes = { channels, height, width, latent };
  const network = autoencoder(sizes, randomFrom(mixed(seed, 1)));
  const step = await compileAutoencoderStep(network, settings, sizes, batch, evaluatorOf(runtime, encodeModel));
  const loop = await runtime.loop(step, initialState(parametersOf(ROLE, network), false), new Map());
  try {
    const each = channels * height * width;
    const members = new Float32Array(batch * each);
    for (let i = 0; i < steps; i++) {
      if (signal?.aborted) return undefined;
      orderOf(count, batch, i, seed).forEach((from, to) => {
        members.set(images.data.subarray(from * each, (from + 1) * each), to * each);
      });
      const [c1, c2] = adamCorrections(i + 1, betas.beta1, betas.beta2);
      const feeds = new Map<string, Tensor>([
        [IMAGE, float32(members, [batch, channels, height, width])],
        [TRAIN.rate, scalar(rate * rateShare(i, steps))],
        [TRAIN.correction1, scalar(c1)],
        [TRAIN.correction2, scalar(c2)],
      ]);
      const outputs = await loop.step(feeds);
      onStep?.(i + 1, float32Data(outputs.get(LOSS)!)[0]);
    }
    const trained = await loop.read([...parametersOf(ROLE, network).keys()]);
    return withMap(network, trained, settings.loss, sizes);
  } finally {
    await loop.dispose();
  }
}

/** One step of Adam on the loss of a batch: inputs `image`, the state and `TRAIN`'s scalars; output `loss`. */
export async function compileAutoencoderStep(
  network: Network,
  { loss, betas }: Pick<AutoencoderSettings, 'loss' | 'betas'>,
  { channels, height, width }: AutoencoderSizes,
  batch: number,
  evaluate: Evaluate,
): Promise<Uint8Array> {
  const b = new GraphBuilder();
  const image = b.reserve(IMAGE);
  const parameters = parametersOf(ROLE, network);
  for (const [name, { tensor }] of parameters) b.initializer(name, tensor);
  const restored = applyNetwork(b, network, ROLE, image, 'rebuild').get('restored')!;
  const residual = b.Sub(restored, image);
  const mean =
    loss === 'ssim'
      ? b.Sub(b.scalar(1), b.ReduceMean(emitSsim(b, image, restored, [channels, height, width]), undefined, false))
      : b.ReduceMean(b.Mul(residual, residual), undefined, false);
  b.node('Identity', [mean], {}, [LOSS]);
  const total = b.Identity(mean);
  const dims = [batch, channels, height, width];
  const graph = b.graph(
    'autoencoder step',
    [{ name: IMAGE, type: 'float32', dims }],
    [LOSS, total].map((name) => ({ name, type: 'float32', dims: [] })),
  );
  const rates = new Map([...parameters].map(([name, { rate }]) => [name, rate]));
  return compileUpdate(graph, total, { rates, betas, averaged: false }, evaluate);
}

/** Map of the squared loss: root mean square of the residual over the channels; of SSIM: 1 - SSIM at each pixel. */
function withMap(
  network: Network,
  trained: ReadonlyMap<string, Tensor>,
  loss: AutoencoderLoss,
  { channels, height, width }: AutoencoderSizes,
): Graph {
  const { graph } = network;
  const b = new GraphBuilder(graph);
  for (const name of network.rates.keys()) b.initializers.set(name, trained.get(`${ROLE}/${name}`)!);
  const residual = b.Sub(IMAGE, 'restored');
  const map =
    loss === 'ssim'
      ? b.Sub(b.scalar(1), emitSsim(b, IMAGE, 'restored', [channels, height, width]))
      : b.Sqrt(b.ReduceMean(b.Mul(residual, residual), [1]));
  b.node('Identity', [map], {}, ['map']);
  const maps = { name: 'map', type: 'float32' as const, dims: [BATCH, 1, height, width] };
  return b.graph(graph.name, graph.inputs, [...graph.outputs, maps]);
}
