/** Numeric comparison with one message form: how far, where worst, both values. */
import { expect } from 'vitest';
import { numbersOf, type Tensor } from '../../src/onnx/tensor.ts';

/** Norm of the difference over the norm of the expected values. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  const a = numbersOf(actual);
  const e = numbersOf(expected);
  if (a.length !== e.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < e.length; i++) {
    difference += (a[i] - e[i]) ** 2;
    norm += e[i] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), 1e-12);
}

/** Fails where `actual` has another shape, or is further than `tolerance` (relative, norm) from `expected`. */
export function expectClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  expect(actual.dims, `${what}: shape`).toEqual([...expected.dims]);
  const error = relativeError(actual, expected);
  if (error <= tolerance) return;
  const a = numbersOf(actual);
  const e = numbersOf(expected);
  const worst = e.reduce(
    (best, value, i) => (Math.abs(a[i] - value) > Math.abs(a[best] - e[best]) || Number.isNaN(a[i]) ? i : best),
    0,
  );
  expect.fail(
    `${what}: relative error ${error.toExponential(2)} > ${tolerance}; worst at ${worst}: ${a[worst]} instead of ${e[worst]}`,
  );
}
