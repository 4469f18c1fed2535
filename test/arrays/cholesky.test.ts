/** Cholesky's factorisation and triangular solves, against the matrices that they were made of. */
import { describe, expect, it } from 'vitest';
import { choleskyFactor, choleskyInverse, choleskySolve, solveLower, solveUpper } from '../../src/arrays/cholesky.ts';
import { randomFrom } from '../../src/random.ts';

const N = 7;
const lower = () => {
  const random = randomFrom(3);
  return Float64Array.from({ length: N * N }, (_, i) => {
    const [row, column] = [Math.floor(i / N), i % N];
    return column > row ? 0 : column === row ? 1 + random.uniform() : random.normal();
  });
};
const l = lower();
const product = (a: (i: number, t: number) => number, x: ArrayLike<number>) =>
  Array.from({ length: N }, (_, i) => Array.from(x, (v, t) => a(i, t) * v).reduce((sum, v) => sum + v, 0));
const near = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).forEach((v, i) => {
    expect(v).toBeCloseTo(b[i], 9);
  });

describe('of a positive definite matrix L L^T', () => {
  const matrix = Float64Array.from({ length: N * N }, (_, at) => {
    const [i, j] = [Math.floor(at / N), at % N];
    return l.subarray(i * N, (i + 1) * N).reduce((sum, v, t) => sum + v * l[j * N + t], 0);
  });
  const b = randomFrom(4).normals(N);

  it('the factor is L', () => near(choleskyFactor(matrix, N)!, l));
  it('the inverse solves for each unit vector', () => {
    const inverse = choleskyInverse(l, N);
    for (let column = 0; column < N; column++)
      near(
        product((i, t) => matrix[i * N + t], inverse.subarray(column * N, (column + 1) * N)),
        Array.from({ length: N }, (_, i) => Number(i === column)),
      );
  });
  it('the solution is that of both triangles', () => {
    near(
      product((i, t) => matrix[i * N + t], choleskySolve(l, N, b)),
      b,
    );
    near(
      product((i, t) => l[i * N + t], solveLower(l, N, Float64Array.from(b))),
      b,
    );
    near(
      product((i, t) => l[t * N + i], solveUpper(l, N, Float64Array.from(b))),
      b,
    );
  });
});

it('there is none of a matrix that is not positive definite, nor of one that holds no numbers', () => {
  expect(choleskyFactor(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined();
  expect(choleskyFactor(Float64Array.of(Number.NaN), 1)).toBeUndefined();
});
