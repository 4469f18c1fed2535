/** Graphs of the working opset as opset 17: the same values by ONNX Runtime, or a refusal. */
import { afterAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { lowered, PORTABLE } from '../../src/onnx/lower.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const DIMS = [2, 3, 4, 4];

/** A graph of one output `y` of `x` [2,3,4,4]. */
function graphOf(emit: (b: GraphBuilder) => string): Graph {
  const b = new GraphBuilder();
  b.reserve('x');
  b.node('Identity', [emit(b)], {}, ['y']);
  return b.graph(
    'test',
    [{ name: 'x', type: 'float32', dims: DIMS }],
    [{ name: 'y', type: 'float32', dims: [], undeclared: 'shape' }],
  );
}

async function values(bytes: Uint8Array): Promise<number[]> {
  const session = await runtime.session(bytes);
  const x = float32(
    Float32Array.from({ length: 96 }, (_, i) => Math.sin(i)),
    DIMS,
  );
  const made = (await session.run(new Map([['x', x]]))).get('y')!;
  await session.dispose();
  return Array.from(made.data, Number);
}

describe('the same values in opset 17', () => {
  test.each<[string, (b: GraphBuilder) => string]>([
    ['a mean over axes', (b) => b.ReduceMean('x', [1, 3])],
    ['a mean over everything', (b) => b.ReduceMean('x')],
    ['a largest value without its axis', (b) => b.ReduceMax('x', [2], false)],
    ['a sum of squares', (b) => b.ReduceSumSquare('x', [0])],
    ['a sum, whose axes were an input before', (b) => b.ReduceSum('x', [2, 3])],
    [
      'a resizing by a factor',
      (b) => b.node('Resize', ['x', '', b.floats([1, 1, 2, 2])], { mode: 'linear', antialias: 0 })[0],
    ],
    ['a split into equal parts', (b) => b.node('Split', ['x'], { axis: 2, num_outputs: 2 }, 2)[1]],
    ['a padding', (b) => b.Pad('x', [0, 0, 1, 1, 0, 0, 1, 1])],
  ])('%s', async (_, emit) => {
    const graph = graphOf(emit);
    const bytes = encodeModel(lowered(graph), undefined, undefined, PORTABLE);
    expect(readModel(bytes).sourceOpset).toBe(17);
    expect(await values(bytes)).toEqual(await values(encodeModel(graph)));
  });
});

test('constants that became attributes are left out', () => {
  const { initializers } = lowered(graphOf((b) => b.ReduceMean('x', [1])));
  expect([...initializers.keys()]).toEqual([]);
});

test.each<[string, (b: GraphBuilder) => string, string]>([
  ['Gelu', (b) => b.node('Gelu', ['x'], {}, ['z'])[0], "Gelu 'z' is not in opset 17 of ONNX."],
  [
    'a resizing against aliasing',
    (b) => b.node('Resize', ['x', '', b.floats([1, 1, 0.5, 0.5])], { mode: 'linear', antialias: 1 }, ['z'])[0],
    "Resize 'z' has a form that is not in opset 17 of ONNX.",
  ],
  [
    'computed axes',
    (b) => b.node('ReduceMean', ['x', b.node('Shape', [b.ints([7])])[0]], {}, ['z'])[0],
    "ReduceMean 'z' has axes that are computed, which are not in opset 17 of ONNX.",
  ],
])('%s is refused', (_, emit, sentence) => {
  expect(() => lowered(graphOf(emit))).toThrow(sentence);
});
