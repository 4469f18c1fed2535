/** The pool of starts of a costly generator: bounded by what the search costs. */
import { afterAll, expect, test } from 'vitest';
import { openGenerator, poolBatch } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { boundedPool, MAX_CHEAP, poolSize } from '../../src/inversion/start/pool-size.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { zeros } from '../../src/onnx/tensor.ts';
import { multiplyAdds } from '../../src/passes/multiply-adds.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

test('multiply-adds of products and convolutions, counted by hand', async () => {
  const b = new GraphBuilder();
  const weight = (name: string, dims: readonly number[]) => b.initializer(name, zeros('float32', dims));
  b.reserve('z');
  const dense = b.MatMul('z', weight('dense', [5, 48])); // 2 * 5 * 48
  const gemm = b.node('Gemm', [dense, weight('gemm', [48, 48])], { transB: 1 })[0]; // 2 * 48 * 48
  const maps = b.Reshape(gemm, [2, 3, 4, 4]);
  const conv = b.node('Conv', [maps, weight('conv', [6, 3, 3, 3])], { pads: [1, 1, 1, 1] })[0]; // 2 * 6 * 16 * 27
  const grouped = b.node('Conv', [conv, weight('grouped', [6, 1, 1, 1])], { group: 6 })[0]; // 2 * 6 * 16
  b.node('ConvTranspose', [grouped, weight('up', [6, 3, 2, 2])], { strides: [2, 2] }, ['image']); // 2 * 6 * 16 * 12
  const graph = b.graph(
    'counted',
    [{ name: 'z', type: 'float32', dims: [2, 5] }],
    [{ name: 'image', type: 'float32', dims: [2, 3, 8, 8] }],
  );
  const counted = await multiplyAdds(graph, evaluatorOf(runtime, encodeModel));
  expect(counted).toBe(2 * (5 * 48 + 48 * 48 + 6 * 16 * 27 + 6 * 16 + 6 * 16 * 12));
});

test('where a pool of 1000 is cheap it is 1000', async () => {
  const method = rgi({ channels: 3 });
  expect(boundedPool(method, MAX_CHEAP)).toBe(1000);
  expect(await poolSize(await openGenerator(tinyGenerator(), runtime), method, runtime)).toBe(1000);
});

test('where it is not, its pictures cost a quarter of the steps, each of which costs three', () => {
  const method = rgi({ channels: 3 });
  const steps = method.stages.reduce((sum, stage) => sum + stage.starts * stage.steps, 0);
  expect(boundedPool(method, 1.01 * MAX_CHEAP)).toBe(Math.min(1000, Math.floor((3 * steps) / 4)));
  expect(boundedPool(rgi({ channels: 3, steps: 60 }), 1.01 * MAX_CHEAP)).toBeLessThan(200);
  expect(boundedPool(rgi({ channels: 3, steps: 1 }), 1.01 * MAX_CHEAP)).toBe(100);
});

test('a pool that is chosen is as it was chosen', () => {
  expect(rgi({ channels: 3, pool: 700 }).start.maxShare).toBeUndefined();
  expect(rgi({ channels: 3 }).start.maxShare).toBe(0.25);
});

test('fewer pictures of large generators are made together', async () => {
  const generator = await openGenerator(tinyGenerator(), runtime);
  expect(poolBatch(generator)).toBe(25);
  expect(poolBatch({ ...generator, height: 128, width: 128 })).toBe(25);
  expect(poolBatch({ ...generator, height: 256, width: 256 })).toBe(6);
  expect(poolBatch({ ...generator, height: 1024, width: 1024 })).toBe(1);
  const weights = (count: number) => new Map([['weight', zeros('float32', [count])]]);
  const of = (count: number) =>
    poolBatch({ ...generator, graph: { ...generator.graph, initializers: weights(count) } });
  expect(of(2 ** 23)).toBe(25);
  expect(of(50e6)).toBe(4);
});
