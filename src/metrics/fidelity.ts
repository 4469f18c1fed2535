/**
 * How near a restored picture is to the truth: PSNR and SSIM, in float64, as scikit-image computes them. One picture at
 * a time ([C,H,W] or [1,C,H,W]); means and medians over pictures are the caller's.
 */
import { RgiError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';

/** Width of the values' range: 2 for images in [-1,1]. */
const RANGE = 2;

type Picture = Tensor<'float32'>;

/** Equal pictures have an infinite PSNR, of which there is no mean; float32 does not tell pictures nearer than this apart. */
export const PSNR_LIMIT = 150;

/** A PSNR in dB, at most `PSNR_LIMIT`: a number that can be averaged, printed and stored as JSON. */
export function limited(decibels: number): number {
  return Math.min(PSNR_LIMIT, decibels);
}

/** Mean squared error over all values of two pictures of one shape. */
export function meanSquaredError(a: Picture, b: Picture): number {
  sameShape(a, b);
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return sum / a.data.length;
}

/**
 * Peak signal-to-noise ratio in dB, 10 log10(range^2 / MSE); infinity where the pictures are equal.
 *
 * @example
 * ```ts
 * import { float32, psnr } from 'rgi';
 *
 * const clean = float32(new Float32Array(12), [1, 3, 2, 2]);
 * const noisy = float32(new Float32Array(12).fill(0.2), [1, 3, 2, 2]);
 * console.log(psnr(noisy, clean).toFixed(1)); // 20.0
 * ```
 */
export function psnr(a: Picture, b: Picture, range = RANGE): number {
  return decibels(range ** 2 / meanSquaredError(a, b));
}

/**
 * The paper's PSNR: each picture is first scaled so that its own minimum and maximum become 0 and 1 (a constant picture
 * becomes 0), then range 1. It ignores differences of brightness and contrast; give `psnr` beside it.
 */
export function psnrMinMaxScaled(a: Picture, b: Picture): number {
  sameShape(a, b);
  const p = minMaxScaled(a.data);
  const q = minMaxScaled(b.data);
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += (p[i] - q[i]) ** 2;
  return decibels(p.length / sum);
}

function decibels(ratio: number): number {
  return 10 * Math.log10(ratio);
}

/** Scaled linearly so that the smallest value is 0 and the largest 1; zeros where all are equal. */
export function minMaxScaled(values: ArrayLike<number>): Float64Array {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  const span = high - low || 1;
  return Float64Array.from(values, (v) => (v - low) / span);
}

const RADIUS = 5;

/** Weights of SSIM's window along one axis: 11 pixels of a Gaussian of sigma 1.5, their sum 1. */
export const SSIM_WINDOW: Float64Array = (() => {
  const window = Float64Array.from({ length: 2 * RADIUS + 1 }, (_, i) => Math.exp(-0.5 * ((i - RADIUS) / 1.5) ** 2));
  const total = window.reduce((sum, w) => sum + w, 0);
  return window.map((w) => w / total);
})();

/** What keeps SSIM's quotients finite, for the range of pictures in [-1,1]: (0.01 range)^2 and (0.03 range)^2. */
export const SSIM_CONSTANTS = ssimConstants(RANGE);

function ssimConstants(range: number): { readonly c1: number; readonly c2: number } {
  return { c1: (0.01 * range) ** 2, c2: (0.03 * range) ** 2 };
}

/**
 * Structural similarity (Wang et al. 2004): 11-pixel Gaussian window of sigma 1.5, population covariance, K1 = 0.01,
 * K2 = 0.03, mean over the windows that lie inside the picture, then over channels. Sides of 11 pixels at least.
 */
export function ssim(a: Picture, b: Picture, range = RANGE): number {
  sameShape(a, b);
  const [channels, height, width] = a.dims.slice(-3);
  if (height < SSIM_WINDOW.length || width < SSIM_WINDOW.length) {
    throw new RgiError('input', `SSIM needs pictures of at least 11 x 11 pixels, not ${height} x ${width}.`);
  }
  const plane = height * width;
  let sum = 0;
  for (let c = 0; c < channels; c++) {
    const x = Float64Array.from(a.data.subarray(c * plane, (c + 1) * plane));
    const y = Float64Array.from(b.data.subarray(c * plane, (c + 1) * plane));
    sum += planeSimilarity(x, y, height, width, range);
  }
  return sum / channels;
}

function planeSimilarity(x: Float64Array, y: Float64Array, height: number, width: number, range: number): number {
  const { c1, c2 } = ssimConstants(range);
  const windowed = (map: Float64Array) => windowMeans(map, height, width);
  const product = (p: Float64Array, q: Float64Array) => windowed(p.map((v, i) => v * q[i]));
  const mx = windowed(x);
  const my = windowed(y);
  const xx = product(x, x);
  const yy = product(y, y);
  const xy = product(x, y);
  let sum = 0;
  for (let i = 0; i < mx.length; i++) {
    const covariance = xy[i] - mx[i] * my[i];
    const spread = xx[i] - mx[i] ** 2 + yy[i] - my[i] ** 2;
    sum += ((2 * mx[i] * my[i] + c1) * (2 * covariance + c2)) / ((mx[i] ** 2 + my[i] ** 2 + c1) * (spread + c2));
  }
  return sum / mx.length;
}

/** Gaussian means of every window that lies inside the map: [height - 10, width - 10]. */
function windowMeans(map: Float64Array, height: number, width: number): Float64Array {
  const inner = width - 2 * RADIUS;
  const rows = new Float64Array(height * inner);
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < SSIM_WINDOW.length; k++) {
      const from = y * width + k;
      for (let x = 0; x < inner; x++) rows[y * inner + x] += SSIM_WINDOW[k] * map[from + x];
    }
  }
  const out = new Float64Array((height - 2 * RADIUS) * inner);
  for (let start = 0; start < out.length; start += inner) {
    for (let k = 0; k < SSIM_WINDOW.length; k++) {
      const from = start + k * inner;
      for (let x = 0; x < inner; x++) out[start + x] += SSIM_WINDOW[k] * rows[from + x];
    }
  }
  return out;
}

function sameShape(a: Picture, b: Picture): void {
  const shape = (t: Picture) => (t.dims.length === 4 && t.dims[0] === 1 ? t.dims.slice(1) : t.dims);
  const [p, q] = [shape(a), shape(b)];
  if (p.length !== 3 || p.join() !== q.join()) {
    throw new RgiError(
      'input',
      `Two pictures of one shape [C,H,W] are compared, not [${a.dims.join(', ')}] with [${b.dims.join(', ')}].`,
    );
  }
}
