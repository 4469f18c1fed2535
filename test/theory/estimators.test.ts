/** What the estimators minimise, against their closed forms; and the binary mask against a search over both values. */
import { describe, expect, it } from 'vitest';
import { forwardGraph } from '../../src/inversion/compile/forward.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import type { Formulation, PixelTerm } from '../../src/inversion/spec/formulation.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { ESTIMATORS, type EstimatorName, formulation } from '../../src/theory/estimators.ts';
import { identityGenerator } from '../support/problems.ts';

const runtime = nodeRuntime({ threads: 1 });
const C = 3;
const T = 20 / 127.5;

/** Residuals of a pixel's channels in units of the threshold: small ones, at the bend, gross ones, mixed ones. */
const PIXELS = [
  [0, 0, 0],
  [0.1, -0.2, 0.05],
  [0.5, 0.4, -0.45],
  [0.9, -0.9, 0.9],
  [1.1, 1.1, -1.1],
  [1.5, 0, 0],
  [0.2, 3, 0.1],
  [5, -4, 6],
  [30, 20, -10],
].map((pixel) => pixel.map((r) => r * T));

/** The objective of each pixel, alone in a picture of one pixel. */
async function objectives(f: Formulation, lambda: number): Promise<{ loss: number[]; mask?: number[] }> {
  const n = PIXELS.length;
  const generator = await openGenerator(identityGenerator(C, 1), runtime);
  const { graph } = forwardGraph(generator, f, n);
  const session = await runtime.session(encodeModel(graph));
  const feeds = new Map([
    ['z', float32(PIXELS.flat(), [n, C])],
    [STEP.x, zeros('float32', [n, C, 1, 1])],
    [STEP.lambda, float32(new Float32Array(n).fill(lambda), [n, 1, 1, 1])],
  ]);
  const wanted = new Map([...feeds].filter(([name]) => graph.inputs.some((input) => input.name === name)));
  const out = await session.run(wanted);
  await session.dispose();
  const mask = out.get(STEP.softMask);
  return { loss: [...float32Data(out.get(STEP.loss)!)], mask: mask && [...float32Data(mask)] };
}

const squares = (r: readonly number[]) => r.reduce((sum, v) => sum + v * v, 0);
const absolute = (r: readonly number[]) => r.reduce((sum, v) => sum + Math.abs(v), 0);
const huber = (r: readonly number[], d: number) =>
  r.reduce((sum, v) => sum + (Math.abs(v) <= d ? (v * v) / 2 : d * Math.abs(v) - (d * d) / 2), 0);

/** The closed forms, from the exact mask put back and from the textbooks. */
const RHO: Readonly<Record<EstimatorName, (r: readonly number[]) => number>> = {
  squares,
  absolute,
  huber: (r) => huber(r, T),
  truncated: (r) => Math.min(squares(r), C * T * T),
  'rgi-l2': (r) => {
    const [lambda, q] = [2 * C * T * T, squares(r)];
    return q <= lambda / 2 ? q : lambda - (lambda * lambda) / (4 * q);
  },
  'rgi-l1': (r) => Math.min(absolute(r), C * T),
  // No closed form for several channels: the least over a fine grid of k = 1 - M.
  'rgi-huber': (r) => {
    const lambda = (C * T * T) / 2;
    const costs = Array.from({ length: 20001 }, (_, i) => i / 20000).map(
      (k) =>
        huber(
          r.map((v) => k * v),
          T / 2,
        ) +
        lambda * (1 - k),
    );
    return Math.min(...costs);
  },
};

describe('put back, the exact mask makes RGI an M-estimator; each has its textbook loss', () => {
  it.each(Object.values(ESTIMATORS))('$name', async (estimator) => {
    const { loss } = await objectives(estimator.formulation(20), estimator.lambda(20, C));
    PIXELS.forEach((pixel, i) => {
      const expected = RHO[estimator.name](pixel);
      expect(Math.abs(loss[i] - expected), `pixel ${i}`).toBeLessThan(1e-5 + 1e-4 * expected);
    });
  });
});

describe('a mask of {0,1} is the better of both at every pixel: the truncated loss', () => {
  const terms: PixelTerm[] = [
    { kind: 'l2', weight: 2 },
    { kind: 'l1', weight: 0.5 },
    { kind: 'huber', weight: 1, delta: T },
  ];
  it.each(terms)('$kind', async (term) => {
    const lambda = 0.06;
    const mask = { form: 'exact', shared: true, binary: true } as const;
    const made = await objectives(formulation(term, mask), lambda);
    PIXELS.forEach((pixel, i) => {
      const cost = { l2: squares, l1: absolute, huber: (r: readonly number[]) => huber(r, T) }[term.kind](pixel);
      expect(made.mask![i]).toBe(term.weight * cost > lambda ? 1 : 0);
      expect(made.loss[i]).toBeCloseTo(Math.min(term.weight * cost, lambda), 5);
    });
    expect(new Set(made.mask)).toEqual(new Set([0, 1]));
  });
});
