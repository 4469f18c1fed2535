/** Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, section 8.5). */

export interface Eigen {
  /** Falling. */
  readonly values: Float64Array;
  /** Row i is the unit eigenvector of value i. */
  readonly vectors: Float64Array;
}

const MAX_SWEEPS = 30;

/** `matrix` is [n, n], row-major; it is not changed. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const a = matrix.slice();
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  const scale = Math.sqrt(a.reduce((sum, v) => sum + v * v, 0));
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let outside = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) outside += a[i * n + j] ** 2;
    if (Math.sqrt(outside) <= 1e-13 * scale) break;
    for (let i = 0; i < n - 1; i++) for (let j = i + 1; j < n; j++) rotate(a, q, n, i, j);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    vectors.set(q.subarray(from * n, (from + 1) * n), to * n);
  });
  return { values: Float64Array.from(order, (i) => a[i * n + i]), vectors };
}

/** Makes a[i,j] zero: rows and columns i and j of `a`, and rows i and j of `q`, are turned by the angle that does it. */
function rotate(a: Float64Array, q: Float64Array, n: number, i: number, j: number): void {
  const off = a[i * n + j];
  if (off === 0) return;
  const tau = (a[j * n + j] - a[i * n + i]) / (2 * off);
  const t = Math.sign(tau || 1) / (Math.abs(tau) + Math.hypot(1, tau));
  const c = 1 / Math.hypot(1, t);
  const s = t * c;
  turnRows(a, n, i, j, c, s);
  for (let k = 0; k < n; k++) {
    const [x, y] = [a[k * n + i], a[k * n + j]];
    a[k * n + i] = c * x - s * y;
    a[k * n + j] = s * x + c * y;
  }
  turnRows(q, n, i, j, c, s);
}

function turnRows(m: Float64Array, n: number, i: number, j: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const [x, y] = [m[i * n + k], m[j * n + k]];
    m[i * n + k] = c * x - s * y;
    m[j * n + k] = s * x + c * y;
  }
}
