/** From options to methods: what an option means, and what is refused. */
import { describe, expect, it } from 'vitest';
import { buildMethod } from '../../src/inversion/methods/index.ts';
import type { MethodContext, MethodOptions } from '../../src/inversion/methods/options.ts';
import { lambdaOf } from '../../src/inversion/spec/formulation.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { tinyGenerator } from '../support/tiny.ts';

const context: MethodContext = {
  channels: 3,
  generator: tinyGenerator(),
  masked: false,
  critic: false,
  layers: [],
};

const build = (options: MethodOptions, more: Partial<MethodContext> = {}) =>
  buildMethod(options, { ...context, ...more });

/** What the last stage minimises, and its lambda at the end. */
function target(options: MethodOptions, more: Partial<MethodContext> = {}) {
  const stage = build(options, more).stages.at(-1)!;
  return { ...stage.formulation, lambda: stage.controls(stage.steps).lambda };
}

describe('what an option means', () => {
  it('the default: squared error, coherent exact mask, the law of z where something is hidden, summed, 32 grey levels', () => {
    const refine = build({ method: 'rgi' }).stages.find(({ name }) => name === 'refine')!;
    const { loss, mask, priors, reduction } = refine.formulation;
    const { lambda } = refine.controls(refine.steps);
    expect({ loss, mask, priors, reduction }).toEqual({
      loss: [{ kind: 'l2', weight: 1 }],
      mask: { form: 'exact', shared: true, missing: true, coherence: 0.8 },
      priors: [{ kind: 'latent', weight: 4, ofHidden: true }],
      reduction: 'sum',
    });
    expect(lambda).toBeCloseTo(2 * 3 * (32 / 127.5) ** 2, 10);
  });

  it("the presets: the weights move after the same search, which is rgi's 'fast' and rrgi's 'best'", () => {
    const shape = (options: MethodOptions) =>
      build(options).stages.map(({ name, starts, steps }) => [name, starts, steps]);
    const fast = shape({ method: 'rgi', preset: 'fast' });
    expect([fast[0][1], fast.reduce((sum, [, , steps]) => sum + Number(steps), 0)]).toEqual([2, 140 + 200]);
    expect(shape({ method: 'rgi' })).toEqual(fast);
    expect(shape({ method: 'rrgi', preset: 'best' })).toEqual([...fast, ['tune', 1, 50]]);
    expect(shape({ method: 'rrgi' })).toEqual(shape({ method: 'rrgi', preset: 'best' }));
    expect(() => build({ method: 'rrgi', preset: 'fast' })).toThrow("that of rrgi is 'best'");
  });

  it.each([
    ['l2', 2 * 3 * (20 / 127.5) ** 2],
    ['l1', (3 * 20) / 127.5],
    ['huber', 3 * (20 / 127.5) * (10 / 127.5)],
  ] as const)('a threshold in grey levels as lambda, for sums and means (%s)', (loss, lambda) => {
    const options = { method: 'rgi', loss, thresholdGrey: 20, ...(loss === 'huber' ? { huberGrey: 10 } : {}) } as const;
    expect(target(options).lambda).toBeCloseTo(lambda, 10);
    const mean = target({ ...options, reduction: 'mean' });
    expect(mean.reduction).toBe('mean');
    expect(mean.lambda).toBeCloseTo(lambda / 3, 10);
    expect(lambdaOf(20, mean.loss[0] as Parameters<typeof lambdaOf>[1], 3, 'mean')).toBeCloseTo(lambda / 3, 10);
  });

  it("a weight of the latents' prior replaces the default one; another prior does not", () => {
    expect(target({ method: 'rgi', latentPrior: 0 }).priors).toEqual([]);
    expect(target({ method: 'rgi', latentPrior: 2 }).priors).toEqual([{ kind: 'gaussian', weight: 2 }]);
    expect(target({ method: 'rgi', criticPrior: 2 }).priors).toEqual([
      { kind: 'latent', weight: 4, ofHidden: true },
      { kind: 'critic', weight: 2 },
    ]);
  });

  it('the paper: its settings, free or clipped mask, lambda as given', () => {
    expect(target({ method: 'rgi', preset: 'paper' })).toMatchObject({
      loss: [{ kind: 'l2', weight: 1 }],
      mask: { form: 'free', shared: false, initial: 1 },
      lambda: 0.07,
    });
    expect(target({ method: 'rgi', preset: 'paper-detect', maskForm: 'clipped', lambda: 0.2 })).toMatchObject({
      mask: { form: 'clipped', shared: false, initial: 0 },
      lambda: 0.2,
    });
  });

  it('features of a second network beside the pixels, with a weight', () => {
    const layers = ['a', 'b'];
    for (const method of ['rgi', 'rrgi', 'invert'] as const) {
      expect(target({ method, featureWeight: 0.1, featureDistance: 'l1' }, { layers }).loss.slice(1)).toEqual([
        { kind: 'feature', weight: 0.1, distance: 'l1', layers },
      ]);
    }
    expect(target({ method: 'rgi' }, { layers }).loss.length).toBe(1);
  });

  it('priors', () => {
    expect(target({ method: 'rgi', latentPrior: 2, criticPrior: 0.5 }, { critic: true }).priors).toEqual([
      { kind: 'gaussian', weight: 2 },
      { kind: 'critic', weight: 0.5 },
    ]);
    expect(target({ method: 'rgi', noisePrior: 5 }).priors).toEqual([
      { kind: 'latent', weight: 4, ofHidden: true },
      { kind: 'noise', weight: 5 },
    ]);
  });

  it("a discriminator trained with a logistic loss is no Wasserstein critic: off in the RGI paper's recipes, softplus elsewhere", () => {
    const logistic = { critic: true, logistic: true };
    const paper = (noisePrior?: number) =>
      target({ method: 'rgi', preset: 'paper', noisePrior }, { critic: true }).priors;
    expect(paper(0)).toEqual(paper());
    expect(paper(5)).toEqual([...paper(), { kind: 'noise', weight: 5 }]);
    expect(target({ method: 'rgi', preset: 'paper' }, { critic: true }).priors).toEqual([
      { kind: 'critic', weight: 10 },
    ]);
    for (const method of ['rgi', 'rrgi', 'yeh', 'dgp', 'anogan'] as const) {
      const recipe = method.endsWith('rgi') ? { preset: 'paper' as const } : { recipe: 'rgi' as const };
      expect(target({ method, ...recipe }, logistic).priors).toEqual([]);
    }
    expect(target({ method: 'yeh' }, logistic).priors).toEqual([{ kind: 'logistic', weight: 0.2 }]);
    expect(target({ method: 'rgi', latentPrior: 0, criticPrior: 3 }, logistic).priors).toEqual([
      { kind: 'logistic', weight: 3 },
    ]);
  });
});

