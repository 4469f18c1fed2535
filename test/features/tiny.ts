/** A tiny feature network of grey pictures: one map, twice the picture's horizontal gradient. */
import { type FeatureNetwork, openFeatureNetwork } from '../../src/features/network.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

export function tinyFeatures(runtime: Runtime, side: number): Promise<FeatureNetwork> {
  const b = new GraphBuilder();
  b.reserve('picture');
  const kernel = b.initializer('kernel', float32([-1, 0, 1], [1, 1, 1, 3]));
  b.node('Conv', ['picture', kernel], { kernel_shape: [1, 3], pads: [0, 1, 0, 1] }, ['gradient']);
  const graph = b.graph(
    'tiny features',
    [{ name: 'picture', type: 'float32', dims: ['N', 1, 'H', 'W'] }],
    [{ name: 'gradient', type: 'float32', dims: ['N', 1, 'H', 'W'] }],
  );
  const metadata = new Map([['rgi.features', JSON.stringify({ range: '-1..1', size: side, layers: ['gradient'] })]]);
  return openFeatureNetwork({ graph, metadata, sourceOpset: 20, producer: '', notes: [] }, runtime);
}
