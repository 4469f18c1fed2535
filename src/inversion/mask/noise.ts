/**
 * How far a picture is from what the generator can make, found from the picture itself: the scale of its inlying residuals.
 * The mask must not start below it, or it takes in texture that no latent explains.
 */
import type { Mask } from '../../images/image.ts';
import { float32Data, type Tensor } from '../../onnx/tensor.ts';

/** A residual above this many medians of the inliers is an outlier: five medians are 3.4 standard deviations of a normal law. */
const MEDIANS = 5;

/** No inlier is further off: a quarter of the range. Where more than half looks corrupted, the fixed point takes in the corruption. */
const MAX_GREY = 64;

const ROUNDS = 10;

/**
 * For each image of `x` and `y` [n,C,H,W] the residual, in grey levels (mean absolute over the channels), from which on a
 * pixel is no inlier: the fixed point of t = 5 median{ r : r < t }. It begins at the lower quartile, so that it holds where
 * up to about half of the pixels are corrupted. Pixels that are `missing` (1, [n,1,H,W]) do not count.
 */
export function outlierThresholdsMeanAbsolute(x: Tensor, y: Tensor, missing?: Mask): number[] {
  const [n, channels, height, width] = x.dims;
  const plane = height * width;
  const [a, b] = [float32Data(x), float32Data(y)];
  return Array.from({ length: n }, (_, image) => {
    const residuals = new Float32Array(plane);
    for (let c = 0; c < channels; c++) {
      const at = (image * channels + c) * plane;
      for (let p = 0; p < plane; p++) residuals[p] += Math.abs(a[at + p] - b[at + p]) / channels;
    }
    const seen = missing ? residuals.filter((_, p) => missing.data[image * plane + p] < 0.5) : residuals;
    return Math.min(MAX_GREY, 127.5 * fixedPoint(seen.sort()));
  });
}

function fixedPoint(sorted: Float32Array): number {
  if (sorted.length === 0) return 0;
  // The lower quartile of a half-normal law is about half its median.
  let threshold = MEDIANS * 2 * sorted[Math.floor(sorted.length / 4)];
  for (let round = 0; round < ROUNDS; round++) {
    let inliers = sorted.findIndex((r) => r >= threshold);
    if (inliers < 0) inliers = sorted.length;
    if (inliers === 0) return 0;
    threshold = MEDIANS * sorted[Math.floor(inliers / 2)];
  }
  return threshold;
}
