/** Symmetric positive definite systems by Cholesky's factorisation (Golub and Van Loan, section 4.2), in double precision. */

/**
 * The factor L of a = L L^T, [n,n] row-major; only the lower triangles are read and written. Undefined where `a` is not positive definite
 * but for rounding.
 */
export function choleskyFactor(a: Float64Array, n: number): Float64Array | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const own = i * n;
    for (let j = 0; j <= i; j++) {
      const other = j * n;
      let [s0, s1] = [0, 0];
      let t = 0;
      for (; t + 1 < j; t += 2) {
        s0 += l[own + t] * l[other + t];
        s1 += l[own + t + 1] * l[other + t + 1];
      }
      if (t < j) s0 += l[own + t] * l[other + t];
      const rest = a[own + j] - s0 - s1;
      if (j < i) l[own + j] = rest / l[other + j];
      else if (rest > 0) l[own + i] = Math.sqrt(rest);
      else return undefined;
    }
  }
  return l;
}

/** x of L L^T x = b. */
export function choleskySolve(l: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  return solveUpper(l, n, solveLower(l, n, Float64Array.from(b)));
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
