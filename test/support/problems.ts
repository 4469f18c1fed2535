/** Small inversion problems built by hand: the identity as a generator, and a critic with a minibatch statistic. */
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

/** G(z) = z as a picture [N, channels, size, size]. */
export function identityGenerator(channels: number, size: number): Graph {
  const b = new GraphBuilder();
  const pixels = channels * size * size;
  b.node('Reshape', [b.reserve('z'), b.ints([-1, channels, size, size])], {}, ['image']);
  return b.graph(
    'identity',
    [{ name: 'z', type: 'float32', dims: ['N', pixels] }],
    [{ name: 'image', type: 'float32', dims: ['N', channels, size, size] }],
  );
}

/** Features tanh(W x), and a score of them and of their deviation over the whole batch: the images are coupled. */
export function coupledCritic(channels: number, size: number, features = 5): Graph {
  const random = randomFrom(11);
  const pixels = channels * size * size;
  const b = new GraphBuilder();
  const weight = b.initializer(
    'weight',
    float32(
      random.normals(pixels * features).map((v) => v / 8),
      [pixels, features],
    ),
  );
  const flat = b.node('Flatten', [b.reserve('image')], { axis: 1 })[0];
  b.node('Tanh', [b.MatMul(flat, weight)], {}, ['features']);
  const centred = b.Sub('features', b.ReduceMean('features', [0], true));
  const variance = b.ReduceMean(b.Mul(centred, centred), [0, 1], true);
  const deviation = b.Sqrt(b.Add(variance, b.scalar(1e-4)));
  const score = b.Add(b.ReduceSum('features', [1], true), b.Mul(deviation, b.scalar(5)));
  b.node('Identity', [score], {}, ['score']);
  return b.graph(
    'coupled',
    [{ name: 'image', type: 'float32', dims: ['N', channels, size, size] }],
    [{ name: 'score', type: 'float32', dims: ['N', 1] }],
  );
}
