/** Vectors of numbers. */

/** The scalar product of two vectors of one length. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** u^T M u of a matrix [n,n]. */
export function quadraticForm(matrix: Float64Array, u: Float64Array): number {
  let sum = 0;
  for (let i = 0, at = 0; i < u.length; i++) {
    let row = 0;
    for (let t = 0; t < u.length; t++, at++) row += matrix[at] * u[t];
    sum += u[i] * row;
  }
  return sum;
}
