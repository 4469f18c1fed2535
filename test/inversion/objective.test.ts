/** The objective and the exact mask, against plain loops over the pixels and a search over all values of M. */
import { describe, expect, it, test } from 'vitest';
import { forwardGraph } from '../../src/inversion/compile/forward.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { criticOf } from '../../src/inversion/generator/critic.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import {
  ADAM,
  type Formulation,
  type LossTerm,
  lambdaOf,
  type PixelTerm,
  type Reduction,
} from '../../src/inversion/spec/formulation.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { coupledCritic, identityGenerator } from '../support/problems.ts';

const [N, C, SIZE] = [2, 3, 4];
const PLANE = SIZE * SIZE;
const DIMS = [N, C, SIZE, SIZE];
const runtime = nodeRuntime({ threads: 1 });

function formulation(parts: Partial<Formulation>): Formulation {
  return {
    loss: [{ kind: 'l2', weight: 1 }],
    reduction: 'sum',
    mask: { form: 'none' },
    priors: [],
    optimiser: ADAM,
    weightGroups: [],
    ...parts,
  };
}

/** Loss per image and M, for the target x and the image y. */
async function evaluate(f: Formulation, x: Tensor, y: Tensor, extra: Record<string, Tensor> = {}) {
  const generator = await openGenerator(identityGenerator(C, SIZE), runtime);
  const critic = criticOf(coupledCritic(C, SIZE), true);
  const { graph } = forwardGraph(generator, f, N, critic);
  const session = await runtime.session(encodeModel(graph));
  const feeds = new Map(
    Object.entries({ z: { ...y, dims: [N, C * PLANE] } as Tensor, [STEP.x]: x, ...extra }).filter(([name]) =>
      graph.inputs.some((input) => input.name === name),
    ),
  );
  try {
    const out = await session.run(feeds);
    const mask = out.get(STEP.softMask);
    return { loss: [...float32Data(out.get(STEP.loss)!)], mask: mask && float32Data(mask) };
  } finally {
    await session.dispose();
  }
}

function rho(term: PixelTerm, e: number): number {
  const a = Math.abs(e);
  if (term.kind === 'l2') return term.weight * a * a;
  if (term.kind === 'l1') return term.weight * a;
  return term.weight * (a <= term.delta ? (a * a) / 2 : term.delta * a - (term.delta * term.delta) / 2);
}

const TERMS: PixelTerm[] = [
  { kind: 'l2', weight: 1 },
  { kind: 'l1', weight: 0.5 },
  { kind: 'huber', weight: 2, delta: 0.4 },
];

describe('the exact mask minimises the objective over M', () => {
  const x = zeros('float32', DIMS);
  // Residuals of every size: some pixels' channels are alike, some zero, some far apart.
  const residual = float32(
    randomFrom(5)
      .normals(N * C * PLANE)
      .map((v, i) => (i % 11 === 0 ? 0 : v * [0.1, 0.5, 2][i % 3])),
    DIMS,
  );
  for (const term of TERMS) {
    for (const shared of [true, false]) {
      for (const reduction of ['sum', 'mean'] as const) {
        it(`${term.kind}, ${shared ? 'shared by the channels' : 'per channel'}, ${reduction}`, async () => {
          const lambda = 0.35;
          const f = formulation({ loss: [term], reduction, mask: { form: 'exact', shared } });
          const lambdas = float32([lambda, lambda], [N, 1, 1, 1]);
          const { loss, mask } = await evaluate(f, x, residual, { [STEP.lambda]: lambdas });
          const r = float32Data(residual);
          const channels = shared ? 1 : C;
          // One entry of the mask covers these residuals; both parts of the objective are averaged alike or not at all.
          const perPixel = reduction === 'mean' ? 1 / (C * PLANE) : 1;
          const perEntry = reduction === 'mean' ? 1 / (channels * PLANE) : 1;
          for (let n = 0; n < N; n++) {
            let total = 0;
            for (let c = 0; c < channels; c++) {
              for (let p = 0; p < PLANE; p++) {
                const covered = (shared ? [0, 1, 2] : [c]).map((k) => r[(n * C + k) * PLANE + p]);
                const cost = (m: number) =>
                  perPixel * covered.reduce((sum, e) => sum + rho(term, (1 - m) * e), 0) + perEntry * lambda * m;
                const grid = Array.from({ length: 2001 }, (_, i) => i / 2000);
                const best = Math.min(...grid.map(cost));
                const m = mask![(n * channels + c) * PLANE + p];
                expect(m).toBeGreaterThanOrEqual(0);
                expect(m).toBeLessThanOrEqual(1);
                expect(cost(m), `pixel ${p} of channel ${c}`).toBeLessThanOrEqual(best + 1e-6);
                expect(cost(m)).toBeGreaterThan(best - 1e-4);
                total += cost(m);
              }
            }
            expect(loss[n]).toBeCloseTo(total, 4);
          }
        });
      }
    }
  }

  it.each(TERMS)('and starts at the threshold that lambda was given as ($kind)', async (term) => {
    for (const reduction of ['sum', 'mean'] as Reduction[]) {
      for (const grey of [12, 90]) {
        const lambda = lambdaOf(grey, term, C, reduction);
        const f = formulation({ loss: [term], reduction, mask: { form: 'exact', shared: true } });
        const lambdas = float32([lambda, lambda], [N, 1, 1, 1]);
        const below = float32(new Float32Array(N * C * PLANE).fill((0.99 * grey) / 127.5), DIMS);
        const above = float32(new Float32Array(N * C * PLANE).fill((1.01 * grey) / 127.5), DIMS);
        const least = await evaluate(f, x, below, { [STEP.lambda]: lambdas });
        expect(Math.max(...least.mask!)).toBe(0);
        const most = await evaluate(f, x, above, { [STEP.lambda]: lambdas });
        expect(Math.min(...most.mask!)).toBeGreaterThan(0);
      }
    }
  });
});

