/** Operators that move elements, against central differences, over shapes, axes, steps, pads and modes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder, Value } from '../../src/onnx/builder.ts';
import { tensorOf } from '../../src/onnx/tensor.ts';
import {
  axisOf,
  broadcastable,
  expectDerivatives,
  forAll,
  type Problem,
  problemOf,
  seeds,
  shapes,
  spread,
} from '../support/differences.ts';

const ints = (min: number, max: number, length: number) =>
  fc.array(fc.integer({ min, max }), { minLength: length, maxLength: length });

/** sum of squares after the move, so that the second derivative passes through the move as well */
function squared(dims: readonly number[], seed: number, move: (b: GraphBuilder) => Value | readonly Value[]): Problem {
  return problemOf({ x: spread(dims, seed) }, (b) => [move(b)].flat().map((y) => b.Mul(y, y)));
}

describe('moving whole tensors', () => {
  it('Reshape and Flatten', () =>
    forAll(fc.tuple(shapes(1, 4), fc.nat(4), seeds), ([dims, axis, seed]) =>
      expectDerivatives(
        squared(dims, seed, (b) => [
          b.Reshape('x', [...dims].reverse()),
          b.Reshape('x', [-1]),
          b.node('Flatten', ['x'], { axis: Math.min(axis, dims.length) })[0],
        ]),
        seed,
      ),
    ));

  it('Transpose', () =>
    forAll(
      shapes(1, 4).chain((dims) =>
        fc.tuple(
          fc.constant(dims),
          fc.shuffledSubarray(
            dims.map((_, i) => i),
            { minLength: dims.length },
          ),
          seeds,
        ),
      ),
      ([dims, perm, seed]) =>
        expectDerivatives(
          squared(dims, seed, (b) => [b.Transpose('x', perm), b.node('Transpose', ['x'])[0]]),
          seed,
        ),
    ));

  it('Unsqueeze, Squeeze', () =>
    forAll(fc.tuple(shapes(0, 3), fc.nat(3), seeds), ([dims, place, seed]) =>
      expectDerivatives(
        squared(dims, seed, (b) => {
          const wide = b.Unsqueeze('x', [Math.min(place, dims.length), -1]);
          return [wide, b.Squeeze(b.Mul(wide, wide), [-1]), b.node('Squeeze', [wide])[0]];
        }),
        seed,
      ),
    ));

  it('Expand', () =>
    forAll(
      shapes(0, 4, 3).chain((dims) => fc.tuple(fc.constant(dims), broadcastable(dims), seeds)),
      ([dims, small, seed]) =>
        expectDerivatives(
          squared(small, seed, (b) => b.Expand('x', dims)),
          seed,
        ),
    ));

  it('Tile', () =>
    forAll(
      shapes(1, 4, 3).chain((dims) => fc.tuple(fc.constant(dims), ints(1, 3, dims.length), seeds)),
      ([dims, repeats, seed]) =>
        expectDerivatives(
          squared(dims, seed, (b) => b.Tile('x', repeats)),
          seed,
        ),
    ));

  it('Trilu', () =>
    forAll(fc.tuple(shapes(2, 3), fc.integer({ min: -3, max: 3 }), fc.nat(1), seeds), ([dims, k, upper, seed]) =>
      expectDerivatives(
        squared(dims, seed, (b) => b.node('Trilu', ['x', b.int(k)], { upper })[0]),
        seed,
      ),
    ));
});

