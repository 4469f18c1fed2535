/**
 * Corruptions with a known mask: a region (where) and a fill (what). Values are added in float after scaling and never
 * clipped, so that corrupted pixels are no constant that a threshold could find; keep them in `.npy`, not in 8 bits.
 */
import { RgiError } from '../errors.ts';
import { zeros } from '../onnx/tensor.ts';
import { type Random, streamOf } from '../random.ts';
import { type Image, imagesOf, type Mask, shapeOf } from './image.ts';
import { drawRegion, type Region } from './regions.ts';
import { gaussianBlur } from './resize.ts';

export type Fill =
  /** Independent N(mean, deviation) per channel in place of the pixel; default N(-1, 1), the paper's. */
  | { readonly kind: 'normal'; readonly mean?: number; readonly deviation?: number }
  /** x + N(mean, deviation) per channel; default N(0.5, 1), the paper's small deviation. */
  | { readonly kind: 'deviation'; readonly mean?: number; readonly deviation?: number }
  /**
   * x + a smooth random field of standard deviation `amplitude` (default 0.7), Gaussian with a correlation width of
   * `width` of the shorter side (default 0.06), + N(0, noise) (default 0.1).
   */
  | { readonly kind: 'smooth'; readonly amplitude?: number; readonly width?: number; readonly noise?: number }
  /** One value, or one per channel, in [-1,1]; default -1 (black). */
  | { readonly kind: 'constant'; readonly value?: number | readonly number[] };

/** A corruption: where a picture is damaged, and by what values. */
export interface Corruption {
  /** Where: a shape, drawn anew for each picture. */
  readonly region: Region;
  /** With what; default independent N(-1, 1) per channel, the paper's. */
  readonly fill?: Fill;
}

export interface Corrupted {
  readonly image: Image;
  /** [N,1,H,W], 1 = corrupted. */
  readonly mask: Mask;
}

/** Fills by name; `white` is the white noise N(1, 1). */
export const FILLS = {
  normal: { kind: 'normal' },
  white: { kind: 'normal', mean: 1 },
  deviation: { kind: 'deviation' },
  smooth: { kind: 'smooth' },
  constant: { kind: 'constant' },
} as const satisfies Record<string, Fill>;

/** The paper's corruptions of pictures of 128 x 128, as in the authors' released code, N(-1, 1) each. */
export const PAPER_CORRUPTIONS = {
  'celeba-block': { region: { kind: 'paper-block', half: 32 } },
  'celeba-random': { region: { kind: 'random', count: 4 * 45 ** 2 } },
  'cars-block': { region: { kind: 'paper-block', half: 16 } },
  'cars-random': { region: { kind: 'random', count: 4 * 32 ** 2 } },
} as const satisfies Record<string, Corruption>;

/**
 * Corrupts every image of a batch, each with its own region and values. Image i depends on (seed, first + i) alone, so
 * a batch equals its images done one by one; the mask does not depend on the fill.
 *
 * @example
 * ```ts
 * import { corrupt, float32 } from 'rgi';
 *
 * const picture = float32(new Float32Array(3 * 32 * 32), [1, 3, 32, 32]);
 * const { image, mask } = corrupt(picture, { region: { kind: 'block', share: 0.25 } }, 1);
 * console.log(image.dims.join(' x '), mask.dims.join(' x ')); // 1 x 3 x 32 x 32 1 x 1 x 32 x 32
 * console.log(mask.data.reduce((sum, v) => sum + v, 0)); // 256
 * ```
 */
export function corrupt(image: Image, { region, fill }: Corruption, seed = 0, first = 0): Corrupted {
  const { count, height, width } = shapeOf(image);
  const mask = zeros('float32', [count, 1, height, width]);
  for (let n = 0; n < count; n++) {
    mask.data.set(drawRegion(region, { height, width }, streamOf(seed, first + n, 1)), n * height * width);
  }
  return { image: fillMasked(image, mask, fill, seed, first), mask };
}

/** The images with the pixels of a given mask replaced; all others are untouched. */
export function fillMasked(image: Image, mask: Mask, fill: Fill = FILLS.normal, seed = 0, first = 0): Image {
  const { count, channels, height, width } = shapeOf(image);
  const plane = height * width;
  if (mask.dims.join() !== [count, 1, height, width].join()) {
    throw new RgiError(
      'input',
      `A mask of [${mask.dims.join(', ')}] does not fit images of [${image.dims.join(', ')}]; [${count}, 1, ${height}, ${width}] does.`,
    );
  }
  const out = { ...image, data: image.data.slice() };
  imagesOf(image).forEach((one, n) => {
    const values = filled(one, fill, streamOf(seed, first + n, 2));
    for (let i = 0; i < plane; i++) {
      if (!(mask.data[n * plane + i] > 0.5)) continue;
      for (let c = 0; c < channels; c++) out.data[(n * channels + c) * plane + i] = values[c * plane + i];
    }
  });
  return out;
}

/** The whole picture as the fill would have it. */
function filled(image: Image, fill: Fill, random: Random): Float32Array {
  const { channels, height, width } = shapeOf(image);
  switch (fill.kind) {
    case 'normal': {
      const { mean = -1, deviation = 1 } = fill;
      return image.data.map(() => mean + deviation * random.normal());
    }
    case 'deviation': {
      const { mean = 0.5, deviation = 1 } = fill;
      return image.data.map((v) => v + mean + deviation * random.normal());
    }
    case 'smooth': {
      const { amplitude = 0.7, width: share = 0.06, noise = 0.1 } = fill;
      const field = smoothField(channels, height, width, share * Math.min(height, width), random);
      return image.data.map((v, i) => v + amplitude * field[i] + noise * random.normal());
    }
    case 'constant': {
      const { value = -1 } = fill;
      const values = typeof value === 'number' ? new Array<number>(channels).fill(value) : value;
      if (values.length !== channels) {
        throw new RgiError(
          'usage',
          `A constant fill has one value or ${channels}, one per channel, not ${values.length}.`,
        );
      }
      return image.data.map((_, i) => values[Math.floor(i / (height * width))]);
    }
  }
}

/** Gaussian random fields [C,H,W] of mean 0 and standard deviation 1: white noise smoothed, without border effects. */
function smoothField(channels: number, height: number, width: number, sigma: number, random: Random): Float32Array {
  const margin = Math.ceil(4 * sigma) + 1;
  const [h, w] = [height + 2 * margin, width + 2 * margin];
  const noise: Image = { type: 'float32', dims: [1, channels, h, w], data: random.normals(channels * h * w) };
  const smooth = gaussianBlur(noise, sigma).data;
  // Smoothing white noise leaves the variance sum of k^2 per axis.
  let norm = 0;
  let total = 0;
  for (let k = -Math.floor(4 * sigma + 0.5); k <= Math.floor(4 * sigma + 0.5); k++) {
    const weight = Math.exp(-0.5 * (k / sigma) ** 2);
    total += weight;
    norm += weight * weight;
  }
  const scale = total ** 2 / norm;
  const out = new Float32Array(channels * height * width);
  for (let c = 0, at = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[at++] = scale * smooth[(c * h + y + margin) * w + x + margin];
    }
  }
  return out;
}
