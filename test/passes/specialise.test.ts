/** What making a graph static asks of the run: constants, and of inner values no more than type and shape. */
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Evaluate } from '../../src/onnx/graph.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

const evaluate = evaluatorOf(nodeRuntime({ threads: 1 }), encodeModel);

function graphOf() {
  const b = new GraphBuilder();
  const x = b.reserve('x');
  const weight = b.floats(
    Array.from({ length: 12 }, (_, i) => i),
    [3, 4],
  );
  const [product] = b.node('MatMul', [x, b.Mul(weight, b.scalar(2))], {});
  const [large] = b.node('Expand', [product, b.ints([1000, 2, 4])], {});
  const [isPositive] = b.node('Greater', [large, b.scalar(0)], {});
  b.node('Where', [isPositive, large, b.Mul(large, large)], {}, ['y']);
  return b.graph('spread', [{ name: 'x', type: 'float32', dims: [2, 3] }], [{ name: 'y', type: 'float32', dims: [] }]);
}

test('types and shapes are found without returning the values of the forward pass', async () => {
  let returned = 0;
  const counting: Evaluate = async (...asked) => {
    const found = await evaluate(...asked);
    for (const { dims } of found.values()) returned += sizeOf(dims);
    return found;
  };
  const { types, initializers } = await specialise(
    graphOf(),
    new Map([['x', float32([1, 1, 1, 1, 1, 1], [2, 3])]]),
    counting,
  );
  const large = [...types.values()].filter(({ dims }) => sizeOf(dims) === 8000);
  expect(large.map(({ type, dims }) => `${type} ${dims}`)).toEqual([
    'float32 1000,2,4',
    'bool 1000,2,4',
    'float32 1000,2,4',
    'float32 1000,2,4',
  ]);
  expect([...initializers.values()].map(({ data }) => [...data])).toContainEqual([
    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
  ]);
  expect(returned).toBeLessThan(60);
});