describe('cutting and joining', () => {
  it('Concat of several inputs, one twice, one constant', () =>
    forAll(
      shapes(1, 3).chain((dims) => fc.tuple(fc.constant(dims), axisOf(dims.length), seeds)),
      ([dims, axis, seed]) => {
        const inputs = { x: spread(dims, seed), y: spread(dims, seed + 1) };
        const problem = problemOf(inputs, (b) => {
          const fixed = b.constant(spread(dims, 3));
          const all = b.Concat(['x', fixed, 'y', 'x'], axis);
          return b.Mul(all, all);
        });
        return expectDerivatives(problem, seed);
      },
    ));

  it('Split, of which only some parts are used', () =>
    forAll(
      fc.tuple(shapes(0, 2), shapes(0, 2), ints(1, 3, 4), fc.subarray([0, 1, 2, 3], { minLength: 1 }), seeds),
      ([before, after, sizes, used, seed]) => {
        const dims = [...before, sizes.reduce((a, c) => a + c), ...after];
        return expectDerivatives(
          squared(dims, seed, (b) => {
            const parts = b.Split('x', sizes, before.length);
            return used.map((i) => parts[i]);
          }),
          seed,
        );
      },
    ));

  it('Split into a number of parts, the last one smaller', () =>
    forAll(fc.tuple(fc.integer({ min: 3, max: 8 }), seeds), ([size, seed]) =>
      expectDerivatives(
        squared([2, size], seed, (b) => b.node('Split', ['x'], { axis: -1, num_outputs: 2 }, 2)),
        seed,
      ),
    ));

  it('Slice, starts and ends out of range, steps of both signs', () =>
    forAll(
      shapes(1, 3, 7).chain((dims) =>
        fc.record({
          dims: fc.constant(dims),
          starts: ints(-9, 9, dims.length),
          ends: ints(-9, 9, dims.length),
          steps: fc.array(fc.constantFrom(-3, -2, -1, 1, 2, 3), { minLength: dims.length, maxLength: dims.length }),
          order: fc.shuffledSubarray(
            dims.map((_, i) => i),
            { minLength: dims.length },
          ),
          seed: seeds,
        }),
      ),
      ({ dims, starts, ends, steps, order, seed }) =>
        expectDerivatives(
          squared(dims, seed, (b) => [b.Slice('x', starts, ends, order, steps), b.ReduceSum('x')]),
          seed,
        ),
      25,
    ));
});

describe('Pad', () => {
  const padded = (min: number, max: (d: number) => number) =>
    shapes(1, 3, 5).chain((dims) =>
      fc.record({
        dims: fc.constant(dims),
        begins: fc.tuple(...dims.map((d) => fc.integer({ min, max: max(d) }))),
        ends: fc.tuple(...dims.map((d) => fc.integer({ min, max: max(d) }))),
        seed: seeds,
      }),
    );

  it('constant, negative pads crop, the value differentiable', () =>
    forAll(
      padded(-2, () => 3),
      ({ dims, begins, ends, seed }) => {
        const sides = dims.map((d, i) => [begins[i], ends[i]].map((p) => Math.max(p, -Math.floor((d - 1) / 2))));
        const pads = [0, 1].flatMap((side) => sides.map((pair) => pair[side]));
        const inputs = { x: spread(dims, seed), value: spread([], seed, { low: 0.7 }) };
        const problem = problemOf(inputs, (b) => {
          const [y] = b.node('Pad', [b.Mul('x', 'x'), b.ints(pads), 'value']);
          return b.Mul(y, y);
        });
        return expectDerivatives(problem, seed);
      },
    ));

  for (const mode of ['edge', 'reflect', 'wrap']) {
    it(mode, () =>
      forAll(
        padded(0, (d) => (mode === 'edge' ? 3 : mode === 'reflect' ? d - 1 : d)),
        ({ dims, begins, ends, seed }) =>
          expectDerivatives(
            squared(dims, seed, (b) => b.node('Pad', ['x', b.ints([...begins, ...ends])], { mode })[0]),
            seed,
          ),
      ),
    );
  }

  it('of some axes only, counted from the end', () =>
    forAll(fc.tuple(ints(0, 2, 4), fc.constantFrom('constant', 'edge', 'reflect'), seeds), ([pads, mode, seed]) =>
      expectDerivatives(
        squared([3, 2, 4], seed, (b) => {
          const axes = b.constant(tensorOf('int64', [-1, 0]));
          return b.node('Pad', ['x', b.ints(pads), '', axes], { mode })[0];
        }),
        seed,
      ),
    ));

  it('is refused, not guessed, where the pads are computed from a variable', async () => {
    const problem = problemOf(
      { x: spread([3], 1), pads: tensorOf('int64', [1, 1]) },
      (b) => b.node('Pad', ['x', 'pads'])[0],
    );
    await expect(expectDerivatives(problem, 1)).rejects.toMatchObject({ code: 'unsupported-operator' });
  });
});
