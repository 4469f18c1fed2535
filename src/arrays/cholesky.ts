/** Symmetric positive definite systems by Cholesky's factorisation (Golub and Van Loan, section 4.2), in double precision. */

/**
 * The factor L of a = L L^T, [n,n] row-major; only the lower triangles are read and written. Undefined where `a` is not positive definite
 * but for rounding.
 */
export function choleskyFactor(a: Float64Array, n: number): Float64Array | undefined {
  const l = new Float64Array(n * n);
  // Squares of two rows and two columns: each number that is read enters two sums.
  for (let i = 0; i + 1 < n; i += 2) {
    for (let j = 0; j < i; j += 2) squareBelow(a, l, n, i, j);
    if (!squareAt(a, l, n, i)) return undefined;
  }
  return n % 2 === 0 || lastRow(a, l, n) ? l : undefined;
}

/** Rows i and i + 1, columns j and j + 1 of L, left of the diagonal. */
function squareBelow(a: Float64Array, l: Float64Array, n: number, i: number, j: number): void {
  const [r0, r1, q0, q1] = [i * n, (i + 1) * n, j * n, (j + 1) * n];
  let s00 = 0;
  let s01 = 0;
  let s10 = 0;
  let s11 = 0;
  for (let t = 0; t < j; t++) {
    const x0 = l[r0 + t];
    const x1 = l[r1 + t];
    const y0 = l[q0 + t];
    const y1 = l[q1 + t];
    s00 += x0 * y0;
    s01 += x0 * y1;
    s10 += x1 * y0;
    s11 += x1 * y1;
  }
  const below = l[q1 + j];
  l[r0 + j] = (a[r0 + j] - s00) / l[q0 + j];
  l[r1 + j] = (a[r1 + j] - s10) / l[q0 + j];
  l[r0 + j + 1] = (a[r0 + j + 1] - s01 - l[r0 + j] * below) / l[q1 + j + 1];
  l[r1 + j + 1] = (a[r1 + j + 1] - s11 - l[r1 + j] * below) / l[q1 + j + 1];
}

/** Rows and columns i and i + 1; false where a pivot is not positive. */
function squareAt(a: Float64Array, l: Float64Array, n: number, i: number): boolean {
  const [r0, r1] = [i * n, (i + 1) * n];
  let s00 = 0;
  let s10 = 0;
  let s11 = 0;
  for (let t = 0; t < i; t++) {
    const x0 = l[r0 + t];
    const x1 = l[r1 + t];
    s00 += x0 * x0;
    s10 += x1 * x0;
    s11 += x1 * x1;
  }
  const first = a[r0 + i] - s00;
  if (!(first > 0)) return false;
  l[r0 + i] = Math.sqrt(first);
  l[r1 + i] = (a[r1 + i] - s10) / l[r0 + i];
  const second = a[r1 + i + 1] - s11 - l[r1 + i] ** 2;
  l[r1 + i + 1] = Math.sqrt(second);
  return second > 0;
}

/** The last row, of an odd n; false where its pivot is not positive. */
function lastRow(a: Float64Array, l: Float64Array, n: number): boolean {
  const own = (n - 1) * n;
  for (let j = 0; j < n; j++) {
    let rest = a[own + j];
    for (let t = 0; t < j; t++) rest -= l[own + t] * l[j * n + t];
    l[own + j] = j < n - 1 ? rest / l[j * n + j] : Math.sqrt(rest);
  }
  return l[own + n - 1] > 0;
}

/** x of L L^T x = b. */
export function choleskySolve(l: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  return solveUpper(l, n, solveLower(l, n, Float64Array.from(b)));
}

/** (L L^T)^-1, [n,n]. */
export function choleskyInverse(l: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const unit = new Float64Array(n);
    unit[i] = 1;
    inverse.set(choleskySolve(l, n, unit), i * n);
  }
  return inverse;
}

/** L^-1 x, in place of x, which is returned. */
export function solveLower(l: Float64Array, n: number, x: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    let sum = x[i];
    for (let t = 0; t < i; t++) sum -= l[i * n + t] * x[t];
    x[i] = sum / l[i * n + i];
  }
  return x;
}

/** L^-T x, in place of x, which is returned. */
export function solveUpper(l: Float64Array, n: number, x: Float64Array): Float64Array {
  for (let i = n - 1; i >= 0; i--) {
    x[i] /= l[i * n + i];
    for (let t = 0; t < i; t++) x[t] -= l[i * n + t] * x[i];
  }
  return x;
}