describe('the loss', () => {
  const random = randomFrom(9);
  const x = float32(random.normals(N * C * PLANE), DIMS);
  const y = float32(random.normals(N * C * PLANE), DIMS);
  const m = float32(random.normals(N * C * PLANE), DIMS);

  it('is a weighted sum of terms and the penalty, with a free mask per channel', async () => {
    const loss: PixelTerm[] = [TERMS[0], { kind: 'l1', weight: 0.25 }, TERMS[2]];
    const f = formulation({ loss, mask: { form: 'free', shared: false, initial: 1 } });
    const made = await evaluate(f, x, y, { [STEP.mask]: m, [STEP.lambda]: float32([0.3, 0.7], [N, 1, 1, 1]) });
    const [a, b, k] = [x, y, m].map(float32Data);
    for (let n = 0; n < N; n++) {
      let expected = 0;
      for (let i = n * C * PLANE; i < (n + 1) * C * PLANE; i++) {
        for (const term of loss) expected += rho(term, (1 - k[i]) * (a[i] - b[i]));
        expected += [0.3, 0.7][n] * Math.abs(k[i]);
      }
      expect(made.loss[n]).toBeCloseTo(expected, 3);
    }
  });

  it('compares features of the masked images, each image by itself', async () => {
    const feature = (distance: 'l1' | 'l2'): LossTerm => ({
      kind: 'feature',
      weight: 0.5,
      distance,
      layers: ['features'],
    });
    const visibility = float32(
      Float32Array.from({ length: N * PLANE }, (_, i) => i % 2),
      [N, 1, SIZE, SIZE],
    );
    const parts = { mask: { form: 'given' as const } };
    const alone = await evaluate(formulation({ ...parts, loss: [TERMS[0]] }), x, y, { [STEP.visibility]: visibility });
    for (const distance of ['l1', 'l2'] as const) {
      const f = formulation({ ...parts, loss: [TERMS[0], feature(distance)] });
      const made = await evaluate(f, x, y, { [STEP.visibility]: visibility });
      const weight = float32Data(coupledCritic(C, SIZE).initializers.get('weight')!);
      const features = (image: Tensor, n: number) =>
        Array.from({ length: 5 }, (_, j) => {
          let sum = 0;
          for (let i = 0; i < C * PLANE; i++) {
            sum += float32Data(image)[n * C * PLANE + i] * (i % 2) * weight[i * 5 + j];
          }
          return Math.tanh(sum);
        });
      for (let n = 0; n < N; n++) {
        const [fx, fy] = [features(x, n), features(y, n)];
        const cost = fx.reduce((sum, v, j) => sum + Math.abs(v - fy[j]) ** (distance === 'l1' ? 1 : 2), 0);
        expect(made.loss[n] - alone.loss[n]).toBeCloseTo(0.5 * cost, 3);
      }
    }
  });

  it('takes a Gaussian prior on z: half the mean square', async () => {
    const prior = [{ kind: 'gaussian' as const, weight: 3 }];
    const [without, withIt] = [formulation({}), formulation({ priors: prior })];
    const [plain, more] = [await evaluate(without, x, y), await evaluate(withIt, x, y)];
    const z = float32Data(y).subarray(0, C * PLANE);
    const half = z.reduce((sum, v) => sum + v * v, 0) / z.length / 2;
    expect(more.loss[0] - plain.loss[0]).toBeCloseTo(3 * half, 3);
  });
});

test('an exact mask of two pixel losses, and features without a network, are refused', async () => {
  const generator = await openGenerator(identityGenerator(C, SIZE), runtime);
  const two = formulation({ loss: [TERMS[0], TERMS[1]], mask: { form: 'exact', shared: true } });
  expect(() => forwardGraph(generator, two, N)).toThrow(
    'The exact mask has a closed form for one pixel loss only (l1, l2 or huber): choose one, or the free mask.',
  );
  const features = formulation({ loss: [{ kind: 'feature', weight: 1, distance: 'l1', layers: ['a'] }] });
  expect(() => forwardGraph(generator, features, N)).toThrow(
    'A feature loss needs a second network: give --discriminator (or --features) an ONNX file.',
  );
});
