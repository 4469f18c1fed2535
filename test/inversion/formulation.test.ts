/** Thresholds in grey levels and lambda say the same. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { greyOf, lambdaOf, type PixelTerm } from '../../src/inversion/spec/formulation.ts';

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });

it('greyOf is the inverse of lambdaOf for every loss, weight, delta and value', () => {
  const losses: fc.Arbitrary<PixelTerm> = fc.oneof(
    fc.record({ kind: fc.constantFrom('l1' as const, 'l2' as const), weight: number(0.01, 100) }),
    fc.record({ kind: fc.constant('huber' as const), weight: number(0.01, 100), delta: number(1e-4, 2) }),
  );
  const channels = fc.constantFrom(1, 3, 4);
  const reduction = fc.constantFrom('sum' as const, 'mean' as const);
  fc.assert(
    fc.property(losses, channels, reduction, number(0.01, 255), (loss, count, reduce, grey) => {
      const back = greyOf(lambdaOf(grey, loss, count, reduce), loss, count, reduce);
      expect(Math.abs(back / grey - 1)).toBeLessThan(1e-9);
    }),
  );
});

it('of Huber with a delta of half a grey level, too', () => {
  const loss: PixelTerm = { kind: 'huber', weight: 1, delta: 0.5 / 127.5 };
  expect(greyOf(lambdaOf(32, loss, 3), loss, 3)).toBeCloseTo(32, 9);
});
