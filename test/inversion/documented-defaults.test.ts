/** Defaults of the methods against the sentences of docs/method.md that state them, and against what the papers' authors released. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { stalled } from '../../src/inversion/methods/continuation.ts';
import { buildMethod } from '../../src/inversion/methods/index.ts';
import { invert } from '../../src/inversion/methods/invert.ts';
import type { MethodContext, MethodOptions } from '../../src/inversion/methods/options.ts';
import { FAST_WEIGHTS } from '../../src/inversion/methods/rrgi.ts';
import { yeh } from '../../src/inversion/methods/yeh.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { tinyGenerator } from '../support/tiny.ts';

const text = readFileSync(path.join(import.meta.dirname, '../../docs/method.md'), 'utf8').replaceAll('\n', ' ');

/** The number that a sentence of docs/method.md states. */
function documented(sentence: RegExp): number {
  const [, number] = sentence.exec(text) ?? [];
  if (number === undefined) throw new Error(`docs/method.md has no sentence like ${sentence}.`);
  return Number(number);
}

const context: MethodContext = {
  channels: 3,
  generator: tinyGenerator(),
  masked: false,
  critic: false,
  layers: [],
};
const build = (options: MethodOptions) => buildMethod(options, context);

describe("the search of 'fast'", () => {
  it('chooses its starts from a pool of random latents', () => {
    expect(build({ method: 'rgi' }).start.pool).toBe(documented(/chosen from (\d+) random latents/));
  });

  it('limits the length of a step', () => {
    const { stages } = build({ method: 'rgi' });
    expect(new Set(stages.map(({ controls }) => controls(0).latentRate))).toEqual(
      new Set([documented(/moves z by more than ([\d.]+) \(root mean square/)]),
    );
  });
});

describe("the tuning of 'best'", () => {
  const { formulation, controls } = build({ method: 'rrgi' }).stages.at(-1)!;

  it("moves weights and latents at Adam's rates", () => {
    expect(controls(0)).toMatchObject({
      weightRates: [documented(/start at ([\d.]+) for the weights/)],
      latentRate: documented(/for the weights and ([\d.]+) for z/),
    });
  });

  it('takes steps whose predicted fall is L_rec at most', () => {
    expect(formulation.maxPredictedFall).toBe(1);
    expect(text).toContain('A step is shortened until the fall that its slope predicts is at most L_rec itself.');
  });

  it('stops after eight steps that have lowered the best loss by less than one percent of L_rec', () => {
    expect(text).toContain('by less than 1% of L_rec in eight steps');
    // A fall from 10 in all to 10 - by over the last eight of 9 steps, with L_rec = 1.
    const ended = (by: number, steps = 9) =>
      stalled(
        { step: steps, loss: Array.from({ length: steps }, (_, t) => 10 - (by * t) / (steps - 1)), fidelity: 1 },
        FAST_WEIGHTS,
      );
    expect([ended(0.0099), ended(0.0101)]).toEqual(['converged', undefined]);
    expect([ended(0, 8), ended(0, 9)]).toEqual([undefined, 'converged']);
  });
});

describe('the losses and masks that options choose', () => {
  const formulationOf = (options: Omit<MethodOptions, 'method'>) =>
    build({ method: 'rgi', ...options }).stages[0].formulation;

  it("Huber's loss is linear beyond the residual that is documented, in grey levels", () => {
    const grey = documented(/linear beyond ([\d.]+) grey levels/);
    expect(formulationOf({ loss: 'huber' }).loss).toEqual([{ kind: 'huber', weight: 1, delta: grey / 127.5 }]);
  });

  // The released code: M begins at 1 for restoration, at 0 for detection.
  it.each([
    ['paper', 1],
    ['paper-l1', 1],
    ['paper-detect', 0],
  ] as const)("a chosen form of the mask begins where the preset's own does (%s)", (preset, initial) => {
    for (const maskForm of ['free', 'clipped'] as const)
      expect(formulationOf({ preset, maskForm }).mask).toEqual({ form: maskForm, shared: false, initial });
  });

  it('a pixel loss that is chosen has the weight 1, and so has squared error where none is', () => {
    expect(formulationOf({ loss: 'l1' }).loss).toEqual([{ kind: 'l1', weight: 1 }]);
    expect(formulationOf({}).loss).toEqual([{ kind: 'l2', weight: 1 }]);
    expect(invert().stages[0].formulation.loss).toEqual([{ kind: 'l2', weight: 1 }]);
  });
});

it("plain inversion starts from the reference's pool: the best of 1000", () => {
  expect(invert().start).toEqual({ pool: 1000, distance: { kind: 'l2' }, seed: 0 });
});

it('Yeh et al. weigh a pixel by its window of 7 x 7', () => {
  // One hidden pixel: what it says of the 3 rows and columns to each side, and of no others.
  const side = 17;
  const [middle, size] = [8, side ** 2];
  const mask = new Float32Array(size);
  mask[middle * side + middle] = 1;
  const weights = (importance: 'released' | 'described') =>
    float32Data(yeh({ masked: true, importance }).visibilityOf!(float32(mask, [1, 1, side, side])));
  const [described, released] = [weights('described'), weights('released')];
  for (let p = 0; p < size; p++) {
    const away = Math.max(Math.abs(Math.floor(p / side) - middle), Math.abs((p % side) - middle));
    if (away === 0) expect([described[p], released[p]]).toEqual([0, 0]);
    else if (away <= 3) {
      expect(described[p]).toBeCloseTo(1 / 49, 6);
      expect(released[p]).toBeCloseTo(48 / 49, 6);
    } else expect(described[p]).toBeCloseTo(0, 6);
  }
});