describe('what is refused', () => {
  const cases: [MethodOptions, string][] = [
    [
      { method: 'anogan', lambda: 1 },
      "The method 'anogan' has no option 'lambda'; it takes steps, seed, recipe, featureLayers.",
    ],
    [
      { method: 'rgi', lambda: 1, thresholdGrey: 3 },
      'Give lambda or the threshold in grey levels, not both: they say the same.',
    ],
    [
      { method: 'rgi', maskForm: 'free' },
      "The preset 'fast' works with the exact mask; a free mask goes with --preset paper.",
    ],
    [
      { method: 'rgi', maskRate: 1 },
      "The preset 'fast' works with the exact mask, which has no learning rate; --mask-rate goes with --preset paper.",
    ],
    [
      { method: 'rgi', featureWeight: 1 },
      'A feature loss needs a second network: give --features (or --discriminator) an ONNX file.',
    ],
    [
      { method: 'invert', featureLayers: ['a'] },
      "The method 'invert' compares features only with a weight: give the feature weight.",
    ],
    [
      { method: 'rrgi', weights: ['nothing'] },
      "The generator has no weight 'nothing'. 'rgi inspect' lists the weights.",
    ],
  ];
  it.each(cases)('%j', (options, message) => {
    expect(() => build(options)).toThrow(message);
  });
});

describe('which weights are tuned', () => {
  /** As many layers as there are names, one after another. */
  const layered = (names: readonly string[]) => {
    const b = new GraphBuilder();
    let value = b.reserve('z');
    for (const name of names) value = b.MatMul(value, b.initializer(name, float32([1, 2, 3, 4], [2, 2])));
    b.node('Identity', [value], {}, ['image']);
    const types = { type: 'float32', dims: [1, 2] } as const;
    return b.graph('layered', [{ name: 'z', ...types }], [{ name: 'image', ...types }]);
  };
  const names = Array.from({ length: 13 }, (_, i) => `w${i}`);
  const tuned = (weights: MethodOptions['weights'], method: 'rrgi' | 'dgp' = 'rrgi') => {
    const { weightGroups, weightRank } = target({ method, weights }, { generator: layered(names), masked: true });
    return [weightGroups.flat(), weightRank];
  };

  it.each(['rrgi', 'dgp'] as const)(
    '%s: all of them by default, the shallow half, those named, or all by changes of low rank',
    (method) => {
      expect(tuned(undefined, method)).toEqual([names, undefined]);
      expect(tuned('all', method)).toEqual([names, undefined]);
      expect(tuned('early', method)).toEqual([names.slice(0, 7), undefined]);
      expect(tuned(['w12', 'w3'], method)).toEqual([['w3', 'w12'], undefined]);
      expect(tuned('rank:8', method)).toEqual([names, 8]);
    },
  );

  it.each(['late', 'rank:0', 'rank:', 'rank:1.5'])('%s is refused', (choice) => {
    expect(() => tuned(choice as MethodOptions['weights'])).toThrow(
      `The weights to tune are all, early, rank:R with a whole number R from 1 on, or a list of names, not '${choice}'.`,
    );
  });
});
