/** How large the residuals of good pictures are. */
import { quantile } from '../arrays/sort.ts';
import { shapeOf } from '../images/image.ts';
import type { Restored } from './folds.ts';

/** The range of the threshold, in grey levels. */
const MIN_GREY = 4;
const MAX_GREY = 255;

export interface ResidualScale {
  /** Mean |r|, in units of [-1,1]. */
  readonly absolute: number;
  /** The median of a pixel's mean |r|, in grey levels. */
  readonly medianGrey: number;
  /** The residual (mean |r| of a pixel's channels), in grey levels, that the share `maskedShare` of the pixels exceeds. */
  readonly outlierGrey: number;
}

/** Of good pictures and what was made of them; `maskedShare`, in (0,1), of their pixels may be masked. */
export function residualScale(pictures: readonly Restored[], maskedShare: number): ResidualScale {
  const { channels } = shapeOf(pictures[0].image);
  const perPixel = pictures.map(({ image, restored }) => {
    const plane = image.data.length / channels;
    const sizes = new Float32Array(plane);
    for (let i = 0; i < image.data.length; i++)
      sizes[i % plane] += Math.abs(image.data[i] - restored.data[i]) / channels;
    return sizes;
  });
  const all = Float32Array.from(perPixel.flatMap((sizes) => [...sizes])).sort();
  const absolute = all.reduce((sum, v) => sum + v, 0) / all.length;
  const outlierGrey = Math.min(MAX_GREY, Math.max(MIN_GREY, 127.5 * quantile(all, 1 - maskedShare)));
  return { absolute, medianGrey: 127.5 * quantile(all, 0.5), outlierGrey };
}
