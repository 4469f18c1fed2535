/**
 * Laplace's equation on the masked pixels of a grid: conjugate gradients from a start found on coarser grids, so that
 * the number of iterations grows slowly with the size of the hole.
 */

/**
 * Replaces the values where `inside` is 1 by the harmonic function that continues the values outside: each is the mean
 * of its 4 neighbours within the picture. Regions that no outside pixel touches become 0. Solved to a residual of
 * `tolerance` (root mean square, in units of the values), far below one grey level.
 */
export function harmonicFill(
  values: Float64Array,
  inside: Uint8Array,
  height: number,
  width: number,
  tolerance = 1e-6,
): void {
  if (!inside.includes(1)) return;
  if (!inside.includes(0)) {
    values.fill(0);
    return;
  }
  if (Math.min(height, width) > 4) coarseStart(values, inside, height, width, tolerance);
  else for (let i = 0; i < values.length; i++) if (inside[i]) values[i] = 0;
  solve(values, inside, height, width, tolerance);
}

/** Fills the hole from a picture of half the size, whose known pixels are means of the known ones below them. */
function coarseStart(values: Float64Array, inside: Uint8Array, height: number, width: number, tolerance: number): void {
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  const coarse = new Float64Array(h * w);
  const known = new Float64Array(h * w);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (inside[i]) continue;
      const at = (y >> 1) * w + (x >> 1);
      coarse[at] += values[i];
      known[at]++;
    }
  }
  const hole = Uint8Array.from(known, (k) => (k ? 0 : 1));
  for (let i = 0; i < coarse.length; i++) if (known[i]) coarse[i] /= known[i];
  harmonicFill(coarse, hole, h, w, tolerance);
  const clamp = (i: number, n: number) => Math.min(n - 1, Math.max(0, i));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!inside[i]) continue;
      const [v, u] = [(y - 0.5) / 2, (x - 0.5) / 2];
      const [y0, x0] = [Math.floor(v), Math.floor(u)];
      const [fy, fx] = [v - y0, u - x0];
      const row = (r: number) => {
        const base = clamp(r, h) * w;
        return (1 - fx) * coarse[base + clamp(x0, w)] + fx * coarse[base + clamp(x0 + 1, w)];
      };
      values[i] = (1 - fy) * row(y0) + fy * row(y0 + 1);
    }
  }
}

/** Conjugate gradients on A u = b, (A u)_i = neighbours u_i - sum of masked neighbours, b = sum of known neighbours. */
function solve(values: Float64Array, inside: Uint8Array, height: number, width: number, tolerance: number): void {
  const unknown: number[] = [];
  const index = new Int32Array(values.length).fill(-1);
  inside.forEach((on, i) => {
    if (!on) return;
    index[i] = unknown.length;
    unknown.push(i);
  });
  const n = unknown.length;
  // Per unknown: its four neighbours as unknowns (-1 where known or beyond the border), degree, and b.
  const neighbours = new Int32Array(4 * n).fill(-1);
  const degree = new Float64Array(n);
  const u = new Float64Array(n);
  const residual = new Float64Array(n);
  unknown.forEach((at, k) => {
    const [y, x] = [Math.floor(at / width), at % width];
    const visit = (there: boolean, other: number, slot: number) => {
      if (!there) return;
      degree[k]++;
      if (inside[other]) neighbours[4 * k + slot] = index[other];
      else residual[k] += values[other];
    };
    visit(y > 0, at - width, 0);
    visit(x > 0, at - 1, 1);
    visit(x + 1 < width, at + 1, 2);
    visit(y + 1 < height, at + width, 3);
    u[k] = values[at];
  });
  const apply = (from: Float64Array, to: Float64Array) => {
    for (let k = 0; k < n; k++) {
      let sum = degree[k] * from[k];
      for (let s = 4 * k; s < 4 * k + 4; s++) if (neighbours[s] >= 0) sum -= from[neighbours[s]];
      to[k] = sum;
    }
  };
  const product = new Float64Array(n);
  apply(u, product);
  let squared = 0;
  for (let k = 0; k < n; k++) {
    residual[k] -= product[k];
    squared += residual[k] ** 2;
  }
  const direction = residual.slice();
  for (let step = 0; step < 10 * Math.sqrt(n) + 100 && squared > n * tolerance ** 2; step++) {
    apply(direction, product);
    let curvature = 0;
    for (let k = 0; k < n; k++) curvature += direction[k] * product[k];
    const length = squared / curvature;
    let next = 0;
    for (let k = 0; k < n; k++) {
      u[k] += length * direction[k];
      residual[k] -= length * product[k];
      next += residual[k] ** 2;
    }
    for (let k = 0; k < n; k++) direction[k] = residual[k] + (next / squared) * direction[k];
    squared = next;
  }
  unknown.forEach((at, k) => {
    values[at] = u[k];
  });
}
