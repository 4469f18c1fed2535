/** Detectors that look once: an autoencoder, and f-AnoGAN's encoder with its generator and discriminator. */
import { RgiError } from '../../errors.ts';
import { type Image, residualMap, shapeOf } from '../../images/image.ts';
import type { Critic } from '../../inversion/critic.ts';
import type { Generator } from '../../inversion/generator.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';
import { float32Data, sizeOf } from '../../onnx/tensor.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { Detector } from './detector.ts';

/** Of a network `image` to `restored` and `map` (`trainAutoencoder`). */
export async function autoencoderDetector(graph: Graph, runtime: Runtime): Promise<Detector> {
  const session = await runtime.session(encodeModel(graph));
  return {
    async find(images) {
      const made = await session.run(new Map([['image', images]]));
      return { maps: made.get('map') as Image, restored: made.get('restored') as Image };
    },
    dispose: () => session.dispose(),
  };
}

export interface FanoganJob {
  readonly generator: Generator;
  /** Image [N,C,H,W] to the generator's one latent, its first output. */
  readonly encoder: Graph;
  readonly critic: Critic;
  /** The discriminator's layer whose features are compared: its last activation. */
  readonly layer: string;
  /** Weight of the features. */
  readonly kappa: number;
}

/**
 * f-AnoGAN (Schlegl et al., Medical Image Analysis 2019): with y = G(E(x)) and f the discriminator's features, a picture's
 * score is  mean (x - y)^2 + kappa mean (f(x) - f(y))^2, its map the residual. Nothing is searched.
 */
export function fanoganDetector(job: FanoganJob, runtime: Runtime): Detector {
  const sessions = new Map<number, Promise<Session>>();
  const sessionOf = (count: number) => {
    const open = sessions.get(count) ?? runtime.session(encodeModel(fanoganGraph(job, count)));
    sessions.set(count, open);
    return open;
  };
  return {
    async find(images) {
      const { count } = shapeOf(images);
      const made = await (await sessionOf(count)).run(new Map([['image', images]]));
      const restored = made.get('restored') as Image;
      const scores = [...float32Data(made.get('score')!)];
      return { maps: residualMap(images, restored), restored, scores };
    },
    async dispose() {
      for (const session of sessions.values()) await (await session).dispose();
    },
  };
}

function fanoganGraph({ generator, encoder, critic, layer, kappa }: FanoganJob, count: number): Graph {
  const { graph, latents, output, channels, height, width } = generator;
  const dims = [count, channels, height, width];
  const b = new GraphBuilder();
  const x = b.reserve('image');
  const encoded = appendGraph(b, encoder, 'encoder/', new Map([[encoder.inputs[0].name, x]]));
  const code = encoded.get(encoder.outputs[0].name)!;
  const [latent] = latents;
  // Encoders give [N, length]; the latent of a convolutional generator is [N, length, 1, 1].
  const z = b.Reshape(code, [count, ...latent.dims]);
  const y = appendGraph(b, graph, 'generator/', new Map([[latent.name, z]])).get(output)!;
  b.node('Identity', [y], {}, ['restored']);
  const meanSquare = (p: string, q: string) => {
    const difference = b.node('Flatten', [b.Sub(p, q)], { axis: 1 })[0];
    return b.ReduceMean(b.Mul(difference, difference), [1], false);
  };
  const features = (image: string) => critic.features(b, image, count, [layer])[0];
  const score = b.Add(meanSquare(x, y), b.Mul(meanSquare(features(x), features('restored')), b.scalar(kappa)));
  b.node('Identity', [score], {}, ['score']);
  const info = (name: string, shape: readonly number[]) => ({ name, type: 'float32' as const, dims: shape });
  return b.graph('f-anogan', [info('image', dims)], [info('restored', dims), info('score', [count])]);
}

/** Throws `model` where an encoder does not fit its generator. */
export function checkEncoder(encoder: Graph, generator: Generator, file: string): void {
  const { latents, channels, height, width, batch } = generator;
  const fits = (dims: readonly (number | string)[], wanted: readonly number[]) =>
    dims.length === wanted.length && dims.every((dim, axis) => typeof dim !== 'number' || dim === wanted[axis]);
  const [input] = encoder.inputs;
  const picture = [channels, height, width];
  if (latents.length !== 1 || batch !== 'any') {
    throw new RgiError('model', `${file}: an encoder serves a generator of one latent and any batch only.`, { file });
  }
  const length = sizeOf(latents[0].dims);
  const made = encoder.outputs[0]?.dims.slice(1) ?? [];
  const long = made.every((dim) => typeof dim === 'number') && sizeOf(made as number[]) === length;
  if (encoder.inputs.length !== 1 || !fits(input.dims.slice(1), picture) || !long) {
    const shape = (dims: readonly (number | string)[] = []) => `[N, ${dims.join(', ')}]`;
    throw new RgiError(
      'model',
      `${file} must make one latent of ${length} numbers of pictures ${shape(picture)}; it makes ${shape(made)} of ${shape(input?.dims.slice(1))}.`,
      { file },
    );
  }
}
