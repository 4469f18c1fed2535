/** A feature network as a distance of pictures: the unit vectors by hand, its gradient by finite differences, and what it takes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFeatureNetwork } from '../../src/features/network.ts';
import { openPerceptual, perceptualGraph } from '../../src/features/perceptual.ts';
import { shapeOf } from '../../src/images/image.ts';
import { gaussianBlur } from '../../src/images/resize.ts';
import { checkByDifferences } from '../../src/inspect/gradcheck.ts';
import { SHIPPED_FEATURES } from '../../src/models/node/feature-network.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph, Model } from '../../src/onnx/graph.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { expectClose } from '../support/close.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

function picture(channels: number, side: number): Tensor<'float32'> {
  const values = randomFrom(3).normals(channels * side * side);
  return float32(
    Float32Array.from(values, (v) => Math.tanh(v)),
    [1, channels, side, side],
  );
}

/** The layer 'sums' is A x at every pixel, of pictures in 0..255; batches of `count`. */
function network(count: number | 'N' = 'N'): Model {
  const b = new GraphBuilder();
  b.reserve('pictures');
  b.node(
    'Conv',
    ['pictures', b.initializer('A', float32([1, 2, -1, 0.5, 0, 1], [2, 3, 1, 1]))],
    { kernel_shape: [1, 1] },
    ['sums'],
  );
  const graph: Graph = b.graph(
    'net',
    [{ name: 'pictures', type: 'float32', dims: [count, 3, 'H', 'W'] }],
    [{ name: 'sums', type: 'float32', dims: [count, 2, 'H', 'W'] }],
  );
  const metadata = new Map([['rgi.features', JSON.stringify({ range: '0..255', size: 256, layers: ['sums'] })]]);
  return { graph, metadata, sourceOpset: 20, producer: '', notes: [] };
}

async function valuesOf(graph: Graph, image: Tensor<'float32'>): Promise<Tensor[]> {
  const session = await runtime.session(encodeModel(graph));
  const made = await session.run(new Map([['image', image]]));
  await session.dispose();
  return graph.outputs.map(({ name }) => made.get(name)!);
}

describe('a perceptual distance', () => {
  test('compares the feature vectors at length one, in the range that the file states', async () => {
    const image = picture(3, 64);
    const opened = await openFeatureNetwork(network(), runtime, { size: 64 });
    const [sums] = await valuesOf(perceptualGraph(opened, shapeOf(image)), image);
    const plane = 64 * 64;
    const expected = new Float32Array(2 * plane);
    for (let p = 0; p < plane; p++) {
      const [r, g, blue] = [0, 1, 2].map((c) => 127.5 * image.data[c * plane + p] + 127.5);
      const own = [r + 2 * g - blue, 0.5 * r + blue];
      own.forEach((v, i) => {
        expected[i * plane + p] = v / Math.hypot(...own);
      });
    }
    expectClose(sums, float32(expected, sums.dims), 1e-5, 'unit vectors');
  });

  test('of the network of the package has the gradient of finite differences, for a small grey picture', async () => {
    const image = gaussianBlur(picture(1, 28), 2);
    const opened = await openFeatureNetwork(await openModel(SHIPPED_FEATURES), runtime, { size: 64 });
    const graph = perceptualGraph(opened, shapeOf(image));
    const inputs = new Map([['image', image]]);
    for (const { name } of graph.outputs.slice(-2)) {
      // A random direction of 784 values is 28 long, and crosses kinks of 22 clipped layers.
      const options = { inputs, output: name, directions: 2, tolerance: 0.1 };
      const { entries } = await checkByDifferences(graph, runtime, options);
      expect(entries.filter(({ passed }) => !passed)).toEqual([]);
      expect(entries).toHaveLength(3);
      expect(entries[0].error).toBeLessThan(0.01);
    }
  });

  test('names its layers, has no score, and takes no fixed batches', async () => {
    const { critic, layers } = await openPerceptual(network(), runtime, shapeOf(picture(3, 16)));
    expect(layers).toEqual(['sums']);
    expect(() => critic.score(new GraphBuilder(), 'image', 1)).toThrow(
      'A feature network has no score: give a discriminator for it.',
    );
    await expect(openPerceptual(network(4), runtime, shapeOf(picture(3, 16)), { name: 'net.onnx' })).rejects.toThrow(
      'net.onnx takes batches of 4; a distance needs one that takes any number.',
    );
  });

  test('refuses pictures that are neither grey nor RGB, layers named twice and weights that are NaN', async () => {
    await expect(openPerceptual(network(), runtime, shapeOf(picture(4, 16)), { name: 'net.onnx' })).rejects.toThrow(
      'net.onnx compares grey or RGB pictures, and the generator makes 4 channels.',
    );
    const layers = ['sums', 'sums'];
    const named = { name: 'net.onnx', layers };
    await expect(openPerceptual(network(), runtime, shapeOf(picture(3, 16)), named)).rejects.toThrow(
      "The layer 'sums' of net.onnx is named twice.",
    );
    const broken = network();
    (broken.graph.initializers.get('A')!.data as Float32Array)[2] = Number.NaN;
    await expect(openPerceptual(broken, runtime, shapeOf(picture(3, 16)), { name: 'net.onnx' })).rejects.toThrow(
      "net.onnx: 1 of the 6 values of the weight 'A' are NaN: its training diverged, or the file is damaged. Export it from an earlier state.",
    );
  });
});
