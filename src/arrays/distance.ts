/** Exact Euclidean distances on grids in linear time (Felzenszwalb and Huttenlocher 2012, Theory of Computing 8:415). */

/**
 * For each pixel of a `height` x `width` map the squared distance, in pixels, to the nearest pixel above 0.5; infinite
 * where there is none.
 */
export function squaredDistances(mask: ArrayLike<number>, height: number, width: number): Float64Array {
  const field = new Float64Array(height * width);
  for (let i = 0; i < field.length; i++) field[i] = mask[i] > 0.5 ? 0 : Number.POSITIVE_INFINITY;
  const longest = Math.max(height, width);
  const line = new Float64Array(longest);
  const result = new Float64Array(longest);
  const vertices = new Int32Array(longest);
  const bounds = new Float64Array(longest + 1);
  const along = (start: number, stride: number, length: number) => {
    for (let i = 0; i < length; i++) line[i] = field[start + i * stride];
    lowerEnvelope(line, length, vertices, bounds, result);
    for (let i = 0; i < length; i++) field[start + i * stride] = result[i];
  };
  for (let x = 0; x < width; x++) along(x, width, height);
  for (let y = 0; y < height; y++) along(y * width, 1, width);
  return field;
}

/** result[q] = min over p of (q - p)^2 + f[p]: the lower envelope of parabolas. */
function lowerEnvelope(
  f: Float64Array,
  n: number,
  vertices: Int32Array,
  bounds: Float64Array,
  result: Float64Array,
): void {
  let last = -1;
  for (let q = 0; q < n; q++) {
    if (f[q] === Number.POSITIVE_INFINITY) continue;
    let from = Number.NEGATIVE_INFINITY;
    while (last >= 0) {
      const p = vertices[last];
      from = (f[q] + q * q - f[p] - p * p) / (2 * (q - p));
      if (from > bounds[last]) break;
      last--;
      from = Number.NEGATIVE_INFINITY;
    }
    last++;
    vertices[last] = q;
    bounds[last] = from;
  }
  if (last < 0) {
    result.fill(Number.POSITIVE_INFINITY, 0, n);
    return;
  }
  for (let q = 0, k = 0; q < n; q++) {
    while (k < last && bounds[k + 1] < q) k++;
    result[q] = (q - vertices[k]) ** 2 + f[vertices[k]];
  }
}
