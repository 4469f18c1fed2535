/** Nesterov momentum in the graph, against the equivalent form of Sutskever et al. (2013). */
import { expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { ValueInfo } from '../../src/onnx/graph.ts';
import { float32, float32Data, scalar, zeros } from '../../src/onnx/tensor.ts';
import { nesterovUpdate } from '../../src/optim/nesterov.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const SIZE = 5;

function stepGraph(momentum: number): Uint8Array {
  const b = new GraphBuilder();
  const vectors = ['p', 'u', 'g'].map((name): ValueInfo => ({ name, type: 'float32', dims: [SIZE] }));
  const rate: ValueInfo = { name: 'rate', type: 'float32', dims: [] };
  for (const input of [...vectors, rate]) b.reserve(input.name);
  const next = nesterovUpdate(b, { parameter: 'p', velocity: 'u', gradient: 'g' }, { rate: 'rate', momentum });
  b.node('Identity', [next.parameter], {}, ['next/p']);
  b.node('Identity', [next.velocity], {}, ['next/u']);
  const outputs = ['p', 'u'].map((name): ValueInfo => ({ name: `next/${name}`, type: 'float32', dims: [SIZE] }));
  return encodeModel(b.graph('nesterov', [...vectors, rate], outputs));
}

it.each([0, 0.5, 0.9])('looks ahead along the velocity (momentum %f)', async (momentum) => {
  const random = randomFrom(3);
  const start = random.normals(SIZE);
  const state = new Map([
    ['p', float32(start)],
    ['u', zeros('float32', [SIZE])],
  ]);
  const loop = await nodeRuntime({ threads: 1 }).loop(stepGraph(momentum), state, new Map());
  // Sutskever's form: with q = p - mu u, the point without its look-ahead, the gradient at p moves u, and u moves q.
  const q = Array.from(start);
  const u = q.map(() => 0);
  for (let t = 1; t <= 20; t++) {
    const g = random.normals(SIZE);
    const rate = 0.1 / t;
    await loop.step(
      new Map([
        ['g', float32(g)],
        ['rate', scalar(rate)],
      ]),
    );
    for (let i = 0; i < SIZE; i++) {
      u[i] = momentum * u[i] - rate * g[i];
      q[i] += u[i];
    }
  }
  const end = await loop.read();
  await loop.dispose();
  float32Data(end.get('p')!).forEach((value, i) => {
    expect(value).toBeCloseTo(q[i] + momentum * u[i], 5);
  });
});
