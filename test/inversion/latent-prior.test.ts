/** The latents' prior: on a linear generator the posterior mean in closed form, and the laws it knows. */
import { expect, it } from 'vitest';
import { continuation } from '../../src/inversion/continuation.ts';
import { openGenerator } from '../../src/inversion/generator.ts';
import { drawLatent, LAW_MOMENTS, type LatentLaw, momentsOf } from '../../src/inversion/latent-law.ts';
import { runMethod } from '../../src/inversion/solver.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const [C, SIZE, K] = [3, 16, 2];
const VALUES = C * SIZE * SIZE;
const runtime = nodeRuntime({ threads: 1 });
const random = randomFrom(12);
const weight = random.normals(K * VALUES).map((v) => 0.2 * v);

/** G(z) = W z */
function linearGenerator() {
  const b = new GraphBuilder();
  const flat = b.Gemm(b.reserve('z'), b.initializer('w', float32(weight, [K, VALUES])), undefined);
  b.node('Reshape', [flat, b.ints([-1, C, SIZE, SIZE])], {}, ['image']);
  const dims = ['N', C, SIZE, SIZE];
  return b.graph(
    'linear',
    [{ name: 'z', type: 'float32', dims: ['N', K] }],
    [{ name: 'image', type: 'float32', dims }],
  );
}

/**
 * min over z of  sum over kept of (x - W z)^2 + v w |z - mean|^2 / deviation^2,  v = the kept mean square at that z, w = the
 * number of values / 128: two unknowns, by Cramer's rule, repeated until v stands still.
 */
function posteriorMean(x: Float32Array, kept: (i: number) => boolean, mean: number, deviation: number): number[] {
  let z = [0, 0];
  for (let round = 0; round < 200; round++) {
    let [v, n] = [0, 0];
    const [normal, right] = [
      [0, 0, 0],
      [0, 0],
    ];
    for (let i = 0; i < VALUES; i++) {
      if (!kept(i)) continue;
      const [a, b] = [weight[i], weight[VALUES + i]];
      v += (x[i] - a * z[0] - b * z[1]) ** 2;
      n++;
      normal[0] += a * a;
      normal[1] += a * b;
      normal[2] += b * b;
      right[0] += a * x[i];
      right[1] += b * x[i];
    }
    const ridge = ((v / n) * (VALUES / 128)) / deviation ** 2;
    const [p, q, r] = [normal[0] + ridge, normal[1], normal[2] + ridge];
    const [s, t] = right.map((value) => value + ridge * mean);
    z = [(r * s - q * t) / (p * r - q * q), (p * t - q * s) / (p * r - q * q)];
  }
  return z;
}

it.each(['normal', 'uniform', 'unit'] as LatentLaw[])(
  'is the posterior mean of a linear generator (%s)',
  async (law) => {
    const x = random.normals(VALUES).map((v, i) => v + 3 * weight[i]);
    // Few pixels are known, so that the prior decides something.
    const mask = zeros('float32', [1, 1, SIZE, SIZE]);
    mask.data.fill(1, 24);
    const generator = await openGenerator(linearGenerator(), runtime, { law });
    const method = {
      name: 'rgi' as const,
      needsMask: true,
      start: { pool: 4, distance: { kind: 'l2' as const }, seed: 1 },
      stages: continuation({
        again: false,
        channels: C,
        first: { kind: 'l2', weight: 1 },
        last: { kind: 'l2', weight: 1 },
        extraLoss: [],
        reduction: 'sum',
        thresholdGrey: 25,
        adaptive: false,
        masked: true,
        steps: 400,
        starts: 1,
        latentRate: 0.5,
        coherence: 0,
        priors: [{ kind: 'latent', weight: 1 }],
      }),
    };
    const { latents } = await runMethod(generator, method, runtime, float32(x, [1, C, SIZE, SIZE]), mask);
    const { mean, deviation } = LAW_MOMENTS[law];
    const kept = (i: number) => i % (SIZE * SIZE) < 24;
    const expected = posteriorMean(x, kept, mean.data[0], deviation.data[0]);
    const free = posteriorMean(x, kept, 0, 1e6);
    const found = float32Data(latents.get('z')!);
    expect(found[0]).toBeCloseTo(expected[0], 2);
    expect(found[1]).toBeCloseTo(expected[1], 2);
    expect(Math.hypot(expected[0] - free[0], expected[1] - free[1])).toBeGreaterThan(0.1);
  },
);

it.each(['normal', 'uniform', 'unit'] as LatentLaw[])(
  'knows the moments of a law that latents are drawn from (%s)',
  (law) => {
    const { mean, deviation } = momentsOf(drawLatent([4000, 3], law, randomFrom(3)));
    for (let i = 0; i < 3; i++) {
      expect(mean.data[i]).toBeCloseTo(LAW_MOMENTS[law].mean.data[0], 1);
      expect(deviation.data[i]).toBeCloseTo(LAW_MOMENTS[law].deviation.data[0], 1);
    }
  },
);
