/** The latents' prior: on a linear generator the posterior mean in closed form, and the laws it knows. */
import { describe, expect, it } from 'vitest';
import { forwardGraph } from '../../src/inversion/compile/forward.ts';
import { compileStep } from '../../src/inversion/compile/step.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { drawLatent, LAW_MOMENTS, type LatentLaw, momentsOf } from '../../src/inversion/generator/latent-law.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import {
  ADAM,
  constantControls,
  type Formulation,
  type PixelTerm,
  type Prior,
  type Reduction,
} from '../../src/inversion/spec/formulation.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

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
 * min over z of  sum over kept of (x - W z)^2 + v w |z - mean|^2 / deviation^2,  v = the kept mean square at that z, w = `times` the
 * number of values / 128: two unknowns, by Cramer's rule, repeated until v stands still.
 */
function posteriorMean(
  x: Float32Array,
  kept: (i: number) => boolean,
  mean: number,
  deviation: number,
  times = 1,
): number[] {
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
    const ridge = (times * (v / n) * (VALUES / 128)) / deviation ** 2;
    const [p, q, r] = [normal[0] + ridge, normal[1], normal[2] + ridge];
    const [s, t] = right.map((value) => value + ridge * mean);
    z = [(r * s - q * t) / (p * r - q * q), (p * t - q * s) / (p * r - q * q)];
  }
  return z;
}

/** z of `x` [C,SIZE,SIZE] where `mask` is given, in squared error and with `prior`. */
async function found(
  x: Float32Array,
  mask: Tensor,
  law: LatentLaw,
  prior: Prior,
  reduction: Reduction = 'sum',
): Promise<Float32Array> {
  const generator = await openGenerator(linearGenerator(), runtime, { law });
  const method: Method = {
    name: 'rgi',
    needsMask: true,
    start: { pool: 4, distance: { kind: 'l2' }, seed: 1 },
    stages: [
      {
        name: 'z',
        formulation: {
          loss: [{ kind: 'l2', weight: 1 }],
          reduction,
          mask: { form: 'given' },
          priors: [prior],
          optimiser: { kind: 'lbfgs', memory: 5 },
          weightGroups: [],
        },
        steps: 200,
        starts: 1,
        controls: constantControls({ lambda: 0, latentRate: 0.5, maskRate: 0, weightRates: [] }),
      },
    ],
  };
  const { latents } = await runMethod(generator, method, runtime, float32(x, [1, C, SIZE, SIZE]), mask);
  return float32Data(latents.get('z')!);
}

it.each(['normal', 'uniform', 'unit'] as LatentLaw[])(
  'is the posterior mean of a linear generator (%s)',
  async (law) => {
    const x = random.normals(VALUES).map((v, i) => v + 3 * weight[i]);
    // Few pixels are known, so that the prior decides something.
    const mask = zeros('float32', [1, 1, SIZE, SIZE]);
    mask.data.fill(1, 24);
    const { mean, deviation } = LAW_MOMENTS[law];
    const kept = (i: number) => i % (SIZE * SIZE) < 24;
    const expected = posteriorMean(x, kept, mean.data[0], deviation.data[0]);
    const free = posteriorMean(x, kept, 0, 1e6);
    const z = await found(x, mask, law, { kind: 'latent', weight: 1 });
    expect(z[0]).toBeCloseTo(expected[0], 2);
    expect(z[1]).toBeCloseTo(expected[1], 2);
    expect(Math.hypot(expected[0] - free[0], expected[1] - free[1])).toBeGreaterThan(0.1);
    const averaged = await found(x, mask, law, { kind: 'latent', weight: 1 }, 'mean');
    expect(averaged[0]).toBeCloseTo(expected[0], 2);
    expect(averaged[1]).toBeCloseTo(expected[1], 2);
  },
);

