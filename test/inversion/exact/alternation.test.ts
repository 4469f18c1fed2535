/** The course of an alternation, with a mask's side that is written down: an affine generator of one unknown, whose solution is a scalar. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Mask } from '../../../src/images/image.ts';
import type { AffineMap } from '../../../src/inversion/generator/affine-map.ts';
import type { Generator } from '../../../src/inversion/generator/generator.ts';
import { alternate, type ExactProblem } from '../../../src/inversion/solve/exact/alternation.ts';
import type { MaskSteps, Shown, StepOptions } from '../../../src/inversion/solve/exact/mask-steps.ts';
import { gramProduct, wholeEquations } from '../../../src/inversion/solve/exact/normal-equations.ts';
import { float32 } from '../../../src/onnx/tensor.ts';
import { randomFrom } from '../../../src/random.ts';
import { nodeRuntime } from '../../../src/runtime/node/onnxruntime.ts';

const [SIDE, SLOPE] = [32, 0.02];
const PLANE = SIDE ** 2;
const DIMS = [1, 1, SIDE, SIDE];
const map: AffineMap = {
  matrix: new Float32Array(PLANE).fill(SLOPE),
  offset: new Float32Array(PLANE),
  values: PLANE,
  unknowns: 1,
  latentsOf: () => new Map(),
};
const product = await gramProduct(map, nodeRuntime({ threads: 1 }));
afterAll(() => product.dispose());
const problem: ExactProblem = {
  map,
  product,
  whole: await wholeEquations(product, new Float64Array(PLANE).fill(1)),
  isNoiseKnown: false,
};
const random = randomFrom(5);
const x = float32(
  Float32Array.from({ length: PLANE }, () => 0.05 + 0.1 * random.normal()),
  DIMS,
);

/** 1 at the first `count` pixels. */
const first = (count: number): Mask =>
  float32(
    Float32Array.from({ length: PLANE }, (_, p) => Number(p < count)),
    DIMS,
  );

/** Alternates with a mask's side that says `maskAt` of each call, from 0; what it was shown and asked. */
async function followed(maskAt: (call: number) => Mask, isModelled = false) {
  const calls: { readonly shown: Shown; readonly options?: StepOptions }[] = [];
  const steps: MaskSteps = {
    isModelled,
    steps: [
      async (shown, options) => {
        const mask = maskAt(calls.length);
        calls.push({ shown, options });
        // Pixels count alike, whatever the mask: the solutions are those of a whole picture.
        return { weights: first(PLANE), softMask: mask, mask, evidence: 0 };
      },
    ],
    dispose: async () => {},
  };
  const solved = await alternate({ problem, generator: {} as Generator, x }, steps, undefined);
  return { solved, calls };
}

/** The solution at a temperature, with the scale of the noise that goes with it. */
function solutionAt(temperature: number): number {
  const sum = x.data.reduce((total, v) => total + v, 0);
  let [scale, u] = [0.01, 0];
  for (let i = 0; i < 200; i++) {
    const diagonal = PLANE * SLOPE ** 2 + temperature * scale;
    u = (SLOPE * sum) / diagonal;
    const misfit = x.data.reduce((total, v) => total + (v - SLOPE * u) ** 2, 0);
    scale = misfit / (PLANE - 1 + (temperature * scale) / diagonal);
  }
  return SLOPE * u;
}

describe('an alternation', () => {
  it('begins at 64, 16 and 4 times the temperature, which is 4 for a whole picture; until then the mask is a rough one', async () => {
    const { calls } = await followed(() => first(0));
    [64, 16, 4, 1].forEach((eased, i) => {
      // The scale of the noise is settled to two percent.
      expect(calls[i].shown.y.data[0] / solutionAt(4 * eased)).toBeCloseTo(1, 1.6);
    });
    expect(calls.map(({ options }) => options?.isRough ?? false)).toEqual([false, true, true, false]);
  });

  it('has a second start where the mask is a model of corruption: from the half that is fitted best, by one scale of noise', async () => {
    const { calls } = await followed(() => first(0), true);
    expect(calls.slice(4).map(({ options }) => [options?.law, options?.isRough ?? false])).toEqual([
      ['even', true],
      ['even', false],
    ]);
  });

  it('is settled where the mask changes at one pixel in a thousand at most', async () => {
    // Of 1024 pixels one; then two.
    const one = await followed((call) => first(call % 2));
    expect([one.solved.code, one.solved.history.masked.length]).toEqual(['solved', 1]);
    const two = await followed((call) => first(call < 6 ? 2 * (call % 2) : 0));
    expect([two.solved.code, two.solved.history.masked.length > 1]).toEqual(['solved', true]);
  });

  it('goes half of the way from the fourth repetition on, and ends after ten', async () => {
    const { solved, calls } = await followed((call) => first(call % 2 ? PLANE : 0));
    // Call 3 is the last of the start: all is masked. Three whole steps follow, and then halves of the way to all, to nothing, ...
    const expected = [1, 0, 1, 0];
    for (let call = 7; call <= 13; call++) expected.push((expected[expected.length - 1] + (call % 2)) / 2);
    expect(solved.history.masked).toEqual(expected);
    expect([solved.code, calls.length]).toEqual(['step-limit', 14]);
  });
});
