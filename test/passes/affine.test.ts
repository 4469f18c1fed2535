/** Which operators keep a value affine in z, each alone: the rule's answer beside G(p) + G(q) - G(0) = G(p + q). */
import { describe, expect, it } from 'vitest';
import { GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { firstObstacle } from '../../src/passes/affine.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
const SHAPE = [1, 4, 4, 4];
const SIZE = 64;

function graphOf(emit: (b: GraphBuilder, z: Value, constant: (dims: number[]) => Value) => Value): Graph {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const random = randomFrom(5);
  const constant = (dims: number[]) => b.floats(random.normals(dims.reduce((n, d) => n * d, 1)), dims);
  b.node('Identity', [emit(b, z, constant)], {}, ['y']);
  return b.graph('one', [{ name: 'z', type: 'float32', dims: SHAPE }], [{ name: 'y', type: 'float32', dims: [] }]);
}

async function deviationOf(graph: Graph): Promise<number> {
  const session = await runtime.session(encodeModel(graph));
  const random = randomFrom(7);
  const [p, q] = [0, 1].map(() => random.normals(SIZE));
  const of = async (z: Float32Array) =>
    float32Data((await session.run(new Map([['z', float32(z, SHAPE)]]))).get('y')!).slice();
  const made = [await of(new Float32Array(SIZE)), await of(p), await of(q), await of(p.map((v, i) => v + q[i]))];
  await session.dispose();
  return Math.max(...made[0].map((zero, i) => Math.abs(made[1][i] + made[2][i] - zero - made[3][i])));
}

const ints = (b: GraphBuilder, values: number[]) => b.ints(values);

describe('affine', () => {
  it.each<[string, Parameters<typeof graphOf>[0]]>([
    ['Add', (b, z, c) => b.Add(z, c(SHAPE))],
    ['Sub', (b, z, c) => b.Sub(c(SHAPE), z)],
    ['Add of two that depend on z', (b, z, c) => b.Add(z, b.Mul(z, c(SHAPE)))],
    ['Mul by a constant', (b, z, c) => b.Mul(z, c(SHAPE))],
    ['Div by a constant', (b, z, c) => b.Div(z, c(SHAPE))],
    ['Neg', (b, z) => b.Neg(z)],
    ['MatMul', (b, z, c) => b.MatMul(z, c([4, 3]))],
    ['MatMul from the left', (b, z, c) => b.MatMul(c([3, 4]), z)],
    ['Gemm', (b, z, c) => b.Gemm(b.Reshape(z, [4, 16]), c([16, 5]), c([5]))],
    ['Conv', (b, z, c) => b.Conv(z, c([2, 4, 3, 3]), c([2]), { pads: [1, 1, 1, 1] })],
    ['ConvTranspose', (b, z, c) => b.node('ConvTranspose', [z, c([4, 2, 2, 2])], { strides: [2, 2] })[0]],
    ['Einsum', (b, z, c) => b.node('Einsum', [z, c([4, 3])], { equation: 'nchw,wk->nchk' })[0]],
    [
      'BatchNormalization',
      (b, z, c) => b.node('BatchNormalization', [z, c([4]), c([4]), c([4]), b.floats([1, 2, 3, 4], [4])])[0],
    ],
    ['Reshape', (b, z) => b.Reshape(z, [2, 32])],
    ['Transpose', (b, z) => b.node('Transpose', [z], { perm: [0, 2, 3, 1] })[0]],
    ['Concat', (b, z, c) => b.Concat([z, c(SHAPE)], 1)],
    ['Slice', (b, z) => b.Slice(z, [1], [3], [1])],
    ['Gather', (b, z) => b.Gather(z, ints(b, [2, 0]), 1)],
    ['Pad', (b, z) => b.node('Pad', [z, ints(b, [0, 0, 1, 1, 0, 0, 1, 1])])[0]],
    ['ReduceMean', (b, z) => b.ReduceMean(z, [2, 3], true)],
    ['AveragePool', (b, z) => b.node('AveragePool', [z], { kernel_shape: [2, 2] })[0]],
    ['Resize', (b, z) => b.node('Resize', [z, '', b.floats([1, 1, 2, 2], [4])], { mode: 'linear' })[0]],
    ['DepthToSpace', (b, z) => b.node('DepthToSpace', [z], { blocksize: 2 })[0]],
    ['Where by a constant', (b, z, c) => b.Where(b.Less(c(SHAPE), b.scalar(0)), z, c(SHAPE))],
    ['a shape of z in its reshaping', (b, z) => b.node('Reshape', [z, b.node('Shape', [z])[0]])[0]],
  ])('%s', async (_, emit) => {
    const graph = graphOf(emit);
    expect(firstObstacle(graph, ['z'], 'y')).toBeUndefined();
    expect(await deviationOf(graph)).toBeLessThan(1e-4);
  });
});

describe('not affine', () => {
  it.each<[string, string, Parameters<typeof graphOf>[0]]>([
    ['Clip', 'Clip', (b, z) => b.node('Clip', [z, b.scalar(-0.5), b.scalar(0.5)])[0]],
    ['Tanh', 'Tanh', (b, z) => b.Tanh(z)],
    ['Relu', 'Relu', (b, z) => b.node('Relu', [z])[0]],
    ['Mul with itself', 'Mul', (b, z) => b.Mul(z, z)],
    ['Div by z', 'Div', (b, z, c) => b.Div(c(SHAPE), b.Add(z, b.scalar(10)))],
    ['MatMul with itself', 'MatMul', (b, z) => b.MatMul(z, z)],
    ['Where by a condition that depends on z', 'Less', (b, z) => b.Where(b.Less(z, b.scalar(0)), z, b.Neg(z))],
    ['a cast to whole numbers', 'Cast', (b, z) => b.Cast(b.Cast(z, 'int32'), 'float32')],
  ])('%s', async (_, operator, emit) => {
    const graph = graphOf(emit);
    expect(firstObstacle(graph, ['z'], 'y')?.operator).toBe(operator);
    expect(await deviationOf(graph)).toBeGreaterThan(1e-3);
  });

  it('is asked of what lies between z and the output only', () => {
    const b = new GraphBuilder();
    const z = b.reserve('z');
    b.Tanh(z);
    b.node('Identity', [b.Neg(z)], {}, ['y']);
    const graph = b.graph(
      'one',
      [{ name: 'z', type: 'float32', dims: SHAPE }],
      [{ name: 'y', type: 'float32', dims: [] }],
    );
    expect(firstObstacle(graph, ['z'], 'y')).toBeUndefined();
  });
});
