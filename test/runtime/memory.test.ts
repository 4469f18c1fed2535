/** What a step loop keeps: its inner values once, however often it steps; and its weights without a copy in JavaScript. */
import { afterAll, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel, splitModel } from '../../src/onnx/encode.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { NEXT } from '../../src/runtime/runtime.ts';

const MB = 2 ** 20;
const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** z' = mean of (z + W_i) over ever larger values: several of 32 MB, none of them a result. */
function wide() {
  const b = new GraphBuilder();
  const large = b.Expand('z', [8 * MB]);
  const values = [2, 3, 4, 5].reduce((value, factor) => b.Sin(b.Mul(value, b.scalar(factor))), large);
  b.node('Identity', [b.ReduceMean(values, [0])], {}, [`${NEXT}z`]);
  const info = (name: string) => ({ name, type: 'float32' as const, dims: [1] });
  return b.graph('wide', [info('z')], [info(`${NEXT}z`)]);
}

test('the second step takes no memory beside that of the first', async () => {
  const loop = await runtime.loop(encodeModel(wide()), new Map([['z', float32([1])]]), new Map());
  const before = process.memoryUsage().rss;
  await loop.step(new Map());
  const after = process.memoryUsage().rss;
  expect(after - before).toBeGreaterThan(48 * MB);
  await loop.step(new Map());
  await loop.step(new Map());
  expect(process.memoryUsage().rss - after).toBeLessThan(24 * MB);
  await loop.dispose();
});

test('a split model holds no copy of its weights', () => {
  const b = new GraphBuilder();
  const weight = zeros('float32', [512, 512]);
  const y = b.MatMul('x', b.initializer('weight', weight));
  const info = (name: string) => ({ name, type: 'float32' as const, dims: ['N', 512] });
  const graph = b.graph('product', [info('x')], [info(y)]);
  const { bytes, weights } = splitModel(graph);
  expect(bytes.length).toBeLessThan(1000);
  expect([...weights.values()].map(({ buffer }) => buffer)).toEqual([weight.data.buffer]);
});
