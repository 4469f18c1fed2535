/**
 * Where a generator's picture lies in a picture of another size, and maps of the generator's size seen from there.
 *
 * Coordinates are continuous: pixel i spans [i, i + 1].
 */
import { float32, zeros } from '../../onnx/tensor.ts';
import type { Box, Image, Size } from '../image.ts';
import { type Placement, resize } from '../resize.ts';

/** A generator's picture in another picture. */
export interface Frame {
  /** The generator's size. */
  readonly size: Size;
  /** The part of the generator's picture that shows the other picture: the rest are margins. */
  readonly inner: Box;
  /** [a, b, e, c, d, f]: generator u = a x + b y + e and v = c x + d y + f at x, y of the picture. */
  readonly matrix: readonly [number, number, number, number, number, number];
}

/** The frame of a crop that is resized into the generator's picture. */
export function frameOf({ crop, inner }: Placement, { height, width }: Size): Frame {
  const [across, down] = [inner.width / crop.width, inner.height / crop.height];
  const matrix = [across, 0, inner.left - across * crop.left, 0, down, inner.top - down * crop.top] as const;
  return { size: { height, width }, inner, matrix };
}

/** Picture pixels that one of the generator's covers, along a side: above 1 the picture is finer. */
export function scaleOf({ matrix: [a, b, , c, d] }: Frame): number {
  return 1 / Math.sqrt(Math.abs(a * d - b * c));
}

/**
 * A map of the generator's size made ready to be sampled: where the picture is coarser than the map, reduced to the picture's scale, so
 * that nothing aliases.
 */
export interface FramedMap {
  readonly image: StoredMap;
  readonly frame: Frame;
}

/** A picture or map [1,C,H,W], as floats or, to save memory, as integers: `unit` times the stored value, plus `offset`. */
export interface StoredMap {
  readonly data: Float32Array | Uint8Array | Uint16Array;
  readonly dims: readonly number[];
  readonly unit?: number;
  readonly offset?: number;
}

export function framed(map: StoredMap, frame: Frame): FramedMap {
  const scale = scaleOf(frame);
  if (scale >= 1) return { image: map, frame };
  const { unit = 1, offset = 0 } = map;
  const image = float32(
    Float32Array.from(map.data, (v) => unit * v + offset),
    map.dims,
  );
  const { height, width } = frame.size;
  const size = { height: Math.max(1, Math.round(scale * height)), width: Math.max(1, Math.round(scale * width)) };
  const [across, down] = [size.width / width, size.height / height];
  const [a, b, e, c, d, f] = frame.matrix;
  const { inner } = frame;
  return {
    image: resize(image, size),
    frame: {
      size,
      inner: {
        top: inner.top * down,
        left: inner.left * across,
        height: inner.height * down,
        width: inner.width * across,
      },
      matrix: [across * a, across * b, across * e, down * c, down * d, down * f],
    },
  };
}

/** Keys' cubic (1981, a = -1/2), which is Catmull and Rom's: exact for parabolas, hardly any ringing. */
function cubicWeights(t: number, out: Float64Array): void {
  out[0] = ((-0.5 * t + 1) * t - 0.5) * t;
  out[1] = (1.5 * t - 2.5) * t * t + 1;
  out[2] = ((-1.5 * t + 2) * t + 0.5) * t;
  out[3] = (0.5 * t - 0.5) * t * t;
}

/** The values of a map in a box of the picture: [1,C,h,w]. Beyond the map's border, its border continues. */
export function sampleCubic({ image, frame }: FramedMap, box: Box): Image {
  const [, channels, height, width] = image.dims;
  const { unit = 1, offset = 0 } = image;
  const out = zeros('float32', [1, channels, box.height, box.width]);
  const [a, b, e, c, d, f] = frame.matrix;
  const [wx, wy] = [new Float64Array(4), new Float64Array(4)];
  const columns = new Int32Array(4);
  const plane = box.height * box.width;
  for (let y = 0, at = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++, at++) {
      const [px, py] = [box.left + x + 0.5, box.top + y + 0.5];
      const [u, v] = [a * px + b * py + e - 0.5, c * px + d * py + f - 0.5];
      const [u0, v0] = [Math.floor(u), Math.floor(v)];
      cubicWeights(u - u0, wx);
      cubicWeights(v - v0, wy);
      for (let k = 0; k < 4; k++) columns[k] = clamped(u0 - 1 + k, width);
      for (let ch = 0; ch < channels; ch++) {
        let sum = 0;
        for (let j = 0; j < 4; j++) {
          const row = (ch * height + clamped(v0 - 1 + j, height)) * width;
          let along = 0;
          for (let k = 0; k < 4; k++) along += wx[k] * image.data[row + columns[k]];
          sum += wy[j] * along;
        }
        out.data[ch * plane + at] = unit * sum + offset;
      }
    }
  }
  return out;
}

/** One row of a map [1,1,H,W] at the picture's row `y`, bilinear; `beyond` outside of the part that shows the picture. */
export function sampleRow({ image, frame }: FramedMap, y: number, out: Float32Array, beyond = 0): void {
  const [, , height, width] = image.dims;
  const { unit = 1, offset = 0 } = image;
  const { inner, matrix } = frame;
  const [a, b, e, c, d, f] = matrix;
  const [right, bottom] = [inner.left + inner.width, inner.top + inner.height];
  for (let x = 0; x < out.length; x++) {
    const u = a * (x + 0.5) + b * (y + 0.5) + e;
    const v = c * (x + 0.5) + d * (y + 0.5) + f;
    if (u < inner.left || u > right || v < inner.top || v > bottom) {
      out[x] = beyond;
      continue;
    }
    const [u0, v0] = [Math.floor(u - 0.5), Math.floor(v - 0.5)];
    const [fu, fv] = [u - 0.5 - u0, v - 0.5 - v0];
    const [x0, x1] = [clamped(u0, width), clamped(u0 + 1, width)];
    const [r0, r1] = [clamped(v0, height) * width, clamped(v0 + 1, height) * width];
    const upper = (1 - fu) * image.data[r0 + x0] + fu * image.data[r0 + x1];
    const lower = (1 - fu) * image.data[r1 + x0] + fu * image.data[r1 + x1];
    out[x] = unit * ((1 - fv) * upper + fv * lower) + offset;
  }
}

function clamped(i: number, n: number): number {
  return i < 0 ? 0 : i >= n ? n - 1 : i;
}
