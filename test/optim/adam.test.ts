import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { ValueInfo } from '../../src/onnx/graph.ts';
import { float32, numbersOf, scalar, zeros } from '../../src/onnx/tensor.ts';
import { adamCorrections, adamUpdate } from '../../src/optim/adam.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const SIZE = 7;

function stepGraph(beta1: number, beta2: number, epsilon: number): Uint8Array {
  const b = new GraphBuilder();
  const vectors = ['p', 'm', 'v', 'g'].map((name): ValueInfo => ({ name, type: 'float32', dims: [SIZE] }));
  const scalars = ['rate', 'c1', 'c2'].map((name): ValueInfo => ({ name, type: 'float32', dims: [] }));
  for (const input of [...vectors, ...scalars]) b.reserve(input.name);
  const next = adamUpdate(
    b,
    { parameter: 'p', gradient: 'g', m: 'm', v: 'v' },
    { rate: 'rate', beta1, beta2, epsilon, correction1: 'c1', correction2: 'c2' },
  );
  b.node('Identity', [next.parameter], {}, ['next/p']);
  b.node('Identity', [next.m], {}, ['next/m']);
  b.node('Identity', [next.v], {}, ['next/v']);
  const outputs = ['p', 'm', 'v'].map((name): ValueInfo => ({ name: `next/${name}`, type: 'float32', dims: [SIZE] }));
  return encodeModel(b.graph('adam', [...vectors, ...scalars], outputs));
}

describe('Adam in the graph', () => {
  it.each([
    [0.9, 0.999, 1e-8],
    [0.5, 0.9, 1e-3],
  ])('follows the textbook recursion for 20 steps (betas %f %f, epsilon %f)', async (beta1, beta2, epsilon) => {
    const random = randomFrom(3);
    const start = random.normals(SIZE);
    const state = new Map([
      ['p', float32(start)],
      ['m', zeros('float32', [SIZE])],
      ['v', zeros('float32', [SIZE])],
    ]);
    const loop = await nodeRuntime().loop(stepGraph(beta1, beta2, epsilon), state, new Map());
    const p = Array.from(start);
    const m = p.map(() => 0);
    const v = p.map(() => 0);
    for (let t = 1; t <= 20; t++) {
      const g = random.normals(SIZE).map((value) => value * 10 ** ((t % 5) - 3));
      const rate = 0.1 / t;
      const [c1, c2] = adamCorrections(t, beta1, beta2);
      await loop.step(
        new Map([
          ['g', float32(g)],
          ['rate', scalar(rate)],
          ['c1', scalar(c1)],
          ['c2', scalar(c2)],
        ]),
      );
      for (let i = 0; i < SIZE; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
        p[i] -= (rate * (m[i] / (1 - beta1 ** t))) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon);
      }
    }
    const end = await loop.read();
    numbersOf(end.get('p')!).forEach((value, i) => {
      expect(value).toBeCloseTo(p[i], 5);
    });
    await loop.dispose();
  });
});
