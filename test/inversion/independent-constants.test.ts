/** When corruption counts as independent from pixel to pixel, and how deep a valley has to be: counted by hand. */
import { expect, it } from 'vitest';
import { isIndependent, valleyOf } from '../../src/inversion/mask/independent.ts';
import { float32 } from '../../src/onnx/tensor.ts';

/** A map whose neighbours differ wherever the sequence of its row and that of its column change. */
function withChanges(side: number, changes: number) {
  const bit = (i: number) => Math.min(i, changes) % 2;
  return float32(
    Float32Array.from({ length: side * side }, (_, p) => bit(Math.floor(p / side)) ^ bit(p % side)),
    [1, 1, side, side],
  );
}

it('three tenths of the neighbours have to differ, and in small pictures 1.5 roots of their number more', () => {
  // 33 x 33: of 1056 pairs more than 316.8 + 48.7; each change of the sequences makes 33 differ.
  expect([11, 12].map((changes) => isIndependent(withChanges(33, changes), 0.5))).toEqual([false, true]);
  // 8 x 8: of 56 pairs more than 16.8 + 11.2, in steps of 8.
  expect([3, 4].map((changes) => isIndependent(withChanges(8, changes), 0.5))).toEqual([false, true]);
});

it('beyond a valley the histogram has to be higher by half', () => {
  /** Between 0 and 1 (12 bins) an even histogram of 100 a bin; from 1 to 2 of `beyond`. */
  const histogram = (beyond: number) => {
    const bins = Array.from({ length: 24 }, (_, bin) =>
      Array.from({ length: bin < 12 ? 100 : beyond }, () => (bin + 0.5) / 12),
    );
    return float32(bins.flat(), [1, 1, 1, 12 * (100 + beyond)]);
  };
  expect(valleyOf(histogram(140), 0, 1)).toBeUndefined();
  expect(valleyOf(histogram(160), 0, 1)).toBeGreaterThanOrEqual(0);
});
