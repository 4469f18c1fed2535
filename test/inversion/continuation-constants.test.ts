/** When a search has converged, how lambda and rates fall, and what the choice of the start forgives: by hand. */
import { expect, it } from 'vitest';
import { converged, cosineDecay, geometric, robustStart, settled } from '../../src/inversion/methods/continuation.ts';
import { buildMethod } from '../../src/inversion/methods/index.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { tinyGenerator } from '../support/tiny.ts';

it('a search has converged where six steps have not lowered the objective by two thousandths of the misfit', () => {
  const falling = (by: number, steps: number) => {
    const loss = Array.from({ length: steps }, (_, t) => 10 - (by / 6) * t);
    return converged({ step: steps, loss, fidelity: 1 });
  };
  expect([falling(1.9e-3, 7), falling(2.1e-3, 7)]).toEqual(['converged', undefined]);
  expect([falling(0, 6), falling(0, 7)]).toEqual([undefined, 'converged']);
  // The drop is counted from six steps before the last: a fall that is seven steps old is forgotten.
  expect(converged({ step: 8, loss: [11, 10, 10, 10, 10, 10, 10, 10], fidelity: 1 })).toBe('converged');
  expect(converged({ step: 8, loss: [11, 11, 10, 10, 10, 10, 10, 10], fidelity: 1 })).toBeUndefined();
});

it('settling ends where the objective is even, at a stationary point if the gradient has fallen to a thousandth', () => {
  const loss = (fall: number) => Array.from({ length: 7 }, (_, t) => 10 - (fall / 6) * t);
  const ended = (fall: number, gradientNorm?: number) =>
    settled({ step: 7, loss: loss(fall), fidelity: 1, gradientNorm });
  // An exact fit: the gradient is small, and yet the objective falls.
  expect([ended(1.1e-5, 1e-6), ended(0.9e-5, 1e-6)]).toEqual([undefined, 'stationary']);
  expect([ended(0, 1e-3), ended(0, 1.1e-3), ended(0)]).toEqual(['stationary', 'converged', 'converged']);
  expect(settled({ step: 6, loss: [1, 1, 1, 1, 1, 1], fidelity: 1, gradientNorm: 0 })).toBeUndefined();
});

it('falls along a half cosine to a five-hundredth, or along a geometric path', () => {
  expect([0, 0.5, 1, 2].map(cosineDecay)).toEqual(
    [1, 0.002 + 0.998 / 2, 0.002, 0.002].map((v) => expect.closeTo(v, 10)),
  );
  expect([0, 0.5, 1, 2].map((t) => geometric(100, 1, t))).toEqual([100, 10, 1, 1].map((v) => expect.closeTo(v, 10)));
});

it('residuals beyond a sixth of the range count alike in the choice of the start', () => {
  // 1/3 of a unit of [-1,1] in each channel.
  expect(robustStart(3, 10, 0).distance).toEqual({ kind: 'truncated', limit: 1 });
  expect(robustStart(1, 10, 0).distance).toEqual({ kind: 'truncated', limit: 1 / 3 });
});

it('of 140 steps lambda falls in 40, the first ten of several starts; 60 refine, 40 settle with the mask held, and up to 200 more', () => {
  const context = { channels: 3, generator: tinyGenerator(), masked: false, critic: false, layers: [] };
  const { stages } = buildMethod({ method: 'rgi' }, context);
  expect(stages.map(({ name, steps, starts }) => [name, steps, starts])).toEqual([
    ['compete', 10, 2],
    ['descend', 30, 1],
    ['refine', 60, 1],
    ['settle', 40 + 200, 1],
  ]);
  const chosen = buildMethod({ method: 'rgi', steps: 140 }, context).stages.at(-1);
  expect(chosen?.steps).toBe(40);
  const greyOf = (lambda: number) => 127.5 * Math.sqrt(lambda / 6);
  expect(greyOf(stages[0].controls(0).lambda)).toBeCloseTo(64, 6);
  expect(greyOf(stages[1].controls(10).lambda)).toBeCloseTo(Math.sqrt(64 * 32), 6);
  expect(greyOf(stages[2].controls(0).lambda)).toBeCloseTo(32, 6);
  expect(stages[2].formulation.optimiser).toEqual({ kind: 'lbfgs', memory: 20 });
});

it('the schedule can be changed in part', () => {
  const { stages } = rgi({ channels: 3, schedule: { falling: 1 / 2, contest: 1 / 2, memory: 5, hiddenWeight: 1 } });
  expect(stages.map(({ name, steps }) => [name, steps])).toEqual([
    ['compete', 35],
    ['descend', 35],
    ['refine', 60],
    ['settle', 10 + 200],
  ]);
  expect(stages[2].formulation.optimiser).toEqual({ kind: 'lbfgs', memory: 5 });
  expect(stages[2].formulation.priors).toEqual([{ kind: 'latent', weight: 1, ofHidden: true }]);
  // Two steps without a fall are enough.
  const slow = rgi({ channels: 3, schedule: { fallSteps: 2 } }).stages[2];
  expect(slow.terminate?.({ step: 3, loss: [1, 1, 1], fidelity: 1 })).toBe('converged');
});

it('z moves at a rate of 0.01 while the weights are tuned, or at another one', () => {
  const rateOf = (tuningLatentRate?: number) =>
    rrgi({ channels: 3, weights: ['w'], tuningLatentRate })
      .stages.at(-1)
      ?.controls(0).latentRate;
  expect([rateOf(), rateOf(0.03)]).toEqual([0.01, 0.03]);
});
