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
  const size = channels * positions;
  const pairs = pairsOf(groups);
  for (let n = 0; n < count; n++) {
    const values = byPosition(maps.data.subarray(n * size, (n + 1) * size), channels, positions);
    for (let p = 0; p < positions; p++) {
      if (hidden?.[n * positions + p]) continue;
      counts[p]++;
      let at = p * pairs;
      let base = p * channels;
      for (let i = base; i < base + channels; i++) {
        values[i] -= origin[i];
        sums[i] += values[i];
      }
      for (const group of groups) {
        for (let i = 0; i < group; i++) {
          const v = values[base + i];
          for (let j = 0; j <= i; j++) products[at++] += v * values[base + j];
        }
        base += group;
      }
    }
  }
  return moments;
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
