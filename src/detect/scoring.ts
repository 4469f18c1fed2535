/**
 * Anomaly scoring: from residuals to an anomaly map. Residuals of good pictures vary from pixel to pixel (large at an edge whose
 * position varies, small on a flat face), and their channels are correlated. A smoothed residual r is therefore scored by its
 * Mahalanobis distance to good residuals, of mean m and covariance S:
 *     sqrt((r - m)' S^-1 (r - m) / C),
 * which is about 1 where a picture is good.
 */
import { type Image, shapeOf } from '../images/image.ts';
import { gaussianBlur } from '../images/resize.ts';
import { float32, zeros } from '../onnx/tensor.ts';
import { normaliseContrast } from './local-contrast.ts';
import type { PolicySettings, Statistics } from './policy.ts';

export type ScoringSettings = PolicySettings['evidence'];

/** x - G(z), smoothed: [1,C,H,W]. */
export function smoothedResidual(image: Image, restored: Image, blur: number): Image {
  const residual = { ...image, data: image.data.map((v, i) => v - restored.data[i]) };
  return gaussianBlur(residual, blur);
}

/** The anomaly map [1,1,H,W] of one picture. */
export function anomalyMap(image: Image, restored: Image, statistics: Statistics, settings: ScoringSettings): Image {
  const residual = smoothedResidual(image, restored, settings.blur);
  return finishedMap(standardised(residual, statistics), settings);
}

/** A raw map, normalised by its local contrast where the policy says so, and smoothed. */
export function finishedMap(
  raw: Image,
  { surround, smoothing }: Pick<ScoringSettings, 'surround' | 'smoothing'>,
): Image {
  return gaussianBlur(surround ? normaliseContrast(raw, surround) : raw, smoothing);
}

/** |W (r - m)| / sqrt(C) per pixel, W being lower triangular: [1,1,H,W]. */
export function standardised(residual: Image, { location, whitening }: Statistics): Image {
  const { channels, height, width } = shapeOf(residual);
  const plane = height * width;
  const each = location.dims[2] * location.dims[3];
  const map = zeros('float32', [1, 1, height, width]);
  const centred = new Float64Array(channels);
  for (let p = 0; p < plane; p++) {
    const at = each === 1 ? 0 : p;
    for (let c = 0; c < channels; c++) centred[c] = residual.data[c * plane + p] - location.data[c * each + at];
    let sum = 0;
    let row = 0;
    for (let c = 0; c < channels; c++) {
      let value = 0;
      for (let k = 0; k <= c; k++) value += whitening.data[(row + k) * each + at] * centred[k];
      row += c + 1;
      sum += value * value;
    }
    map.data[p] = Math.sqrt(sum / channels);
  }
  return map;
}

/** Lower bound of a residual's standard deviation: one grey level, more than the rounding to 8 bits. */
const MIN_DEVIATION = 1 / 127.5;

/** Weight of the pooled covariance in each pixel's own, and the sigma over which covariances of neighbours are averaged. */
const SHRINKAGE = 0.1;
const NEIGHBOURS = 1.5;

/**
 * Mean and covariance of residuals (each [1,C,H,W]). Covariances per pixel are poorly estimated from few pictures: they are averaged
 * over neighbouring pixels and shrunk towards the covariance pooled over all pixels.
 */
export function residualStatistics(residuals: readonly Image[], perPixel: boolean): Statistics {
  const { channels, height, width } = shapeOf(residuals[0]);
  const plane = height * width;
  const pairs = (channels * (channels + 1)) / 2;
  const total = residuals.length;
  const location = zeros('float32', [1, channels, perPixel ? height : 1, perPixel ? width : 1]);
  if (perPixel) {
    for (const { data } of residuals) for (let i = 0; i < data.length; i++) location.data[i] += data[i] / total;
  }
  const covariance = zeros('float32', [1, pairs, height, width]);
  const mean = new Float64Array(pairs);
  let values = 0;
  for (const residual of residuals) {
    const own = shapeOf(residual);
    const area = own.height * own.width;
    values += area;
    for (let c = 0, pair = 0; c < channels; c++) {
      for (let k = 0; k <= c; k++, pair++) {
        let sum = 0;
        for (let p = 0; p < area; p++) {
          const [a, b] = [c * area + p, k * area + p];
          const product = perPixel
            ? (residual.data[a] - location.data[a]) * (residual.data[b] - location.data[b])
            : residual.data[a] * residual.data[b];
          sum += product;
          if (perPixel) covariance.data[pair * plane + p] += product / total;
        }
        mean[pair] += sum;
      }
    }
  }
  for (let pair = 0; pair < pairs; pair++) mean[pair] /= values;
  if (!perPixel) return { location, whitening: float32(whiteningOf(mean, channels), [1, pairs, 1, 1]) };
  const smooth = gaussianBlur(covariance, NEIGHBOURS);
  const whitening = zeros('float32', [1, pairs, height, width]);
  const own = new Float64Array(pairs);
  for (let p = 0; p < plane; p++) {
    for (let i = 0; i < pairs; i++) own[i] = (1 - SHRINKAGE) * smooth.data[i * plane + p] + SHRINKAGE * mean[i];
    whiteningOf(own, channels).forEach((v, i) => {
      whitening.data[i * plane + p] = v;
    });
  }
  return { location, whitening };
}

/** The inverse of Cholesky's factor of a covariance given by its lower triangle, with `MIN_DEVIATION` squared added to the diagonal. */
function whiteningOf(covariance: ArrayLike<number>, n: number): Float32Array {
  const at = (i: number, j: number) => (i * (i + 1)) / 2 + j;
  const factor = new Float64Array(covariance.length);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = covariance[at(i, j)] + (i === j ? MIN_DEVIATION ** 2 : 0);
      for (let k = 0; k < j; k++) sum -= factor[at(i, k)] * factor[at(j, k)];
      factor[at(i, j)] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[at(j, j)];
    }
  }
  const inverse = new Float32Array(covariance.length);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= factor[at(i, k)] * inverse[at(k, j)];
      inverse[at(i, j)] = sum / factor[at(i, i)];
    }
  }
  return inverse;
}
