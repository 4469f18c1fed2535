/** Methods and cases by name: what they mean, and what is said of wrong ones. */
import { expect, test } from 'vitest';
import { parseCases } from '../../src/evaluate/cases.ts';
import { parseRecipe, parseRecipes } from '../../src/evaluate/recipes.ts';
import { FAST } from '../../src/inversion/methods/rgi.ts';

const sentence = (make: () => unknown) => {
  try {
    make();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

test('a name resolves to the options of its method', () => {
  expect(parseRecipe('rgi', 7)).toEqual({
    name: 'rgi',
    maskGiven: false,
    options: { method: 'rgi', seed: 7 },
    thresholdGrey: FAST.thresholdGrey,
  });
  expect(parseRecipe('rrgi:paper').options).toEqual({ method: 'rrgi', preset: 'paper', seed: 0 });
  expect(parseRecipe('rgi:paper:lambda=0.1:steps=500').options).toMatchObject({
    preset: 'paper',
    lambda: 0.1,
    steps: 500,
  });
  expect(parseRecipe('yeh:rgi:paper-l1+mask')).toMatchObject({
    maskGiven: true,
    options: { method: 'yeh', recipe: 'rgi', preset: 'paper-l1' },
  });
  expect(parseRecipe('rgi:feature-weight=0.5').options).toMatchObject({ method: 'rgi', featureWeight: 0.5 });
  expect(parseRecipe('rgi:loss=l2:threshold=20').options).toMatchObject({ loss: 'l2', thresholdGrey: 20 });
});

test('a method without a mask of its own takes the threshold as what counts as found', () => {
  expect(parseRecipe('invert:threshold=40')).toMatchObject({ options: { method: 'invert' }, thresholdGrey: 40 });
  expect(parseRecipe('invert:threshold=40').options).not.toHaveProperty('thresholdGrey');
});

test('a wrong name is answered with the names there are', () => {
  expect(sentence(() => parseRecipe('rgy'))).toMatchInlineSnapshot(
    `"The method 'rgy': there is no 'rgy'; the methods are rgi, rrgi, yeh, dgp, anogan, invert, as NAME[:PRESET][:SETTING=VALUE][+mask]."`,
  );
  expect(sentence(() => parseRecipe('dgp'))).toMatchInlineSnapshot(
    `"The method 'dgp': dgp needs the true mask; write dgp+mask."`,
  );
  expect(sentence(() => parseRecipe('anogan+mask'))).toMatchInlineSnapshot(
    `"The method 'anogan+mask': anogan does not use the true mask; leave +mask out."`,
  );
  expect(sentence(() => parseRecipe('rgi:papper'))).toMatchInlineSnapshot(
    `"The method 'rgi:papper': 'papper' is not a preset (fast, best, paper, paper-l1, paper-detect), a recipe (original, rgi) or a setting (lambda, threshold, huber-grey, steps, starts, pool, latent-rate, mask-rate, weight-rate, latent-prior, critic-prior, feature-weight, loss, reduction, mask-form, importance)."`,
  );
  expect(sentence(() => parseRecipe('rgi:steps=1.5'))).toMatchInlineSnapshot(
    `"The method 'rgi:steps=1.5': 'steps=1.5' is no whole number above 0."`,
  );
  expect(sentence(() => parseRecipe('invert:lambda=1'))).toMatchInlineSnapshot(
    `"The method 'invert:lambda=1': invert has no setting lambda; it takes huber-grey, steps, feature-weight, loss."`,
  );
  expect(sentence(() => parseRecipe('rgi:loss=l3'))).toMatchInlineSnapshot(
    `"The method 'rgi:loss=l3': 'loss=l3': loss is one of l1, l2, huber."`,
  );
  expect(sentence(() => parseRecipe('rgi:paper:fast'))).toMatchInlineSnapshot(
    `"The method 'rgi:paper:fast': 'fast' repeats a setting."`,
  );
  expect(sentence(() => parseRecipes(['rgi', 'yeh', 'rgi']))).toMatchInlineSnapshot(
    `"The method 'rgi' is named twice."`,
  );
});

test('cases are regions with a fill; groups stand for several, none comes twice', () => {
  expect(parseCases(['standard', 'block', 'block:smooth']).map((one) => one.name)).toEqual([
    'block',
    'random',
    'irregular',
    'block:smooth',
  ]);
  expect(parseCases(['celeba-block'])[0].corruption).toEqual({ region: { kind: 'paper-block', half: 32 } });
  expect(parseCases(['text:white'])[0].corruption).toMatchObject({
    region: { kind: 'text' },
    fill: { kind: 'normal', mean: 1 },
  });
  expect(parseCases(['all'])).toHaveLength(11);
});

test('a wrong case is answered with the cases there are', () => {
  expect(sentence(() => parseCases(['blok']))).toMatchInlineSnapshot(
    `"There is no case 'blok'; the cases are block, random, irregular, half, scratches, stains, dust, text, strips, celeba-block, celeba-random, cars-block, cars-random, each with :normal, :white, :deviation, :smooth, :constant for another fill, and the groups standard, fills, realistic, celeba, cars, all."`,
  );
  expect(sentence(() => parseCases(['block:pink']))).toMatchInlineSnapshot(
    `"The case 'block:pink': there is no fill 'pink'; the fills are normal, white, deviation, smooth, constant."`,
  );
  expect(sentence(() => parseCases(['constructor']))).toContain("There is no case 'constructor'");
});
