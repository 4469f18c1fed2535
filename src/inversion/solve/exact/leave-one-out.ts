/**
 * What the rest of a picture says of each pixel. In a hole, one corrupted pixel that looks right by chance draws the reconstruction to itself, and
 * then looks intact; so the mask is found by reconstructions that have not seen the pixel: the residuals of the PRESS statistic (Allen 1974).
 * With C = A_p M^-1 A_p^T of the channels of a pixel, M the matrix of the normal equations, W_p the pixel's weights and r its residuals,
 *
 *     r without p = (I - C W_p)^-1 r,    covariance without p = ridge (I - C W_p)^-1 C
 */
import { solveLower } from '../../../arrays/cholesky.ts';
import { dot } from '../../../arrays/vectors.ts';
import type { AffineMap } from '../../generator/affine-map.ts';
import type { Equations } from './normal-equations.ts';
import type { Posterior, Prediction } from './posterior.ts';

/** A pixel that decides less than this of its own reconstruction is taken as it is: what it adds is below its noise. */
const MIN_LEVERAGE = 0.3;

/** Most pixels that are left out, those of the largest leverage first: each takes the square of the unknowns for each channel. */
const MAX_PIXELS = 256;

/** Of a picture `x` [values] of `channels`: the posterior at `equations`, and what it predicts with all pixels. */
export function withoutEachPixel(
  map: AffineMap,
  { weights }: Pick<Equations, 'weights'>,
  posterior: Pick<Posterior, 'factor' | 'ridge'>,
  { picture, variance }: Prediction,
  x: Float32Array,
  channels: number,
): Prediction {
  const plane = map.values / channels;
  const leverages = new Float64Array(plane);
  for (let c = 0, i = 0; c < channels; c++) {
    for (let p = 0; p < plane; p++, i++)
      leverages[p] = Math.max(leverages[p], (variance[i] * weights[i]) / posterior.ridge);
  }
  const influential: number[] = [];
  for (let p = 0; p < plane; p++) if (leverages[p] > MIN_LEVERAGE) influential.push(p);
  const pixels = influential.sort((p, q) => leverages[q] - leverages[p]).slice(0, MAX_PIXELS);
  const made = { picture: picture.slice(), variance: variance.slice() };
  for (const pixel of pixels) {
    const values = Array.from({ length: channels }, (_, c) => c * plane + pixel);
    const covariance = covarianceOf(map, posterior.factor, values);
    const right = values.map((v, c) => [x[v] - picture[v], ...covariance[c]]);
    const left = values.map((_, c) => values.map((v, d) => (c === d ? 1 : 0) - covariance[c][d] * weights[v]));
    const solved = solvedSmall(left, right);
    values.forEach((v, c) => {
      const [residual, ...own] = solved[c];
      if (!(Number.isFinite(residual) && own[c] > 0)) return;
      made.picture[v] = x[v] - residual;
      made.variance[v] = Math.max(variance[v], posterior.ridge * own[c]);
    });
  }
  return made;
}

/** A_p M^-1 A_p^T of some values, from M = L L^T. */
function covarianceOf({ matrix, unknowns }: AffineMap, factor: Float64Array, values: readonly number[]): number[][] {
  const solved = values.map((value) =>
    solveLower(factor, unknowns, Float64Array.from(matrix.subarray(value * unknowns, (value + 1) * unknowns))),
  );
  return solved.map((f) => solved.map((g) => dot(f, g)));
}

/** X of A X = B by elimination with pivots, for matrices of a few rows. */
function solvedSmall(a: readonly number[][], b: readonly number[][]): number[][] {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...b[i]]);
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      const share = rows[j][i] / rows[i][i];
      rows[j] = rows[j].map((value, t) => value - share * rows[i][t]);
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / row[i]));
}
