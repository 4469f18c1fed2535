/** Inner values computed again: gradients are those of the plain graph, fewer bytes are held, and copies wait for the gradient. */
import { afterAll, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { type Graph, readsOf, type ValueInfo } from '../../src/onnx/graph.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { peakOf } from '../../src/passes/alive.ts';
import { optimise } from '../../src/passes/index.ts';
import { prepareForGradient } from '../../src/passes/prepare.ts';
import { recomputed } from '../../src/passes/recompute.ts';
import { shapesOf, typesOf } from '../../src/passes/shapes.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

const runtime = nodeRuntime({ threads: 1 });
const evaluate = evaluatorOf(runtime, encodeModel);
afterAll(() => runtime.dispose());

const LAYERS = 12;
const SIZE = 16;

interface ChainOptions {
  readonly between?: Between;
  readonly weightsAreInputs?: boolean;
}

/** What stands in a chain after z and after every layer. */
type Between = (b: GraphBuilder, value: Value) => Value;

/**
 * `loss` of z [1,16], through layers of tanh with a skip connection over each second one; and its gradient. With `weightsAreInputs` the
 * weights of the layers are given.
 */
async function chain({ between = (_, value) => value, weightsAreInputs = false }: ChainOptions = {}): Promise<Graph> {
  const b = new GraphBuilder();
  const random = randomFrom(5);
  const inputs: ValueInfo[] = [{ name: b.reserve('z'), type: 'float32', dims: [1, SIZE] }];
  let value = between(b, 'z');
  let before = value;
  const feeds = new Map([['z', float32(random.normals(SIZE), [1, SIZE])]]);
  for (let i = 0; i < LAYERS; i++) {
    const weight = float32(random.normals(SIZE * SIZE), [SIZE, SIZE]);
    if (weightsAreInputs) {
      inputs.push({ name: b.reserve(`w${i}`), type: 'float32', dims: [SIZE, SIZE] });
      feeds.set(`w${i}`, weight);
    } else b.initializer(`w${i}`, weight);
    const made = between(b, b.Tanh(b.Mul(b.MatMul(value, `w${i}`), b.scalar(0.3))));
    if (i % 2 === 1) {
      value = b.Add(made, before);
      before = value;
    } else value = made;
  }
  b.node('ReduceSum', [b.Mul(value, value)], { keepdims: 0 }, ['loss']);
  const graph = b.graph('chain', inputs, [{ name: 'loss', type: 'float32', dims: [] }]);
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
const types = await typesOf(step, evaluate);
const options = { ends: ['loss'], variables: ['z'], segments: 4, minBytes: 0 };
const again = recomputed(step, types, options)!;

const isCopy = (name: Value) => name.startsWith('segment.');

/** The nodes of the copies, those that gate them among them, that do not depend on the last layers of `plain`. */
function ungated(plain: Graph, graph: Graph): string[] {
  const at = plain.nodes.findIndex(({ outputs }) => outputs.includes('loss'));
  const late = new Set(plain.nodes.slice(at - 5, at).flatMap(({ outputs }) => outputs));
  const found: string[] = [];
  for (const node of graph.nodes) {
    if (readsOf(node).some((name) => late.has(name))) for (const name of node.outputs) late.add(name);
    else if (isCopy(node.outputs[0])) found.push(node.outputs[0]);
  }
  return found;
}

const copiesIn = ({ nodes }: Graph) => nodes.filter(({ outputs: [name] }) => isCopy(name));

test('loss and gradient are those of the plain graph, bit for bit', async () => {
  expect(await resultsOf(again.graph)).toEqual(await resultsOf(step));
});

test('fewer bytes are held, and the shapes of the copies are known', async () => {
  const bytesOf = (name: string) => 4 * sizeOf(again.types.get(name)?.dims ?? []);
  expect(peakOf(again.graph, bytesOf)).toBeLessThan(0.75 * peakOf(step, bytesOf));
  const measured = await shapesOf(again.graph, evaluate);
  const copies = copiesIn(again.graph).filter(({ outputs: [name] }) => again.types.has(name));
  expect(copies.length).toBeGreaterThan(LAYERS);
  for (const { outputs } of copies)
    for (const name of outputs) expect(again.types.get(name)?.dims).toEqual(measured.get(name));
});

test('every copy depends on the last layers: none can be computed before the forward half has come to them', () => {
  expect(ungated(step, again.graph)).toEqual([]);
});

const halves: Between = (b, value) => {
  const [first, second] = b.Split(value, [SIZE / 2, SIZE / 2], 1);
  return b.Concat([second, first], 1);
};
const leaky: Between = (b, value) => b.Where(b.Greater(value, b.scalar(0)), value, b.Mul(value, b.scalar(0.5)));

test.each([
  ['Where', leaky],
  ['Split', halves],
])('so do copies of what %s makes', async (_, between) => {
  const plain = await chain({ between });
  const { graph } = recomputed(plain, await typesOf(plain, evaluate), options)!;
  expect(copiesIn(graph).length).toBeGreaterThan(LAYERS);
  expect(ungated(plain, graph)).toEqual([]);
  expect(await resultsOf(graph)).toEqual(await resultsOf(plain));
});

test('what is of no known type is not gated, and nothing is copied that would wait for nothing', async () => {
  const plain = await chain({ between: leaky });
  const unknown = new Map([...(await typesOf(plain, evaluate))].map(([name, { dims }]) => [name, { dims }]));
  const { graph } = recomputed(plain, unknown, options)!;
  expect(copiesIn(graph).length).toBeGreaterThan(0);
  expect(ungated(plain, graph)).toEqual([]);
});

test('inputs that do not vary are read as they are, not copied', async () => {
  const plain = await chain({ weightsAreInputs: true });
  const { graph } = recomputed(plain, await typesOf(plain, evaluate), options)!;
  const gates = copiesIn(graph).filter(({ operator }) => operator === 'Where');
  expect(gates.length).toBeGreaterThan(0);
  expect(gates.filter(({ inputs }) => /^w\d/.test(inputs[1]))).toEqual([]);
  expect(copiesIn(graph).filter(({ operator }) => operator === 'MatMul').length).toBeGreaterThan(0);
});

test('what draws, and what has a subgraph, is held', () => {
  const like = { kind: 'graph', value: { ...step, nodes: [], outputs: [] } } as const;
  for (const [operator, attributes] of [
    ['RandomNormalLike', {}],
    ['Dropout', {}],
    ['If', { then_branch: like }],
  ] as const) {
    const at = step.nodes.findIndex((node) => node.operator === 'Tanh');
    const nodes = step.nodes.map((node, i) => (i === at ? { ...node, operator, attributes } : node));
    const { graph } = recomputed({ ...step, nodes }, types, options)!;
    expect(graph.nodes.filter((node) => node.operator === operator)).toHaveLength(1);
  }
});

test('there is nothing to recompute in a graph without a backward half, or of one segment', () => {
  const forward = { ...step, outputs: step.outputs.filter(({ name }) => name === 'loss') };
  expect(recomputed(forward, types, { ...options, ends: ['loss', 'gradient'] })).toBeUndefined();
  expect(recomputed(step, types, { ...options, segments: 1 })).toBeUndefined();
});
