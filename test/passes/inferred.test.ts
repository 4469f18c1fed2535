/** Types and shapes without a run: the same as a run finds, and a run where they cannot be known otherwise. */
import { afterAll, expect, test } from 'vitest';
import { generatorGraph, NETWORKS } from '../../bench/networks.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Evaluate, Graph } from '../../src/onnx/graph.ts';
import { float32, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { inferredTypes } from '../../src/passes/inferred.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

const runtime = nodeRuntime({ threads: 1 });
const evaluate = evaluatorOf(runtime, encodeModel);
/** Without what is known before a run: everything comes from one. */
const running: Evaluate = (...asked) => evaluate(...asked);
afterAll(() => runtime.dispose());

const inputOf = (name: string, dims: (number | string)[]) => ({ name, type: 'float32' as const, dims });

/** A constant repeated by the batch, as an exporter writes it, and a Reshape to a size that is computed in floats. */
function withShapeArithmetic(): Graph {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const [shape] = b.node('Shape', [z], {});
  const count = b.Slice(shape, [0], [1], [0]);
  const [dims] = b.node('Concat', [count, b.ints([3, 8, 8])], { axis: { kind: 'int', value: 0 } });
  const [repeated] = b.node('Expand', [b.floats(new Float32Array(192), [1, 3, 8, 8]), dims], {});
  const [sizes] = b.node('Cast', [dims], { to: { kind: 'int', value: 1 } });
  const [halved] = b.node('Cast', [b.Mul(sizes, b.floats([1, 4, 0.5, 0.5]))], { to: { kind: 'int', value: 7 } });
  b.node('Reshape', [repeated, halved], {}, ['y']);
  return b.graph('repeated', [inputOf('z', ['n', 5])], [inputOf('y', [])]);
}

function rounding(ceil: number): Graph {
  const b = new GraphBuilder();
  const ints = (value: number[]) => ({ kind: 'ints' as const, value });
  const attributes = {
    kernel_shape: ints([2, 2]),
    strides: ints([2, 2]),
    pads: ints([0, 0, 1, 1]),
    ceil_mode: { kind: 'int' as const, value: ceil },
  };
  b.node('AveragePool', ['x'], attributes, ['y']);
  return b.graph('pool', [inputOf('x', [1, 1, 5, 5])], [inputOf('y', [])]);
}

const cases: readonly [string, Graph, Tensor][] = [
  ['a generator', generatorGraph(NETWORKS.small64), zeros('float32', [2, 128, 1, 1])],
  ['shapes that are computed', withShapeArithmetic(), zeros('float32', [3, 5])],
  ['a pool', rounding(0), zeros('float32', [1, 1, 5, 5])],
];

test.each(cases)('%s: types as a run finds them, without one', async (_, graph, tensor) => {
  const feeds = new Map([[graph.inputs[0].name, tensor]]);
  const inferred = await inferredTypes(graph, feeds, evaluate);
  const made = graph.nodes.flatMap(({ outputs }) => outputs);
  const { types } = await specialise(graph, feeds, running);
  for (const name of made) expect([name, inferred?.get(name)]).toEqual([name, types.get(name)]);
});

test.each(cases)('%s: made static as by a run', async (_, graph, tensor) => {
  const feeds = new Map([[graph.inputs[0].name, tensor]]);
  expect(await specialise(graph, feeds, evaluate)).toEqual(await specialise(graph, feeds, running));
});

test('pools that round up are not inferred: ONNX Runtime computes other sizes than it infers', async () => {
  const graph = rounding(1);
  const feeds = new Map([['x', float32(new Float32Array(25), [1, 1, 5, 5])]]);
  expect(await inferredTypes(graph, feeds, evaluate)).toBeUndefined();
  const { types } = await specialise(graph, feeds, evaluate);
  const { y } = Object.fromEntries(await evaluate(graph, feeds, ['y']));
  expect(types.get('y')).toEqual({ type: 'float32', dims: y.dims });
});
