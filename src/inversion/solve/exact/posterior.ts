/**
 * The most probable u of x = A u + b + noise with u ~ N(0, I), in closed form. With W the precisions of the values (0 where they are hidden)
 * and the likelihood to the power 1/eta,
 *
 *     minimise  (x - b - A u)^T W (x - b - A u) / s^2 + eta |u|^2      (A^T W A + eta s^2 I) u = A^T W (x - b)
 *
 * s^2 is a factor of the noise that the picture itself shows: the weighted mean square of its residuals, over the kept values but for those
 * that u has used up (MacKay 1992).
 */
import { choleskyFactor, choleskySolve, solveLower, solveUpper } from '../../../arrays/cholesky.ts';
import { dot, quadraticForm } from '../../../arrays/vectors.ts';
import { RgiError } from '../../../errors.ts';
import { randomFrom } from '../../../random.ts';
import type { AffineMap } from '../../generator/affine-map.ts';
import { type Equations, type GramProduct, transposedOf } from './normal-equations.ts';

export interface Posterior {
  /** The most probable u, [unknowns]. */
  readonly u: Float64Array;
  /** What is minimised, at u: in units of the noise. */
  readonly energy: number;
  /** Cholesky's factor of A^T W A + ridge I; the covariance of u is ridge times the inverse of that matrix. */
  readonly factor: Float64Array;
  readonly ridge: number;
  /** s^2 that the residuals show. */
  readonly scale: number;
}

/** Of the mean of the diagonal of A^T W A, the least that is added to it: what double precision needs to factor any. */
const MIN_RIDGE = 1e-13;

/** What of a picture x [values] enters its equations, whatever the prior and the scale of the noise. */
export interface DataTerms {
  /** A^T W (x - b), [unknowns]. */
  readonly right: Float64Array;
  /** |x - b|^2_W. */
  readonly square: number;
  /** How many values count: W > 0. */
  readonly kept: number;
}

/** At weights W [values]; from those at other weights, `before`, only the values whose weight is another are looked at. */
export function dataTerms(
  map: AffineMap,
  weights: Float64Array,
  x: ArrayLike<number>,
  before?: { readonly weights: Float64Array; readonly terms: DataTerms },
): DataTerms {
  let { square, kept } = before?.terms ?? { square: 0, kept: 0 };
  const residual = new Float64Array(map.values);
  for (let i = 0; i < map.values; i++) {
    const known = before ? before.weights[i] : 0;
    const change = weights[i] - known;
    if (change === 0) continue;
    residual[i] = change * (x[i] - map.offset[i]);
    square += residual[i] * (x[i] - map.offset[i]);
    kept += Number(weights[i] > 0) - Number(known > 0);
  }
  const right = transposedOf(map, residual);
  if (before) for (let t = 0; t < right.length; t++) right[t] += before.terms.right[t];
  return { right, square, kept };
}

/** From the data terms of a picture at W; `eta` and `scale` (s^2) above 0. */
export function posteriorOf(
  { unknowns }: AffineMap,
  { gram }: Pick<Equations, 'gram'>,
  terms: DataTerms,
  eta: number,
  scale: number,
): Posterior {
  const ridge = Math.max(eta * scale, MIN_RIDGE * meanDiagonal(gram, unknowns));
  const factor = factored(gram, unknowns, ridge);
  const u = choleskySolve(factor, unknowns, terms.right);
  const misfit = misfitAt(u, gram, terms);
  const used = unknowns - ridge * traceOfInverse(factor, unknowns);
  return {
    u,
    factor,
    ridge,
    energy: misfit / scale + eta * dot(u, u),
    scale: misfit / Math.max(1, terms.kept - used),
  };
}

/** |x - b - A u|^2_W, without the product of A: k^2 operations in place of k for each value. */
export function misfitAt(
  u: Float64Array,
  gram: Float64Array,
  { right, square }: Pick<DataTerms, 'right' | 'square'>,
): number {
  return Math.max(0, square - 2 * dot(u, right) + quadraticForm(gram, u));
}

/** Cholesky's factor of A^T W A + ridge I; of a larger ridge where rounding asks for it. */
export function factored(gram: Float64Array, n: number, ridge: number): Float64Array {
  for (let added = ridge; Number.isFinite(added); added *= 10) {
    const matrix = gram.slice();
    for (let i = 0; i < n; i++) matrix[i * n + i] += added;
    const factor = choleskyFactor(matrix, n);
    if (factor) return factor;
  }
  throw new RgiError('input', 'The picture or the generator holds values that are not finite.');
}

function meanDiagonal(matrix: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += matrix[i * n + i] / n;
  return Math.max(sum, 1e-300);
}

/** Vectors of signs that a trace is estimated with. */
const PROBES = 4;

/** Hutchinson's estimate: the mean of v^T M^-1 v = |L^-1 v|^2 over vectors v of random signs, the same in every run. */
function traceOfInverse(factor: Float64Array, n: number): number {
  const random = randomFrom(0);
  let sum = 0;
  for (let probe = 0; probe < PROBES; probe++) {
    const v = Float64Array.from({ length: n }, () => (random.uniform() < 0.5 ? -1 : 1));
    solveLower(factor, n, v);
    sum += dot(v, v);
  }
  return sum / PROBES;
}

/** Draws that the variance of a reconstruction is estimated with: to a quarter. */
const DRAWS = 32;

/** What a posterior says of each value, [values]. */
export interface Prediction {
  /** A u + b. */
  readonly picture: Float32Array;
  /** How uncertain that is: the variance of each value, without the noise, from the same draws in every run. */
  readonly variance: Float64Array;
}

/** In one product of the matrix, in single precision. */
export async function predictionOf(
  { u, factor, ridge }: Pick<Posterior, 'u' | 'factor' | 'ridge'>,
  { unknowns, values, offset }: AffineMap,
  product: GramProduct,
): Promise<Prediction> {
  const columns = DRAWS + 1;
  const random = randomFrom(0);
  const draws = new Float32Array(unknowns * columns);
  const deviation = Math.sqrt(ridge);
  for (let draw = 0; draw < DRAWS; draw++) {
    // L^T v = e has the covariance (L L^T)^-1.
    const v = solveUpper(factor, unknowns, Float64Array.from(random.normals(unknowns)));
    for (let t = 0; t < unknowns; t++) draws[t * columns + draw] = deviation * v[t];
  }
  for (let t = 0; t < unknowns; t++) draws[t * columns + DRAWS] = u[t];
  const made = await product.picturesOf(draws, columns);
  const picture = new Float32Array(values);
  const variance = new Float64Array(values);
  for (let i = 0, at = 0; i < values; i++, at++) {
    let sum = 0;
    for (let draw = 0; draw < DRAWS; draw++, at++) sum += made[at] ** 2;
    variance[i] = sum / DRAWS;
    picture[i] = made[at] + offset[i];
  }
  return { picture, variance };
}
