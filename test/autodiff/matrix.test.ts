/** Products of matrices are bilinear: a difference over any step is the derivative, whatever the ranks and broadcasts. */
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../src/onnx/builder.ts';
import { expectDirectional, graphOf, noise } from '../support/directional.ts';
import type { Tensors } from '../support/gradients.ts';

const size = fc.integer({ min: 1, max: 4 });
const batches = fc.array(fc.tuple(size, fc.constantFrom('both', 'left', 'right')), { maxLength: 3 });
const product = fc.record({
  m: size,
  k: size,
  n: size,
  batches,
  left: fc.integer({ min: -1, max: 3 }),
  right: fc.integer({ min: -1, max: 3 }),
});

type Product = typeof product extends fc.Arbitrary<infer T> ? T : never;

/** The last `rank` batch dimensions, 1 where the other side alone has them; rank -1 stands for a vector. */
function shapeOf(all: readonly (readonly [number, string])[], rank: number, other: string, matrix: number[]) {
  const lead = rank <= 0 ? [] : all.slice(-rank).map(([d, owner]) => (owner === other ? 1 : d));
  return [...lead, ...matrix];
}

describe('matrix product rules, any shape', () => {
  it('MatMul', async () => {
    const check = async ({ m, k, n, batches: all, left, right }: Product) => {
      const feeds: Tensors = new Map([
        ['a', noise(shapeOf(all, left, 'right', left < 0 ? [k] : [m, k]), 1)],
        ['b', noise(shapeOf(all, right, 'left', right < 0 ? [k] : [k, n]), 2)],
      ]);
      await expectDirectional(
        graphOf(feeds, (b) => b.MatMul('a', 'b')),
        feeds,
      );
    };
    await fc.assert(fc.asyncProperty(product, check), { numRuns: 40, seed: 31 });
  }, 30_000);

  it('Gemm', async () => {
    const gemm = fc.record({
      m: size,
      k: size,
      n: size,
      transA: fc.boolean(),
      transB: fc.boolean(),
      alpha: fc.constantFrom(1, 0.5),
      beta: fc.constantFrom(1, -2),
      c: fc.constantFrom('none', 'scalar', 'row', 'column', 'full'),
    });
    await fc.assert(
      fc.asyncProperty(gemm, async ({ m, k, n, transA, transB, alpha, beta, c }) => {
        const feeds: Tensors = new Map([
          ['a', noise(transA ? [k, m] : [m, k], 1)],
          ['b', noise(transB ? [n, k] : [k, n], 2)],
        ]);
        const bias = { none: undefined, scalar: [], row: [n], column: [m, 1], full: [m, n] }[c];
        if (bias) feeds.set('c', noise(bias, 3));
        const attributes = { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: float(alpha), beta: float(beta) };
        await expectDirectional(
          graphOf(feeds, (b) => b.node('Gemm', [...feeds.keys()], attributes)[0]),
          feeds,
        );
      }),
      { numRuns: 30, seed: 32 },
    );
  }, 30_000);

  it.each([
    ['bhid,bhjd->bhij', [2, 2, 3, 4], [2, 2, 5, 4]],
    ['bhij,bhjd->bihd', [2, 2, 3, 5], [2, 2, 5, 4]],
    ['...ij,...jk->...ik', [2, 1, 3, 4], [1, 5, 4, 2]],
    ['i...,j...', [3, 2, 1], [4, 2, 5]],
    ['ij,kl->i', [2, 3], [4, 5]],
    ['ba,b', [2, 3], [2]],
    [' n c h w , o c -> n o h w ', [2, 3, 2, 2], [4, 3]],
  ])('Einsum %s', async (equation, left, right) => {
    const feeds: Tensors = new Map([
      ['a', noise(left, 1)],
      ['b', noise(right, 2)],
    ]);
    await expectDirectional(
      graphOf(feeds, (b) => b.Einsum(['a', 'b'], equation)),
      feeds,
    );
  });

  it.each(['ii->i', 'ii->', 'iij->j'])('Einsum of a diagonal, %s', async (equation) => {
    const feeds: Tensors = new Map([['a', noise(equation.startsWith('iij') ? [3, 3, 2] : [3, 3], 1)]]);
    await expectDirectional(
      graphOf(feeds, (b) => b.Einsum(['a'], equation)),
      feeds,
    );
  });
});
