/** Numbers that are kept beside a search or a generator: L-BFGS' memory, and the noise of places. */
import { expect, it } from 'vitest';
import { measureNoise } from '../../src/gan/noise.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { curvatureOf, gradientNormsOf, lbfgsMemory } from '../../src/inversion/solve/lbfgs-loop.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

it("a search's memory begins with its value, fidelity, masked, rate, trials, pairs, prior and steepest gradient, and the gradient", () => {
  const memory = lbfgsMemory([[1, 2]], 3);
  // Eight numbers, gradient and direction, and three pairs of vectors of two.
  expect(memory.dims).toEqual([1, 8 + (2 + 2 * 3) * 2]);
  const numbers = [5, 4, 0.1, 0.5, 1, 2, 3, 10];
  const state = (rate: number) => {
    const data = new Float32Array(memory.dims[1]);
    data.set(numbers);
    data[3] = rate;
    data.set([3, 4], 8);
    return new Map([
      ['z', zeros('float32', [1, 2])],
      [STEP.memory, float32(data, memory.dims)],
    ]);
  };
  expect(gradientNormsOf(state(0.5), [0])).toEqual([0.5]);
  // Before its first step a search has no rate.
  expect(gradientNormsOf(state(0), [0])).toEqual([Number.NaN]);
  // What is kept for a warm start is all but the rate, which says that a search has begun.
  expect(curvatureOf(state(0.5), [0])).toEqual(state(0).get(STEP.memory));
});

it("the variance of a place is half its own and half that of all places, of aligned pictures' residuals", async () => {
  const side = 8;
  const size = side ** 2;
  const pattern = Float32Array.from({ length: size }, (_, p) => 0.1 * Math.cos(p));
  const b = new GraphBuilder();
  const flat = b.MatMul(b.reserve('z'), b.floats(pattern, [1, size]));
  b.node('Reshape', [flat, b.ints([-1, 1, side, side])], {}, ['image']);
  const graph = b.graph(
    'pattern',
    [{ name: 'z', type: 'float32', dims: ['N', 1] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, side, side] }],
  );
  const random = randomFrom(8);
  const pictures = Array.from({ length: 6 }, () =>
    Float32Array.from(pattern, (v, p) => v * random.normal() + 0.02 * (1 + (p % side)) * random.normal()),
  );
  const held = float32(
    pictures.flatMap((picture) => [...picture]),
    [6, 1, side, side],
  );
  const noise = await measureNoise(graph, held, nodeRuntime({ threads: 1 }), { isUniform: false });
  // Residuals of the projection on the pattern.
  const square = pattern.reduce((sum, v) => sum + v ** 2, 0);
  const own = new Float64Array(size);
  for (const x of pictures) {
    const z = x.reduce((sum, v, p) => sum + v * pattern[p], 0) / square;
    x.forEach((v, p) => {
      own[p] += (v - z * pattern[p]) ** 2 / pictures.length;
    });
  }
  const mean = own.reduce((sum, v) => sum + v / size, 0);
  noise!.deviation.data.forEach((deviation, p) => {
    expect(deviation ** 2 / (0.5 * mean + 0.5 * own[p])).toBeCloseTo(1, 4);
  });
});
