/** The scores that evaluations report: what each is, in which unit, and which direction is better. Order is that of tables. */

export interface MetricFacts {
  readonly label: string;
  readonly about: string;
  readonly unit?: string;
  readonly digits: number;
  readonly better: 'higher' | 'lower' | 'neither';
  /** What tables show of the pictures' values; the median if not given. */
  readonly statistic?: 'mean';
  /** Shown in short tables. */
  readonly short?: boolean;
}

export const METRICS = {
  psnr: {
    label: 'PSNR',
    unit: 'dB',
    digits: 2,
    better: 'higher',
    short: true,
    about: 'Peak signal-to-noise ratio of the restored picture, the raw G(z) clipped to [-1,1], range 2.',
  },
  ssim: {
    label: 'SSIM',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Structural similarity of the same (11-pixel Gaussian window, sigma 1.5, range 2).',
  },
  psnr_composite: {
    label: 'PSNR, composite',
    unit: 'dB',
    digits: 2,
    better: 'higher',
    short: true,
    about: 'PSNR of the input with only the region that counts as corrupted filled from G(z).',
  },
  ssim_composite: {
    label: 'SSIM, composite',
    digits: 3,
    better: 'higher',
    about: 'Structural similarity of the composite.',
  },
  psnr_hole: {
    label: 'PSNR in the hole',
    unit: 'dB',
    digits: 2,
    better: 'higher',
    short: true,
    about: 'PSNR of the restored picture over the truly corrupted pixels alone.',
  },
  psnr_minmax: {
    label: 'PSNR, min-max (paper)',
    unit: 'dB',
    digits: 2,
    better: 'higher',
    about:
      "The paper's variant: both pictures first scaled to their own minimum and maximum. Not comparable with PSNR.",
  },
  mask_iou: {
    label: 'Mask IoU',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Intersection over union of the found and the true mask. Empty where the mask was given.',
  },
  mask_dice: {
    label: 'Mask Dice',
    digits: 3,
    better: 'higher',
    about: 'Dice coefficient of the found and the true mask.',
  },
  masked_share: {
    label: 'Masked share',
    digits: 3,
    better: 'neither',
    about: 'Share of the pixels in the found mask.',
  },
  true_share: {
    label: 'Corrupted share',
    digits: 3,
    better: 'neither',
    about: 'Share of the pixels that are truly corrupted.',
  },
  pixel_auroc: {
    label: 'Pixel AUROC',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Area under the ROC curve over the pixels of all pictures together.',
  },
  pixel_ap: {
    label: 'Pixel AP',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Average precision over the pixels of all pictures together.',
  },
  aupro: {
    label: 'AUPRO',
    digits: 3,
    better: 'higher',
    short: true,
    about:
      'Area under the per-region overlap curve up to a false positive rate of 0.3 (8-connected regions), normalised.',
  },
  dice_calibrated: {
    label: 'Dice, calibrated',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Dice over all pixels at one threshold that was set on good pictures alone.',
  },
  dice_oracle: {
    label: 'Dice, oracle',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Dice over all pixels at the best single threshold, which is chosen on the truth.',
  },
  image_auroc: {
    label: 'Image AUROC',
    digits: 3,
    better: 'higher',
    short: true,
    about: 'Area under the ROC curve of the picture scores, good against defective.',
  },
  auroc_paper: {
    label: 'AUROC per picture, mean (paper)',
    digits: 3,
    better: 'higher',
    statistic: 'mean',
    about:
      "The paper's variant: AUROC over the pixels of each defective picture by itself, of |M| (of the residual where a method has no mask), not smoothed; the mean over the pictures. Not comparable with the pixel AUROC.",
  },
  dice_paper: {
    label: 'Dice per picture, best of 101 thresholds, mean (paper)',
    digits: 3,
    better: 'higher',
    statistic: 'mean',
    about:
      "The paper's variant: of each defective picture the same map scaled to its own minimum and maximum, Dice at the best of the thresholds 0, 0.01, ... 1; the mean over the pictures. An oracle for every picture.",
  },
  seconds: {
    label: 'Seconds',
    unit: 's',
    digits: 2,
    better: 'lower',
    short: true,
    about: 'Wall-clock seconds per picture, compiling included.',
  },
} as const satisfies Record<string, MetricFacts>;

export type MetricName = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

export function factsOf(name: MetricName): MetricFacts {
  return METRICS[name];
}
