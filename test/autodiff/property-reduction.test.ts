/** Reductions and cumulative sums against central differences, over shapes, axes and keepdims. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, numbersOf } from '../../src/onnx/tensor.ts';
import { axisOf, expectDerivatives, forAll, problemOf, seeds, shapes, spread } from '../support/differences.ts';
import { gradientsOf } from '../support/gradients.ts';

const cases = shapes(1, 4, 3).chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    // no axes given at all, or some, negative ones among them
    axes: fc.option(fc.uniqueArray(axisOf(dims.length), { selector: (a) => (a + dims.length) % dims.length })),
    keepdims: fc.integer({ min: 0, max: 1 }),
    noop_with_empty_axes: fc.integer({ min: 0, max: 1 }),
    seed: seeds,
  }),
);

describe('reductions over any axes', () => {
  const operators: Record<string, { low?: number; type?: 'float32' }> = {
    ReduceSum: {},
    ReduceMean: {},
    ReduceMax: {},
    ReduceMin: {},
    ReduceProd: {},
    ReduceL1: { type: 'float32' },
    ReduceL2: { type: 'float32' },
    ReduceSumSquare: {},
    ReduceLogSum: { low: 0.3, type: 'float32' },
    ReduceLogSumExp: {},
  };
  for (const [operator, { low, type }] of Object.entries(operators)) {
    it(operator, () =>
      forAll(cases, async ({ dims, axes, keepdims, noop_with_empty_axes, seed }) => {
        const x = spread(dims, seed, { low, type });
        const problem = problemOf({ x }, (b) => {
          const inputs = axes ? ['x', b.ints(axes)] : ['x'];
          const [y] = b.node(operator, inputs, { keepdims, noop_with_empty_axes });
          // The square makes the second derivative of the linear ones other than zero.
          return b.Mul(y, y);
        });
        await expectDerivatives(problem, seed);
      }),
    );
  }

  it('CumSum, exclusive and reverse', () =>
    forAll(
      shapes(1, 3).chain((dims) => fc.tuple(fc.constant(dims), axisOf(dims.length), fc.nat(1), fc.nat(1), seeds)),
      async ([dims, axis, exclusive, reverse, seed]) => {
        const problem = problemOf({ x: spread(dims, seed) }, (b) => {
          const [y] = b.node('CumSum', [b.Mul('x', 'x'), b.int(axis)], { exclusive, reverse });
          return b.Mul(y, 'x');
        });
        await expectDerivatives(problem, seed);
      },
    ));
});

describe('where the derivative jumps', () => {
  async function slopes(operator: string, values: number[]): Promise<number[]> {
    const x = float32(values);
    const { graph, feeds } = problemOf({ x }, (b: GraphBuilder) => b.node(operator, ['x'], { keepdims: 0 })[0]);
    const cotangents = new Map([[graph.outputs[0].name, float32([1], [])]]);
    return numbersOf((await gradientsOf(graph, feeds, cotangents, ['x'])).get('grad/x')!);
  }

  it('spreads the slope of ReduceMax and ReduceMin evenly over ties', async () => {
    expect(await slopes('ReduceMax', [2, 1, 2, 0])).toEqual([0.5, 0, 0.5, 0]);
    expect(await slopes('ReduceMin', [2, 0, 0, 0])).toEqual([0, 1 / 3, 1 / 3, 1 / 3].map(Math.fround));
  });

  it('is zero, not NaN, for the norm of zeros', async () => {
    expect(await slopes('ReduceL2', [0, 0, 0])).toEqual([0, 0, 0]);
  });

  it('is the product of the others where one or two factors of ReduceProd are zero', async () => {
    expect(await slopes('ReduceProd', [2, 0, 3, 5])).toEqual([0, 30, 0, 0]);
    expect(await slopes('ReduceProd', [0, 0, 3, 5])).toEqual([0, 0, 0, 0]);
  });
});