describe('a prior for what is hidden', () => {
  const x = random.normals(VALUES).map((v, i) => v + 3 * weight[i]);
  const prior: Prior = { kind: 'latent', weight: 100, ofHidden: true };
  const { mean, deviation } = LAW_MOMENTS.normal;

  it('weighs as many times as pixels lie amid masked ones, and latents are open, for each pixel that is kept', async () => {
    // All but the first ten columns.
    const mask = zeros('float32', [1, 1, SIZE, SIZE]);
    mask.data.forEach((_, i) => {
      mask.data[i] = i % SIZE < 10 ? 0 : 1;
    });
    const kept = (i: number) => i % SIZE < 10;
    // Columns 10 and 11 see 3 and 2 of 7 columns that are kept, more than a quarter: they are not hidden.
    const hidden = 4;
    const odds = (hidden * SIZE + K / C) / (10 * SIZE);
    const expected = posteriorMean(x, kept, mean.data[0], deviation.data[0], 100 * odds);
    const plain = posteriorMean(x, kept, mean.data[0], deviation.data[0]);
    const z = await found(x, mask, 'normal', prior);
    expect(z[0]).toBeCloseTo(expected[0], 2);
    expect(z[1]).toBeCloseTo(expected[1], 2);
    expect(Math.hypot(expected[0] - plain[0], expected[1] - plain[1])).toBeGreaterThan(0.1);
  });

  it('counts the latents alone where the neighbours of all masked pixels are seen', async () => {
    const mask = zeros('float32', [1, 1, SIZE, SIZE]);
    mask.data.forEach((_, i) => {
      mask.data[i] = (i + Math.floor(i / SIZE)) % 2;
    });
    const odds = K / C / (SIZE ** 2 / 2);
    const kept = (i: number) => mask.data[i % SIZE ** 2] === 0;
    const expected = posteriorMean(x, kept, mean.data[0], deviation.data[0], 100 * odds);
    const z = await found(x, mask, 'normal', prior);
    expect(z[0]).toBeCloseTo(expected[0], 3);
    expect(z[1]).toBeCloseTo(expected[1], 3);
  });
});

describe('a prior for what the exact mask hides', () => {
  const PLANE = SIZE * SIZE;
  const TERMS: PixelTerm[] = [
    { kind: 'l1', weight: 1 },
    { kind: 'l2', weight: 1 },
    { kind: 'huber', weight: 1, delta: 0.2 },
  ];

  it.each(TERMS)(
    'counts each picture of a batch by itself, and one of which hardly anything is kept as if half were ($kind)',
    async (term) => {
      const formulation = (priors: readonly Prior[]): Formulation => ({
        loss: [term],
        reduction: 'sum',
        mask: { form: 'exact', shared: true },
        priors,
        optimiser: ADAM,
        weightGroups: [],
      });
      // A corner of 8 x 8 is gross; or every second pixel; or all but a row.
      const gross = [
        (i: number) => i % SIZE < 8 && i < 8 * SIZE,
        (i: number) => (i + Math.floor(i / SIZE)) % 2 === 0,
        (i: number) => i >= SIZE,
      ];
      const z = float32([1, 2, 1, 2, 1, 2], [3, K]);
      const x = gross.flatMap((isGross) =>
        Array.from({ length: VALUES }, (_, i) => weight[i] + 2 * weight[VALUES + i] + (isGross(i % PLANE) ? 2 : 0.1)),
      );
      const generator = await openGenerator(linearGenerator(), runtime);
      const energies = async (priors: readonly Prior[]) => {
        const { graph } = forwardGraph(generator, formulation(priors), 3);
        const session = await runtime.session(encodeModel(graph));
        const feeds = new Map([
          ['z', z],
          [STEP.x, float32(x, [3, C, SIZE, SIZE])],
          [STEP.lambda, float32([1, 1, 1], [3, 1, 1, 1])],
        ]);
        const loss = float32Data((await session.run(feeds)).get(STEP.loss)!);
        await session.dispose();
        return loss;
      };
      const [none, plain, hidden] = [
        await energies([]),
        await energies([{ kind: 'latent', weight: 1 }]),
        await energies([{ kind: 'latent', weight: 1, ofHidden: true }]),
      ];
      // Of the corner's 64 pixels those in whose 7 x 7, as far as it is inside, less than a quarter is kept.
      const amid = Array.from({ length: PLANE }, (_, i) => i).filter((i) => {
        const [y, x] = [Math.floor(i / SIZE), i % SIZE];
        const inside = (at: number) => Math.min(SIZE - 1, at + 3) - Math.max(0, at - 3) + 1;
        const masked = (at: number) => Math.max(0, Math.min(7, at + 3) - Math.max(0, at - 3) + 1);
        return gross[0](i) && 1 - (masked(y) * masked(x)) / (inside(y) * inside(x)) < 0.25;
      });
      const odds = [(amid.length + K / C) / (PLANE - 64), K / C / (PLANE / 2), 1];
      odds.forEach((share, i) => {
        expect((hidden[i] - none[i]) / (plain[i] - none[i])).toBeCloseTo(share, 3);
      });
    },
  );
});

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

