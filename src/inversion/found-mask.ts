/**
 * The mask that is told where a picture's own residuals set the threshold. While the search goes on, M leaves out what is
 * thin or faint (it is soft, and coherent): so the search is safe. Once it has ended, the residuals themselves say what is
 * corrupted, as edges are found (hysteresis: Canny 1986): what is surely gross, and what is connected to it and no inlier.
 */
import { connectedComponents } from '../arrays/components.ts';
import { type Image, type Mask, shapeOf } from '../images/image.ts';
import { float32 } from '../onnx/tensor.ts';

/** Residuals (RMS over the channels, grey levels) from which a pixel is surely gross, and below which it is none. */
const SURE_GREY = 32;
const LEAST_GREY = 20;

/** A pixel is surely gross from so many times the residual on from which it is no inlier. */
const SURE = 2;

export interface FoundMask {
  readonly mask: Mask;
  /** What the squared loss's exact mask is at the lower of the two thresholds; 0 where the mask is. */
  readonly softMask: Mask;
}

/** `residual` [1,1,H,W] in units of [-1,1]; `grossGrey`: see `grossThresholds`. */
export function foundMask(residual: Image, grossGrey: number): FoundMask {
  const { height, width } = shapeOf(residual);
  const least = Math.max(LEAST_GREY, grossGrey) / 127.5;
  const sure = Math.max(SURE_GREY, SURE * grossGrey) / 127.5;
  const { labels, count } = connectedComponents(
    residual.data.map((r) => (r > least ? 1 : 0)),
    height,
    width,
  );
  const isGross = new Uint8Array(count + 1);
  residual.data.forEach((r, i) => {
    if (r > sure) isGross[labels[i]] = 1;
  });
  const mask = float32(
    residual.data.map((_, i) => isGross[labels[i]]),
    residual.dims,
  );
  const softMask = float32(
    residual.data.map((r, i) => mask.data[i] * squaredMask(r, least)),
    residual.dims,
  );
  return { mask, softMask };
}

/** The squared loss's exact mask at a residual r: it starts at the threshold t and tends to 1. */
export function squaredMask(r: number, t: number): number {
  return r > t ? 1 - (t / r) ** 2 : 0;
}
