/** Tiny generators built by hand, for tests that need no shared data. */
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

/** G(z) = tanh(W z + b) as [N, channels, size, size], z of `latent` numbers: smooth random pictures. */
export function tinyGenerator(channels = 3, size = 8, latent = 4, seed = 1): Graph {
  const random = randomFrom(seed);
  const pixels = channels * size * size;
  const weights = new Float32Array(latent * pixels);
  for (let k = 0; k < latent; k++) {
    const [a, b, phase] = [random.uniform() * 3, random.uniform() * 3, random.uniform() * 6];
    for (let i = 0; i < pixels; i++) {
      const [c, y, x] = [Math.floor(i / (size * size)), Math.floor(i / size) % size, i % size];
      weights[k * pixels + i] = 0.8 * Math.sin((2 * Math.PI * (a * x + b * y)) / size + phase + c);
    }
  }
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const weight = b.initializer('layer.weight', float32(weights, [latent, pixels]));
  const flat = b.Tanh(b.MatMul(z, weight));
  const shape = b.ints([-1, channels, size, size]);
  b.node('Reshape', [flat, shape], {}, ['image']);
  return b.graph(
    'tiny',
    [{ name: 'z', type: 'float32', dims: ['N', latent] }],
    [{ name: 'image', type: 'float32', dims: ['N', channels, size, size] }],
  );
}
