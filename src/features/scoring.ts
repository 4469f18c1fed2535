/** From pictures to distances in feature space, as one graph: extraction and Gaussian. */
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { appendExtraction, type PictureSize } from './extraction.ts';
import { appendDistances, type FeatureGaussian } from './gaussian.ts';
import type { FeatureNetwork } from './network.ts';

/** The graph `image` [N,C,H,W] in [-1,1] to `distances` [N,1,grid,grid]. */
export function scoringGraph(network: FeatureNetwork, gaussian: FeatureGaussian, picture: PictureSize): Graph {
  const { grid } = gaussian;
  const { channels, height, width } = picture;
  const b = new GraphBuilder();
  b.reserve('image');
  const features = appendExtraction(b, network, picture, grid, 'image');
  b.node('Identity', [appendDistances(b, gaussian, features)], {}, ['distances']);
  return b.graph(
    'feature distances',
    [{ name: 'image', type: 'float32', dims: ['N', channels, height, width] }],
    [{ name: 'distances', type: 'float32', dims: ['N', 1, grid, grid] }],
  );
}