it('L-BFGS compares trials by one function: its gradient is that of its value, at any weight', async () => {
  const generator = await openGenerator(linearGenerator(), runtime);
  const formulation: Formulation = {
    loss: [{ kind: 'l2', weight: 1 }],
    reduction: 'sum',
    mask: { form: 'exact', shared: true },
    priors: [{ kind: 'latent', weight: 1, ofHidden: true }],
    optimiser: { kind: 'lbfgs', memory: 5 },
    weightGroups: [],
  };
  const compiled = await compileStep(generator, formulation, 1, evaluatorOf(runtime, encodeModel));
  const session = await runtime.session(encodeModel(compiled.step));
  const x = float32(randomFrom(5).normals(VALUES), [1, C, SIZE, SIZE]);
  const at = async (z: readonly number[], weight: number) => {
    const made = await session.run(
      new Map([
        ['z', float32(z, [1, K])],
        [STEP.x, x],
        [STEP.lambda, float32([0.5], [1, 1, 1, 1])],
        [STEP.priorWeight, float32([weight], [1])],
      ]),
    );
    const numbers = (name: string) => [...float32Data(made.get(name)!)];
    return {
      trial: numbers(STEP.trialLoss)[0],
      loss: numbers(STEP.loss)[0],
      weight: numbers(STEP.measuredPriorWeight)[0],
      gradient: numbers(STEP.gradient('z')),
      ofPrior: numbers(STEP.priorGradient('z')),
    };
  };
  const z = [0.4, -0.7];
  const h = 5e-3;
  for (const weight of [0, 0.3, 2]) {
    const { gradient, trial, loss, ofPrior, ...measured } = await at(z, weight);
    for (const k of [0, 1]) {
      const moved = (by: number) => z.map((v, i) => (i === k ? v + by : v));
      const slope = ((await at(moved(h), weight)).trial - (await at(moved(-h), weight)).trial) / (2 * h);
      expect(Math.abs(gradient[k] - slope)).toBeLessThan(0.01 * Math.abs(slope));
    }
    // What the search goes on with is the same function at the weight measured here.
    const renewed = await at(z, measured.weight);
    expect(renewed.trial).toBeCloseTo(loss, 2);
    expect(trial + (measured.weight - weight) * energyOf(z)).toBeCloseTo(loss, 2);
    gradient.forEach((slope, k) => {
      expect(slope + (measured.weight - weight) * ofPrior[k]).toBeCloseTo(renewed.gradient[k], 2);
    });
  }
  await session.dispose();
});

/** -log p(z), at its weight of the picture's values to 128. */
function energyOf(z: readonly number[]): number {
  return (VALUES / 128) * z.reduce((sum, v) => sum + v * v, 0);
}
