/** The scores of one restoration, the clean picture and the true mask being known. */
import { clip, coverage, type Image, type Mask } from '../../images/image.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import { limited, psnr, psnrMinMaxScaled, ssim } from '../../metrics/fidelity.ts';
import { dice, iou } from '../../metrics/overlap.ts';
import type { MetricName } from '../metrics.ts';

/** The smallest picture that has an SSIM. */
const SSIM_SIDE = 11;

export interface Known {
  /** [1,C,H,W] in [-1,1]. */
  readonly truth: Image;
  /** [1,1,H,W], 1 = corrupted. */
  readonly mask: Mask;
  /** Was the method given the mask? Then there is no score of finding it. */
  readonly maskGiven: boolean;
}

/** Null where a score has no meaning: SSIM of tiny pictures, the mask where it was given, the hole where there is none. */
export function scoresOf(
  restoration: Pick<Restoration, 'restored' | 'composite' | 'mask'>,
  { truth, mask, maskGiven }: Known,
): Partial<Record<MetricName, number | null>> {
  const { restored, composite } = restoration;
  const small = Math.min(...truth.dims.slice(-2)) < SSIM_SIDE;
  const similarity = (image: Image) => (small ? null : ssim(image, truth));
  return {
    psnr: limited(psnr(restored, truth)),
    ssim: similarity(restored),
    psnr_composite: limited(psnr(composite, truth)),
    ssim_composite: similarity(composite),
    psnr_hole: psnrInside(restored, truth, mask),
    psnr_minmax: limited(psnrMinMaxScaled(restored, truth)),
    mask_iou: maskGiven ? null : iou(mask.data, restoration.mask.data),
    mask_dice: maskGiven ? null : dice(mask.data, restoration.mask.data),
    masked_share: maskGiven ? null : coverage(restoration.mask.data),
    true_share: coverage(mask.data),
  };
}

/** PSNR (range 2) over the pixels where the mask is 1; null where it is 0 everywhere. */
export function psnrInside(image: Image, truth: Image, mask: Mask): number | null {
  const plane = mask.data.length;
  const shown = clip(image);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < shown.data.length; i++) {
    if (!(mask.data[i % plane] > 0.5)) continue;
    sum += (shown.data[i] - truth.data[i]) ** 2;
    count++;
  }
  return count === 0 ? null : limited(10 * Math.log10((4 * count) / sum));
}
