/** Detectors that look once: an autoencoder, and f-AnoGAN's encoder with its generator and discriminator. */
import { type Image, residualMap, shapeOf } from '../../images/image.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';
import { float32Data } from '../../onnx/tensor.ts';
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
  const y = appendGraph(b, graph, 'generator/', new Map([[latent.name, code]])).get(output)!;
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
