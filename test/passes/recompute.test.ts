/** Inner values computed again: gradients are those of the plain graph, fewer bytes are held, and copies wait for the gradient. */
import { afterAll, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { type Graph, readsOf } from '../../src/onnx/graph.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { peakOf } from '../../src/passes/alive.ts';
import { optimise } from '../../src/passes/index.ts';
import { prepareForGradient } from '../../src/passes/prepare.ts';
import { recomputed } from '../../src/passes/recompute.ts';
import { shapesOf } from '../../src/passes/shapes.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

const runtime = nodeRuntime({ threads: 1 });
const evaluate = evaluatorOf(runtime, encodeModel);
afterAll(() => runtime.dispose());

const LAYERS = 12;
const SIZE = 16;

/** `loss` of z [1,16], through layers of tanh with a skip connection over each second one; and its gradient. */
async function chain(): Promise<Graph> {
  const b = new GraphBuilder();
  const random = randomFrom(5);
  const inputs = [{ name: b.reserve('z'), type: 'float32' as const, dims: [1, SIZE] }];
  let value = 'z';
  let before = 'z';
  for (let i = 0; i < LAYERS; i++) {
    const weight = b.initializer(`w${i}`, float32(random.normals(SIZE * SIZE), [SIZE, SIZE]));
    const made = b.Tanh(b.Mul(b.MatMul(value, weight), b.scalar(0.3)));
    if (i % 2 === 1) {
      value = b.Add(made, before);
      before = value;
    } else value = made;
  }
  b.node('ReduceSum', [b.Mul(value, value)], { keepdims: 0 }, ['loss']);
  const graph = b.graph('chain', inputs, [{ name: 'loss', type: 'float32', dims: [] }]);
  const feeds = new Map([['z', float32(random.normals(SIZE), [1, SIZE])]]);
  const primal = await prepareForGradient(graph, feeds, evaluate, { wrt: ['z'], variables: new Set() });
  const step = new GraphBuilder(primal);
  const [[, gradient]] = differentiate(step, primal, new Map([['loss', step.scalar(1)]]), ['z']);
  step.node('Identity', [gradient], {}, ['gradient']);
  const outputs = [...primal.outputs, { name: 'gradient', type: 'float32' as const, dims: [1, SIZE] }];
  return optimise(step.graph('step', primal.inputs, outputs), evaluate);
}

async function resultsOf(graph: Graph) {
  const session = await runtime.session(encodeModel(graph));
  const results = await session.run(new Map([['z', float32(randomFrom(9).normals(SIZE), [1, SIZE])]]));
  await session.dispose();
  return Object.fromEntries([...results].map(([name, { data }]) => [name, [...data]]));
}

const step = await chain();
const dims = await shapesOf(step, evaluate);
const again = recomputed(step, dims, { ends: ['loss'], variables: ['z'], segments: 4, minBytes: 0 })!;

test('loss and gradient are those of the plain graph, bit for bit', async () => {
  expect(await resultsOf(again.graph)).toEqual(await resultsOf(step));
});

test('fewer bytes are held, and the shapes of the copies are known', async () => {
  const bytesIn = (shapes: ReadonlyMap<string, readonly number[]>) => (name: string) =>
    4 * sizeOf(shapes.get(name) ?? []);
  expect(peakOf(again.graph, bytesIn(again.dims))).toBeLessThan(0.75 * peakOf(step, bytesIn(dims)));
  const measured = await shapesOf(again.graph, evaluate);
  const copies = again.graph.nodes.filter(({ outputs: [name] }) => name.startsWith('segment.') && again.dims.has(name));
  expect(copies.length).toBeGreaterThan(LAYERS);
  for (const { outputs } of copies)
    for (const name of outputs) expect(again.dims.get(name)).toEqual(measured.get(name));
});

test('every copy depends on the last layers: none can be computed before the forward half has come to them', () => {
  const at = step.nodes.findIndex(({ outputs }) => outputs.includes('loss'));
  const late = new Set(step.nodes.slice(at - 5, at).flatMap(({ outputs }) => outputs));
  for (const node of again.graph.nodes) {
    if (readsOf(node).some((name) => late.has(name))) for (const name of node.outputs) late.add(name);
    if (node.outputs[0].startsWith('segment.')) expect(late).toContain(node.outputs[0]);
  }
});

test('there is nothing to recompute in a graph without a backward half, or of one segment', () => {
  const forward = { ...step, outputs: step.outputs.filter(({ name }) => name === 'loss') };
  expect(recomputed(forward, dims, { ends: ['loss', 'gradient'], variables: ['z'], segments: 4 })).toBeUndefined();
  expect(recomputed(step, dims, { ends: ['loss'], variables: ['z'], segments: 1 })).toBeUndefined();
});
