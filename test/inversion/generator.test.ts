import { expect, test } from 'vitest';
import { cutPoints } from '../../src/inspect/cuts.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, ints, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });

/** w = tanh(z), image = (w, 2w, label row) reshaped; the batch size is read from z, as exporters do. */
function mapped(batch: number | string) {
  const b = new GraphBuilder();
  b.node('Tanh', ['z'], {}, ['w']);
  const rows = b.initializer('rows', float32([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]));
  const joined = b.Concat(['w', b.Mul('w', b.scalar(2)), b.Gather(rows, 'label', 0)], 1);
  const [count] = b.node('Shape', ['z'], { start: 0, end: 1 });
  b.node('Reshape', [joined, b.Concat([count, b.ints([3, 2, 2])], 0)], {}, ['image']);
  return b.graph(
    'mapped',
    [
      { name: 'z', type: 'float32', dims: [batch, 4] },
      { name: 'label', type: 'int64', dims: [batch] },
    ],
    [{ name: 'image', type: 'float32', dims: [batch, 3, 2, 2] }],
  );
}

async function imagesOf(generator: Generator, feeds: ReadonlyMap<string, Tensor>): Promise<number[]> {
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    return [...float32Data((await session.run(feeds)).get(generator.output)!)];
  } finally {
    await session.dispose();
  }
}

test('one value of an input beside the latent serves every image of a batch', async () => {
  const generator = await openGenerator(mapped('N'), runtime, { fixed: new Map([['label', ints([1])]]) });
  const images = await imagesOf(generator, new Map([['z', float32(new Float32Array(12), [3, 4])]]));
  expect(images.filter((_, i) => i % 12 >= 8)).toEqual([5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7, 8]);
});

test('an inner value can be the unknown, although the shape of z is asked for behind it', async () => {
  const graph = mapped('N');
  const generator = await openGenerator(graph, runtime, { latents: ['w'], fixed: new Map([['label', ints([0])]]) });
  expect(generator.graph.inputs).toEqual([{ name: 'w', type: 'float32', dims: ['N', 4] }]);
  expect(generator.latents).toEqual([{ name: 'w', dims: [4] }]);
  const drawn = await generator.draw(2, randomFrom(1));
  expect(Math.max(...float32Data(drawn.get('w')!).map(Math.abs))).toBeLessThan(1);
  expect((await imagesOf(generator, drawn)).slice(8, 12)).toEqual([1, 2, 3, 4]);
});

test('a generator of a fixed batch draws inner latents in its batches', async () => {
  const fixed = new Map([['label', ints([0, 1])]]);
  const generator = await openGenerator(mapped(2), runtime, { latents: ['w'], fixed });
  expect(generator.batch).toBe(2);
  expect((await generator.draw(6, randomFrom(1))).get('w')!.dims).toEqual([6, 4]);
});

test('a cut that leaves the image dependent on z is refused', async () => {
  const b = new GraphBuilder();
  b.node('Tanh', ['z'], {}, ['w']);
  b.node('Reshape', [b.Concat(['w', 'z', 'z'], 1), b.ints([-1, 3, 2, 2])], {}, ['image']);
  const graph = b.graph(
    'leaky',
    [{ name: 'z', type: 'float32', dims: ['N', 4] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, 2, 2] }],
  );
  await expect(openGenerator(graph, runtime, { latents: ['w'] })).rejects.toThrow(
    "Cutting at 'w' leaves the image dependent on 'z': name it as an unknown too (--latent), or give its value (--input).",
  );
  expect(cutPoints(graph, 'image')).toEqual(['Concat']);
});

test('cut points are the values through which all of the image passes', () => {
  const graph = { ...mapped('N'), inputs: [mapped('N').inputs[0]] };
  expect(cutPoints(graph, 'image')).toEqual(['w', 'Concat']);
});
