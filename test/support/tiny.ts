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

/**
 * A mapping of two layers, and four layers that each add a style of w to a picture of `size` pixels, like those of a StyleGAN. `broadcast`:
 * w is repeated for each layer in the graph itself, as StyleGAN2-ADA's export does.
 */
export function tinyStyled(size = 8, width = 6, broadcast = false): Graph {
  const random = randomFrom(5);
  const b = new GraphBuilder();
  const dense = (name: string, from: number, to: number) =>
    b.initializer(
      name,
      float32(
        random.normals(from * to).map((v, i) => v / Math.sqrt(from) + (from === to && i % (from + 1) === 0 ? 2 : 0)),
        [from, to],
      ),
    );
  const z = b.reserve('z');
  const hidden = b.Tanh(b.MatMul(z, dense('mapping.0.weight', width, width)));
  b.node('Add', [b.MatMul(hidden, dense('mapping.1.weight', width, width)), b.floats(random.normals(width))], {}, [
    'mapped',
  ]);
  const pixels = 3 * size * size;
  const layers = 4;
  const all = broadcast ? b.node('Tile', [b.Unsqueeze('mapped', [1]), b.ints([1, layers, 1])])[0] : '';
  let picture = '';
  for (let layer = 0; layer < layers; layer++) {
    const w = broadcast ? b.Gather(all, b.int(layer), 1) : 'mapped';
    const styled = b.MatMul(w, dense(`layer.${layer}.weight`, width, pixels));
    picture = b.Tanh(picture ? b.Add(b.Mul(picture, b.scalar(0.5)), styled) : styled);
  }
  b.node('Reshape', [picture, b.ints([-1, 3, size, size])], {}, ['image']);
  return b.graph(
    'styled',
    [{ name: 'z', type: 'float32', dims: ['N', width] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, size, size] }],
  );
}
