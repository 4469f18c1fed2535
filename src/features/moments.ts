/**
 * First and second moments of feature maps at each position, added up picture by picture: any union of parts has the sum of their
 * moments, so that statistics without one part cost no second pass.
 */
import { shapeOf } from '../images/image.ts';
import type { Tensor } from '../onnx/tensor.ts';

export interface Moments {
  readonly channels: number;
  /** Positions along each side. */
  readonly grid: number;
  /** Maps that were added. */
  readonly count: number;
  /** What is subtracted from each value before it is added, for precision: [P,D], P = grid^2 positions. */
  readonly origin: Float32Array;
  /** Sums of the values [P,D], and of their products, the lower triangle of D x D row by row: [P,D(D+1)/2]. */
  readonly sums: Float64Array;
  readonly products: Float32Array;
}

/** The moments of no maps; `origin` [1,D,grid,grid] is a typical map. */
export function noMoments(origin: Tensor<'float32'>): Moments {
  const { channels, height: grid } = shapeOf(origin);
  const positions = grid * grid;
  return {
    channels,
    grid,
    count: 0,
    origin: byPosition(origin.data, channels, positions),
    sums: new Float64Array(positions * channels),
    products: new Float32Array((positions * channels * (channels + 1)) / 2),
  };
}

/** The moments with the maps [N,D,grid,grid] added; the arrays of `moments` are taken over. */
export function withMaps(moments: Moments, maps: Tensor<'float32'>): Moments {
  const { channels, origin, sums, products } = moments;
  const { count, height: grid } = shapeOf(maps);
  const positions = grid * grid;
  const size = channels * positions;
  const own = new Float64Array(channels);
  for (let n = 0; n < count; n++) {
    const values = byPosition(maps.data.subarray(n * size, (n + 1) * size), channels, positions);
    for (let p = 0, at = 0; p < positions; p++) {
      const base = p * channels;
      for (let i = 0; i < channels; i++) {
        const v = values[base + i] - origin[base + i];
        own[i] = v;
        sums[base + i] += v;
        for (let j = 0; j <= i; j++) products[at++] += v * own[j];
      }
    }
  }
  return { ...moments, count: moments.count + count };
}

/** The moments of several parts together; all have one origin. */
export function togetherOf(parts: readonly Moments[]): Moments {
  const [first] = parts;
  const sums = new Float64Array(first.sums.length);
  const products = new Float32Array(first.products.length);
  for (const part of parts) {
    part.sums.forEach((v, i) => {
      sums[i] += v;
    });
    part.products.forEach((v, i) => {
      products[i] += v;
    });
  }
  return { ...first, count: parts.reduce((sum, { count }) => sum + count, 0), sums, products };
}

/** [D,P] to [P,D]. */
function byPosition(data: Float32Array, channels: number, positions: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let c = 0; c < channels; c++)
    for (let p = 0; p < positions; p++) turned[p * channels + c] = data[c * positions + p];
  return turned;
}
