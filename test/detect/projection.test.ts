/** Inversion in closed form, against the same alternation written out in double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choleskyFactor, choleskySolve } from '../../src/arrays/cholesky.ts';
import { openProjection } from '../../src/detect/projection.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const [CHANNELS, SIDE, LATENT] = [2, 6, 3];
const PLANE = SIDE * SIDE;
const VALUES = CHANNELS * PLANE;
const random = randomFrom(5);
const weight = random.normals(LATENT * VALUES).map((v) => 0.1 * v);
const base = random.normals(VALUES).map((v) => 0.1 * v);

/** G(z) = W z + b; its pictures lie well inside [-1,1]. */
function affineGraph(): Graph {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const w = b.initializer('w', float32(weight, [LATENT, VALUES]));
  const flat = b.Gemm(z, w, b.initializer('b', float32(base, [VALUES])));
  b.node('Reshape', [flat, b.ints([-1, CHANNELS, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'affine',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', CHANNELS, SIDE, SIDE] }],
  );
}

/** A u + b of the posterior mean of u given x. */
function posteriorMean(x: ArrayLike<number>, noise: number): number[] {
  const gram = new Float64Array(LATENT * LATENT);
  const right = new Float64Array(LATENT);
  for (let i = 0; i < LATENT; i++) {
    for (let v = 0; v < VALUES; v++) {
      right[i] += weight[i * VALUES + v] * (x[v] - base[v]);
      for (let j = 0; j < LATENT; j++) gram[i * LATENT + j] += weight[i * VALUES + v] * weight[j * VALUES + v];
    }
    gram[i * LATENT + i] += noise ** 2;
  }
  const u = choleskySolve(choleskyFactor(gram, LATENT)!, LATENT, right);
  return Array.from(base, (b, v) => b + u.reduce((sum, c, i) => sum + c * weight[i * VALUES + v], 0));
}

function alternated(x: Float32Array, noise: number, threshold: number, rounds: number): number[] {
  let made = posteriorMean(x, noise);
  for (let round = 0; round < rounds; round++) {
    const filled = Array.from(x, (value, v) => {
      const p = v % PLANE;
      let square = 0;
      for (let c = 0; c < CHANNELS; c++) square += (x[c * PLANE + p] - made[c * PLANE + p]) ** 2 / CHANNELS;
      return Math.sqrt(square) > threshold ? made[v] : value;
    });
    const next = posteriorMean(filled, noise);
    made = made.map((value, v) => value + 1.6 * (next[v] - value));
  }
  return made;
}

/** A picture of G, and the same with a bright corner. */
const clean = Float32Array.from(
  base,
  (b, v) => b + 0.7 * weight[v] - 0.4 * weight[VALUES + v] + 0.9 * weight[2 * VALUES + v],
);
const bright = clean.map((value, v) => (v % PLANE < 2 * SIDE ? value + 0.6 : value));
const image = (data: Float32Array) => float32(data, [1, CHANNELS, SIDE, SIDE]);

describe('a projection', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await nodeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  it.each([0, 1, 8])('of %i rounds is what the alternation gives in double precision', async (rounds) => {
    const projection = (await openProjection(await openGenerator(affineGraph(), runtime), runtime))!;
    const settings = { thresholdGrey: 20, noiseGrey: 4, rounds };
    const { data } = await projection.project(image(bright), settings);
    await projection.dispose();
    alternated(bright, 4 / 127.5, 20 / 127.5, rounds).forEach((value, v) => {
      expect(data[v]).toBeCloseTo(value, 4);
    });
  });

  it('leaves out what it masks: the part that is bright does not move the rest', async () => {
    const projection = (await openProjection(await openGenerator(affineGraph(), runtime), runtime))!;
    const errorAt = async (rounds: number) => {
      const { data } = await projection.project(image(bright), { thresholdGrey: 20, noiseGrey: 1, rounds });
      return Math.max(...data.map((value, v) => Math.abs(value - clean[v])));
    };
    const [plain, robust] = [await errorAt(0), await errorAt(16)];
    await projection.dispose();
    expect(robust).toBeLessThan(0.1 * plain);
  });

  it('is not to be had of a generator that is not affine', async () => {
    expect(await openProjection(await openGenerator(tinyGenerator(), runtime), runtime)).toBeUndefined();
  });
});
