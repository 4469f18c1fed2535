/** Pictures as their files store them: interleaved integers, read and written in windows, so that floats are needed for windows only. */
import { zeros } from '../../onnx/tensor.ts';
import type { Box, Image, Size } from '../image.ts';

/** A whole picture. */
export interface Raster extends Size {
  /** Rows, columns, channels; 8 or 16 bits. */
  readonly data: Uint8Array | Uint16Array;
  /** Colour channels: 1 grey, 3 RGB, 4 CMYK. */
  readonly colours: 1 | 3 | 4;
  /** Does an alpha channel follow the colours, not multiplied into them? */
  readonly alpha: boolean;
}

function halfRange({ data }: Pick<Raster, 'data'>): number {
  return (data instanceof Uint16Array ? 65535 : 255) / 2;
}

/** The colours in a box, [1,colours,h,w] in [-1,1]. */
export function windowOf(raster: Raster, { top, left, height, width }: Box): Image {
  const { data, colours, alpha } = raster;
  const channels = colours + (alpha ? 1 : 0);
  const half = halfRange(raster);
  const out = zeros('float32', [1, colours, height, width]);
  for (let y = 0, at = 0; y < height; y++) {
    let from = ((top + y) * raster.width + left) * channels;
    for (let x = 0; x < width; x++, at++, from += channels) {
      for (let c = 0; c < colours; c++) out.data[c * height * width + at] = data[from + c] / half - 1;
    }
  }
  return out;
}

/** Writes one pixel of a window back, clipped and rounded; `values` [1,colours,h,w] in [-1,1], `at` its place in a plane. */
export function writePixel(raster: Raster, y: number, x: number, { data: values }: Image, at: number): void {
  const { data, colours, alpha, width } = raster;
  const half = halfRange(raster);
  const plane = values.length / colours;
  const to = (y * width + x) * (colours + (alpha ? 1 : 0));
  for (let c = 0; c < colours; c++) {
    data[to + c] = Math.min(2 * half, Math.max(0, Math.round((values[c * plane + at] + 1) * half)));
  }
}
