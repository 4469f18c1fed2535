/** Thresholds from good pictures alone, at a stated rate of false alarms. */
import { quantile } from '../arrays/sort.ts';
import { type Image, shapeOf } from '../images/image.ts';

/** The value that a share `rate` of the pixels of good maps exceeds. */
export function pixelThreshold(maps: readonly Float32Array[], rate: number): number {
  const all = new Float32Array(maps.reduce((sum, map) => sum + map.length, 0));
  let offset = 0;
  for (const map of maps) {
    all.set(map, offset);
    offset += map.length;
  }
  return quantile(all.sort(), 1 - rate);
}

/**
 * The smallest threshold above which a map [1,1,H,W] has no region (8-connected) of `leastArea` pixels. Good pictures' values, given to
 * `scoreThreshold`, make a threshold of pixels at which a stated share of good pictures has any region.
 */
export function regionScore(map: Image, leastArea: number): number {
  const { height, width } = shapeOf(map);
  const { data } = map;
  const order = Uint32Array.from(data.keys()).sort((a, b) => data[b] - data[a]);
  const parent = new Int32Array(data.length).fill(-1);
  const size = new Int32Array(data.length);
  const rootOf = (pixel: number): number => {
    let root = pixel;
    while (parent[root] !== root) root = parent[root];
    for (let at = pixel; at !== root; ) [at, parent[at]] = [parent[at], root];
    return root;
  };
  for (const pixel of order) {
    parent[pixel] = pixel;
    size[pixel] = 1;
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        if (parent[v * width + u] < 0) continue;
        const [own, other] = [rootOf(pixel), rootOf(v * width + u)];
        if (own === other) continue;
        parent[other] = own;
        size[own] += size[other];
      }
    }
    if (size[rootOf(pixel)] >= leastArea) return data[pixel];
  }
  return data[order[order.length - 1]];
}

/** Euler's constant, the mean of the standard Gumbel law. */
const EULER = 0.5772156649;

/**
 * The score that good pictures exceed at `rate`. With n scores, the next good picture exceeds the k-th smallest with
 * probability 1 - k/(n+1) (conformal prediction, Vovk et al. 2005), whatever the law; that reaches down to 1/(n+1). For a
 * smaller rate the law of maxima (Gumbel's, by its moments) is continued beyond them, and never below the largest.
 */
export function scoreThreshold(scores: readonly number[], rate: number): number {
  const n = scores.length;
  const sorted = [...scores].sort((a, b) => a - b);
  const k = Math.ceil((n + 1) * (1 - rate));
  if (k <= n) return sorted[k - 1];
  const mean = sorted.reduce((sum, v) => sum + v, 0) / n;
  const variance = sorted.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, n - 1);
  const scale = Math.sqrt((6 * variance) / Math.PI ** 2);
  const continued = mean - EULER * scale - scale * Math.log(-Math.log(1 - rate));
  return Math.max(sorted[n - 1], continued);
}
