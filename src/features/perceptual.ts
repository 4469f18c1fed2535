/**
 * A feature network as a perceptual distance between pictures: of each layer the feature vectors, brought to length one at every position
 * (Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, without their learnt weights). The feature
 * terms of `dgp`, `anogan` and L_rec take differences of these maps, and are differentiated through the network. Where a method sums, a layer
 * counts by its number of positions, the finest most; where it takes means, each layer by one over its number of channels.
 */

import { RgiError } from '../errors.ts';
import { type Critic, criticOf } from '../inversion/generator/critic.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Model } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { appendLayers, imageInput, type PictureSize } from './extraction.ts';
import { type FeatureNetwork, type FeatureNetworkOptions, openFeatureNetwork } from './network.ts';

/** Smaller pictures are enlarged to this side for a network that takes any: below it the coarsest maps have a few positions only. */
const MIN_SIDE = 64;

/** Squared lengths of feature vectors are at least this. */
const MIN_SQUARE = 1e-8;

/** The distance, as the methods take it. */
export interface PerceptualDistance {
  /** Its `features` are the maps of unit vectors; it has no score. */
  readonly critic: Critic;
  /** The layers that are compared. */
  readonly layers: readonly string[];
}

/**
 * Opens a feature network as a distance of pictures [N,C,H,W] in [-1,1], C being 1 or 3. Its input's range and channels are those that its
 * file states; where it takes any size, it is given squares of the picture's longer side, of 64 pixels at least, to which pictures are
 * stretched. Throws as `openFeatureNetwork`, `RgiError('model')` for other channels, and `RgiError('usage')` where a layer is named twice.
 */
export async function openPerceptual(
  model: Model,
  runtime: Runtime,
  picture: PictureSize,
  options: FeatureNetworkOptions = {},
): Promise<PerceptualDistance> {
  const { name = 'The feature network', layers } = options;
  if (picture.channels !== 1 && picture.channels !== 3)
    throw new RgiError(
      'model',
      `${name} compares grey or RGB pictures, and the generator makes ${picture.channels} channels.`,
      { file: options.name },
    );
  const twice = layers?.find((layer, i) => layers.indexOf(layer) < i);
  if (twice !== undefined) throw new RgiError('usage', `The layer '${twice}' of ${name} is named twice.`);
  const size = Math.max(MIN_SIDE, picture.height, picture.width);
  const network = await openFeatureNetwork(model, runtime, { size, ...options });
  if (network.batch !== 'any' && network.batch > 1)
    throw new RgiError(
      'model',
      `${name} takes batches of ${network.batch}; a distance needs one that takes any number.`,
      { file: options.name },
    );
  const graph = perceptualGraph(network, picture);
  // One exported for a batch of one is applied to each picture by itself.
  const { features } = criticOf(graph, network.batch !== 'any');
  const score = () => {
    throw new RgiError('usage', 'A feature network has no score: give a discriminator for it.');
  };
  return { critic: { features, score }, layers: network.layers.map(({ name }) => name) };
}

/** The graph `image` [N,C,H,W] in [-1,1] to one output for each layer, of its name: [N,D,h,w], of length one along D. */
export function perceptualGraph(network: FeatureNetwork, picture: PictureSize): Graph {
  const b = new GraphBuilder();
  b.reserve('image');
  for (const { name } of network.layers) b.reserve(name);
  const maps = appendLayers(b, network, picture, 'image');
  const outputs = network.layers.map(({ name, channels }, i) => {
    const square = b.ReduceSumSquare(maps[i], [1], true);
    const length = b.Sqrt(b.Add(square, b.scalar(MIN_SQUARE)));
    b.node('Div', [maps[i], length], {}, [name]);
    return { name, type: 'float32' as const, dims: ['N', channels, `${name}.height`, `${name}.width`] };
  });
  return b.graph('perceptual', [imageInput(picture)], outputs);
}
