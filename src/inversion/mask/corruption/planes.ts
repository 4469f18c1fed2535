/** What the model of corruption knows of a picture from the start: residuals and the features that its scale of noise may depend on. */
import { type Image, type Mask, shapeOf } from '../../../images/image.ts';

/** A picture, its reconstruction and their residuals as planes of double precision, [C,H,W] and [H,W]. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Pixels of a plane. */
  readonly size: number;
  /** The picture, [C,H,W]. */
  readonly x: Float64Array;
  /** Picture minus reconstruction, [C,H,W]. */
  readonly residual: Float64Array;
  /** Features of the variance at each pixel, [H,W] each, of mean square 1: see `scaleFeatures`. */
  readonly features: readonly Float64Array[];
  /** 1 where the mask is open, 0 where it is given. */
  readonly open: Uint8Array;
  /** The given value of the mask where it is not open: 1 without data and where hidden, 0 where kept. */
  readonly given: Uint8Array;
  /** 1 where there is data. */
  readonly seen: Uint8Array;
}

/** Which terms of the scale of noise are used. */
export interface ScaleTerms {
  readonly displacement: boolean;
  readonly texture: boolean;
  readonly brightness: boolean;
}

/** What is known beforehand, each [1,1,H,W], 1 = yes. */
export interface Known {
  readonly missing?: Mask;
  readonly keep?: Mask;
  readonly hide?: Mask;
}

export function planesOf(
  picture: Image,
  reconstruction: Image,
  { missing, keep, hide }: Known,
  terms: ScaleTerms,
  noise?: Image,
): Planes {
  const { channels, height, width } = shapeOf(picture);
  const size = height * width;
  const x = Float64Array.from(picture.data);
  const y = Float64Array.from(reconstruction.data);
  const seen = new Uint8Array(size).fill(1);
  const open = new Uint8Array(size).fill(1);
  const given = new Uint8Array(size);
  for (let p = 0; p < size; p++) {
    let finite = true;
    for (let c = 0; c < channels; c++) finite &&= Number.isFinite(x[c * size + p]);
    if (!finite || (missing && missing.data[p] > 0.5)) seen[p] = 0;
    if (seen[p] === 0 || (hide && hide.data[p] > 0.5)) [open[p], given[p]] = [0, 1];
    else if (keep && keep.data[p] > 0.5) open[p] = 0;
  }
  const residual = x.map((v, i) => (seen[i % size] === 1 ? v - y[i] : 0));
  const features = noise ? [meanSquare(noise, size)] : scaleFeatures(y, channels, height, width, terms);
  return { channels, height, width, size, x, residual, features, open, given, seen };
}

/** Of standard deviations [1,1|C,H,W], the variance at each pixel. */
function meanSquare(noise: Image, size: number): Float64Array {
  const variance = new Float64Array(size);
  const channels = noise.data.length / size;
  noise.data.forEach((s, i) => {
    variance[i % size] += s ** 2 / channels;
  });
  return variance;
}

/**
 * What a residual's variance may be proportional to, besides a constant: the squared gradient of the reconstruction (an edge displaced by
 * part of a pixel), its variance in a square of 5 x 5 (texture), and its squared distance from the darkest value (what shines, varies).
 */
function scaleFeatures(
  y: Float64Array,
  channels: number,
  height: number,
  width: number,
  { displacement, texture, brightness }: ScaleTerms,
): Float64Array[] {
  const size = height * width;
  const slope = new Float64Array(size);
  const rough = new Float64Array(size);
  const bright = new Float64Array(size);
  for (let c = 0; c < channels; c++) {
    const plane = y.subarray(c * size, (c + 1) * size);
    const mean = boxMean(plane, height, width, 2);
    const square = boxMean(
      plane.map((v) => v * v),
      height,
      width,
      2,
    );
    for (let p = 0; p < size; p++) {
      const [row, column] = [Math.floor(p / width), p % width];
      const across = plane[column < width - 1 ? p + 1 : p] - plane[column > 0 ? p - 1 : p];
      const down = plane[row < height - 1 ? p + width : p] - plane[row > 0 ? p - width : p];
      slope[p] += (across ** 2 + down ** 2) / (4 * channels);
      rough[p] += Math.max(0, square[p] - mean[p] ** 2) / channels;
      bright[p] += (plane[p] + 1) ** 2 / channels;
    }
  }
  return [
    new Float64Array(size).fill(1),
    ...(displacement ? [slope] : []),
    ...(texture ? [rough] : []),
    ...(brightness ? [bright] : []),
  ];
}

/** Mean over a square of `reach` pixels to each side, as far as it lies inside. */
export function boxMean(plane: Float64Array, height: number, width: number, reach: number): Float64Array {
  const along = (from: Float64Array, lines: number, line: number, count: number, stride: number) => {
    const to = new Float64Array(from.length);
    for (let k = 0; k < lines; k++) {
      const start = k * line;
      let [sum, held] = [0, 0];
      for (let i = -reach; i < count; i++) {
        if (i + reach < count) {
          sum += from[start + (i + reach) * stride];
          held++;
        }
        if (i - reach > 0) {
          sum -= from[start + (i - reach - 1) * stride];
          held--;
        }
        if (i >= 0) to[start + i * stride] = sum / held;
      }
    }
    return to;
  };
  return along(along(plane, height, width, width, 1), width, 1, height, width);
}
