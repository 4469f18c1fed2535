/**
 * First and second moments of feature maps at each position, added up picture by picture: any union of parts has the sum of their
 * moments, so that statistics without one part cost no second pass. Channels come in groups (layers); products are kept within
 * a group only.
 */
import { shapeOf } from '../images/image.ts';
import type { Tensor } from '../onnx/tensor.ts';

export interface Moments {
  /** Channels of each group; D in all. */
  readonly groups: readonly number[];
  /** Positions along each side. */
  readonly grid: number;
  /** Maps that were added at each position: [P]; fewer where some were hidden. */
  readonly counts: Float64Array;
  /** What is subtracted from each value before it is added, for precision: [P,D], P = grid^2 positions. */
  readonly origin: Float32Array;
  /** Sums of the values: [P,D]. */
  readonly sums: Float64Array;
  /** Sums of their products: of each group the lower triangle row by row, `pairsOf(groups)` values at each position. */
  readonly products: Float32Array;
}

/** Values in the lower triangles of all groups. */
export function pairsOf(groups: readonly number[]): number {
  return groups.reduce((sum, n) => sum + (n * (n + 1)) / 2, 0);
}

/** Channels of all groups. */
export function channelsOf(groups: readonly number[]): number {
  return groups.reduce((sum, n) => sum + n, 0);
}

/** The moments of no maps; `origin` [1,D,grid,grid] is a typical map. */
export function noMoments(origin: Tensor<'float32'>, groups: readonly number[]): Moments {
  const { channels, height: grid } = shapeOf(origin);
  const positions = grid * grid;
  return {
    groups,
    grid,
    counts: new Float64Array(positions),
    origin: byPosition(origin.data, channels, positions),
    sums: new Float64Array(positions * channels),
    products: new Float32Array(positions * pairsOf(groups)),
  };
}

/**
 * The moments with the maps [N,D,grid,grid] added; the arrays of `moments` are taken over. Where `hidden` [N,P] is 1, a map is not added at
 * that position.
 */
export function withMaps(moments: Moments, maps: Tensor<'float32'>, hidden?: Uint8Array): Moments {
  const { groups, origin, counts, sums, products } = moments;
  const { count, channels, height: grid } = shapeOf(maps);
  const positions = grid * grid;
  const pairs = pairsOf(groups);
  // The maps' values at one position, map by map; maps of zeros fill the last set of MAPS_TOGETHER.
  const values = new Float64Array(channels * MAPS_TOGETHER * Math.ceil(count / MAPS_TOGETHER));
  for (let p = 0; p < positions; p++) {
    let shown = 0;
    values.fill(0);
    for (let n = 0; n < count; n++) {
      if (hidden?.[n * positions + p]) continue;
      const [to, from] = [shown * channels, n * channels * positions + p];
      for (let c = 0; c < channels; c++) {
        const value = maps.data[from + c * positions] - origin[p * channels + c];
        values[to + c] = value;
        sums[p * channels + c] += value;
      }
      shown++;
    }
    counts[p] += shown;
    for (let n = 0; n < shown; n += MAPS_TOGETHER) addProducts(groups, values, n * channels, products, p * pairs);
  }
  return moments;
}

/** Maps whose products are added at once: sums in memory are read and written once for all of them. */
const MAPS_TOGETHER = 4;

/** Adds to `products` from `at` on those of the vectors of 4 maps, which begin at `first` of `values`. */
function addProducts(
  groups: readonly number[],
  values: Float64Array,
  first: number,
  products: Float32Array,
  at: number,
): void {
  const channels = channelsOf(groups);
  let [a, to] = [first, at];
  for (const group of groups) {
    const [b, c, d] = [a + channels, a + 2 * channels, a + 3 * channels];
    for (let i = 0; i < group; i++) {
      const [va, vb, vc, vd] = [values[a + i], values[b + i], values[c + i], values[d + i]];
      for (let j = 0; j <= i; j++, to++)
        products[to] += va * values[a + j] + vb * values[b + j] + (vc * values[c + j] + vd * values[d + j]);
    }
    a += group;
  }
}

/** The moments of several parts together; all have one origin. */
export function togetherOf(parts: readonly Moments[]): Moments {
  const [first] = parts;
  const counts = new Float64Array(first.counts.length);
  const sums = new Float64Array(first.sums.length);
  const products = new Float32Array(first.products.length);
  for (const part of parts) {
    for (let i = 0; i < counts.length; i++) counts[i] += part.counts[i];
    for (let i = 0; i < sums.length; i++) sums[i] += part.sums[i];
    for (let i = 0; i < products.length; i++) products[i] += part.products[i];
  }
  return { ...first, counts, sums, products };
}

/** [D,P] to [P,D]. */
function byPosition(data: Float32Array, channels: number, positions: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let c = 0; c < channels; c++)
    for (let p = 0; p < positions; p++) turned[p * channels + c] = data[c * positions + p];
  return turned;
}
