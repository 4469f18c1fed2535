/**
 * What tuned weights are not shown. A latent cannot make corruption that the mask has missed; weights can, and since they lower the loss
 * most where it is largest, they make that first. So gross outliers among the visible pixels are hidden from them, whatever the mask that
 * is reported says of them: a detail that the generator lacks is off by a few times what it is off elsewhere, missed corruption by more.
 */
import type { Mask } from '../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { isAdaptive, type Method } from '../spec/method.ts';
import { outlierThresholdsMeanAbsolute } from './noise.ts';

/** A visible pixel is a gross outlier from this multiple of the outlier threshold on: ten medians of the inliers. */
export const GROSS = 2;

/**
 * The masks [n,1,H,W] for weights to be tuned by: those that were `found`, and the gross outliers of pictures `x` from what was made of
 * them, `y` [n,C,H,W]. Where the user has chosen the threshold, it decides alone.
 */
export function tuningMasks(method: Method, found: Mask, x: Tensor, y: Tensor, missing?: Mask, gross = GROSS): Mask {
  if (!isAdaptive(method)) return found;
  const [n, channels, height, width] = x.dims;
  const plane = height * width;
  const [a, b] = [x, y].map(float32Data);
  const thresholds = outlierThresholdsMeanAbsolute(x, y, missing);
  const masks = float32Data(found).slice();
  for (let image = 0; image < n; image++) {
    const limit = (gross * thresholds[image]) / 127.5;
    for (let p = 0; p < plane; p++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        const at = (image * channels + c) * plane + p;
        sum += Math.abs(a[at] - b[at]);
      }
      if (sum / channels > limit) masks[image * plane + p] = 1;
    }
  }
  return float32(masks, found.dims);
}
