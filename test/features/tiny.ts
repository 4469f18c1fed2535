/** A tiny feature network of grey pictures: one map, the difference of a pixel and the mean of the 7 x 7 around it. */
import { type FeatureNetwork, openFeatureNetwork } from '../../src/features/network.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

export function tinyFeatures(runtime: Runtime, side: number): Promise<FeatureNetwork> {
  return openFeatureNetwork(readModel(tinyFeatureFile(side)), runtime);
}

/** The network as the bytes of its file. */
export function tinyFeatureFile(side: number): Uint8Array {
  const b = new GraphBuilder();
  b.reserve('picture');
  const weights = Array.from({ length: 49 }, (_, i) => (i === 24 ? 1 : 0) - 1 / 49);
  const kernel = b.initializer('kernel', float32(weights, [1, 1, 7, 7]));
  b.node('Conv', ['picture', kernel], { kernel_shape: [7, 7], pads: [3, 3, 3, 3] }, ['contrast']);
  const graph = b.graph(
    'tiny features',
    [{ name: 'picture', type: 'float32', dims: ['N', 1, 'H', 'W'] }],
    [{ name: 'contrast', type: 'float32', dims: ['N', 1, 'H', 'W'] }],
  );
  const metadata = new Map([['rgi.features', JSON.stringify({ range: '-1..1', size: side, layers: ['contrast'] })]]);
  return encodeModel(graph, metadata);
}
