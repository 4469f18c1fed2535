/** The pixels' grid: sums over neighbours. */

/** A grid of pixels, row by row. */
export interface Lattice {
  readonly height: number;
  readonly width: number;
  /** How many neighbours each pixel has, up to eight, [H,W]. */
  readonly totals: Float64Array;
}

export function latticeOf(height: number, width: number): Lattice {
  const ones = new Float64Array(height * width).fill(1);
  return { height, width, totals: neighbourSum(ones, height, width) };
}

/** The mean of 2q - 1 over the up to eight neighbours of each pixel, in [-1,1]. */
export function neighbourMean(q: Float64Array, { height, width, totals }: Lattice): Float64Array {
  const mean = neighbourSum(q, height, width);
  for (let p = 0; p < mean.length; p++) mean[p] = (2 * mean[p]) / totals[p] - 1;
  return mean;
}

function neighbourSum(q: Float64Array, height: number, width: number): Float64Array {
  const beside = new Float64Array(q.length);
  for (let row = 0, p = 0; row < height; row++) {
    for (let column = 0; column < width; column++, p++)
      beside[p] = (column > 0 ? q[p - 1] : 0) + (column < width - 1 ? q[p + 1] : 0);
  }
  const sum = beside.slice();
  for (let p = width; p < q.length; p++) sum[p] += q[p - width] + beside[p - width];
  for (let p = 0; p < q.length - width; p++) sum[p] += q[p + width] + beside[p + width];
  return sum;
}
