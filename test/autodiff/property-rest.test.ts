/** Rules that no other property names: norms, log-softmax, the global and Lp pools, depth and space, against differences. */
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../src/onnx/builder.ts';
import { axisOf, expectDerivatives, forAll, problemOf, seeds, shapes, spread } from '../support/differences.ts';

const RUNS = 10;

describe('along an axis', () => {
  const onAxis = shapes(1, 4).chain((dims) => fc.tuple(fc.constant(dims), axisOf(dims.length), seeds));

  it.each(['LogSoftmax', 'Softmax'])('%s', async (operator) => {
    await forAll(
      onAxis,
      ([dims, axis, seed]) =>
        expectDerivatives(
          problemOf({ x: spread(dims, seed) }, (b) => b.node(operator, ['x'], { axis })),
          seed,
        ),
      RUNS,
    );
  });

  it.each([1, 2])('LpNormalization, p = %d', async (p) => {
    await forAll(
      onAxis,
      ([dims, axis, seed]) =>
        expectDerivatives(
          problemOf({ x: spread(dims, seed, { type: 'float32', low: 0.2 }) }, (b) =>
            b.node('LpNormalization', ['x'], { axis, p }),
          ),
          seed,
          1,
        ),
      RUNS,
    );
  });
});

describe('over pictures', () => {
  const picture = fc.tuple(
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 2, max: 4 }),
    fc.integer({ min: 2, max: 4 }),
  );

  it.each([
    ['GlobalMaxPool', {}],
    ['GlobalLpPool', { p: 2 }],
    ['GlobalLpPool', { p: 3 }],
    ['LpPool', { kernel_shape: [2, 2], strides: [1, 2], p: 2 }],
    ['MeanVarianceNormalization', {}],
    ['Shrink', { bias: float(0.1), lambd: float(0.3) }],
  ])('%s %o', async (operator, attributes) => {
    await forAll(
      fc.tuple(picture, seeds),
      ([dims, seed]) =>
        expectDerivatives(
          problemOf({ x: spread(dims, seed, { type: 'float32' }) }, (b) => b.node(operator, ['x'], attributes)),
          seed,
          1,
        ),
      RUNS,
    );
  });

  it('DepthToSpace and SpaceToDepth', async () => {
    await forAll(
      fc.tuple(picture, fc.integer({ min: 1, max: 3 }), fc.constantFrom('DCR', 'CRD'), seeds),
      async ([[n, c, h, w], blocksize, mode, seed]) => {
        const deep = { x: spread([n, c * blocksize ** 2, h, w], seed, { type: 'float32' }) };
        await expectDerivatives(
          problemOf(deep, (b) => b.node('DepthToSpace', ['x'], { blocksize, mode })),
          seed,
          1,
        );
        const wide = { x: spread([n, c, h * blocksize, w * blocksize], seed, { type: 'float32' }) };
        await expectDerivatives(
          problemOf(wide, (b) => b.node('SpaceToDepth', ['x'], { blocksize })),
          seed,
          1,
        );
      },
      RUNS,
    );
  });
});
