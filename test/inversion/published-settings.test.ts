/** The settings of the papers' systems, as their authors released them: each number here is from there, not from our code. */
import { describe, expect, it } from 'vitest';
import { anogan } from '../../src/inversion/methods/anogan.ts';
import { dgp } from '../../src/inversion/methods/dgp.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { yeh } from '../../src/inversion/methods/yeh.ts';
import type { Method } from '../../src/inversion/spec/method.ts';

const ADAM = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

const only = (method: Method) => {
  expect(method.stages.length).toBe(1);
  return { ...method.stages[0], ...method.stages[0].formulation, start: method.start };
};

describe('DGP, inpainting at 128 pixels (XingangPan/deep-generative-prior)', () => {
  const groups = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name]);
  const stage = only(dgp({ weightGroups: groups, layers: ['late', 'later'] }));

  it('five stages of 200 steps, their rates and weights', () => {
    expect(stage.steps).toBe(1000);
    const at = (t: number) => stage.controls(t);
    const starts = [0, 200, 400, 600, 800];
    expect(starts.map((t) => at(t).latentRate)).toEqual([1e-3, 1e-3, 1e-4, 1e-4, 1e-5]);
    expect(starts.map((t) => at(t).weightRates[0])).toEqual([2e-4, 2e-4, 1e-4, 1e-4, 1e-5]);
    expect(starts.map((t) => at(t).termScales)).toEqual([
      [1, 10],
      [1, 10],
      [1, 10],
      [0.1, 100],
      [0.1, 100],
    ]);
    expect(starts.slice(1).map((t) => at(t - 1))).toEqual(starts.slice(0, -1).map(at));
    expect(at(999)).toEqual(at(800));
    expect(at(1000)).toEqual(at(800));
  });

  it('mean losses of features and pixels, .02 of z squared over two, Adam without momentum', () => {
    expect(stage.reduction).toBe('mean');
    expect(stage.loss).toEqual([
      { kind: 'feature', weight: 1, distance: 'l1', layers: ['late', 'later'] },
      { kind: 'l2', weight: 1 },
    ]);
    expect(stage.priors).toEqual([{ kind: 'gaussian', weight: 0.02 }]);
    expect(stage.optimiser).toEqual({ ...ADAM, beta1: 0 });
  });

  it('the best of 500 latents of deviation .3', () => {
    expect(stage.start).toMatchObject({ pool: 500, scale: 0.3 });
    expect(stage.starts).toBe(1);
  });

  it('groups of weights move where their stage unlocks them', () => {
    const { controls } = only(dgp({ weightGroups: groups, layers: [], unlocked: [2, 3, 4, 5, 6] }));
    const moving = [0, 200, 400, 600, 800].map((t) => controls(t).weightRates.filter((rate) => rate > 0).length);
    expect(moving).toEqual([2, 3, 4, 5, 6]);
  });
});

describe('Yeh et al. (moodoki/semantic_image_inpainting)', () => {
  const stage = only(yeh({ masked: true, critic: true }));

  it('64 starts, 3000 steps of Nesterov momentum, z within [-1,1]', () => {
    expect(stage).toMatchObject({
      starts: 64,
      steps: 3000,
      optimiser: { kind: 'nesterov', momentum: 0.9 },
      latentBound: 1,
    });
    expect(stage.start).toMatchObject({ pool: 64, distance: { kind: 'l1' } });
    expect(stage.controls(0).latentRate).toBe(3e-4);
  });

  it('absolute errors summed, and a fifth of the generator loss', () => {
    expect(stage).toMatchObject({ loss: [{ kind: 'l1', weight: 1 }], reduction: 'sum' });
    expect(stage.priors).toEqual([{ kind: 'logistic', weight: 0.2 }]);
  });
});

describe('AnoGAN (Schlegl et al.)', () => {
  it('500 steps from one latent; a tenth of the loss is of features', () => {
    const stage = only(anogan({ layers: ['f'] }));
    expect(stage.loss).toEqual([
      { kind: 'l1', weight: 0.9 },
      { kind: 'feature', weight: 0.1, distance: 'l1', layers: ['f'] },
    ]);
    expect(stage).toMatchObject({ steps: 500, starts: 1, optimiser: ADAM });
    expect(stage.start.pool).toBe(1);
    expect(stage.controls(0).latentRate).toBe(0.01);
    expect(only(anogan({ layers: [] })).loss).toEqual([{ kind: 'l1', weight: 1 }]);
  });
});

describe("RGI and R-RGI (the paper's released code)", () => {
  const weights = { weights: ['w'] };

  it.each([
    ['paper', { loss: { kind: 'l2', weight: 1 }, lambda: 0.07, initial: 1, steps: 2000, from: 1500 }],
    ['paper-l1', { loss: { kind: 'l1', weight: 1 }, lambda: 0.9, initial: 1, steps: 3000, from: 1500 }],
    ['paper-detect', { loss: { kind: 'l2', weight: 1 }, lambda: 0.4, initial: 0, steps: 2000, from: 500 }],
  ] as const)('%s', (preset, { loss, lambda, initial, steps, from }) => {
    const search = only(rgi({ preset, channels: 3 }));
    expect(search).toMatchObject({ loss: [loss], reduction: 'sum', steps, starts: 1, optimiser: ADAM });
    expect(search.mask).toMatchObject({ form: 'free', initial });
    expect(search.start).toMatchObject({ pool: 1000, distance: { kind: 'l2' } });
    expect(search.controls(0)).toMatchObject({ latentRate: 0.1, maskRate: 0.1 });
    const tuned = only(rrgi({ preset, channels: 3, ...weights }));
    expect(tuned.controls(0).lambda).toBeCloseTo(lambda, 12);
    expect([from - 1, from].map((t) => tuned.controls(t).weightRates)).toEqual([[0], [1e-5]]);
    expect(tuned.controls(from).maskRate).toBe(preset === 'paper' ? 0 : 0.1);
  });

  it('the weight of the critic where there is one', () => {
    const prior = (preset: 'paper' | 'paper-detect') => only(rgi({ preset, channels: 3, critic: true })).priors;
    expect(prior('paper')).toEqual([{ kind: 'critic', weight: 10 }]);
    expect(prior('paper-detect')).toEqual([{ kind: 'critic', weight: 0.1 }]);
  });
});
