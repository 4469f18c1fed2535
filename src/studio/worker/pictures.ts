/** The page's pictures as images that a generator sees, and back. */
import {
  clip,
  fromPixels,
  type Image,
  imageAt,
  isDrawable,
  type Mask,
  type Size,
  toColour,
  toGrey,
  toPixels,
} from '../../images/image.ts';
import { type Frame, framed, type StoredMap, sampleRow } from '../../images/own-size/frame.ts';
import { seenThrough, type View, viewOf } from '../../images/own-size/view.ts';
import { crop, type Fit, resize } from '../../images/resize.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Picture, Plane } from '../engine.ts';

export interface SeenPicture {
  readonly view: View;
  readonly image: Image;
  readonly outside?: Mask;
}

/** A picture at a generator's size; colours become grey for a grey generator. */
export function seen(picture: Picture, size: Size & { readonly channels: number }, fit: Fit): SeenPicture {
  const view = viewOf(picture, size, { fit });
  const part = (image: Image) => resize(crop(image, view.placement.crop), view.placement.inner);
  const { colours, alpha } = planesOf(picture);
  const image = size.channels === 1 ? toGrey(colours) : colours;
  const transparent =
    alpha &&
    float32(
      part(alpha).data.map((value) => (value < 0 ? 1 : 0)),
      [1, 1, view.placement.inner.height, view.placement.inner.width],
    );
  return { view, ...seenThrough(view, part(image), picture, transparent) };
}

/** A painted plane at the generator's size: 1 where at least half of a pixel is painted. */
export function seenMask({ width, height, data }: Plane, { frame, placement }: View): Mask {
  const image = fromPixels(data, { width, height, channels: 1 });
  const part = resize(crop(image, placement.crop), placement.inner);
  const { size, inner } = frame;
  const mask = float32(new Float32Array(size.height * size.width), [1, 1, size.height, size.width]);
  for (let y = 0; y < inner.height; y++) {
    for (let x = 0; x < inner.width; x++) {
      if (part.data[y * inner.width + x] > 0) mask.data[(y + inner.top) * size.width + x + inner.left] = 1;
    }
  }
  return mask;
}

/** RGB [1,3,H,W], and alpha where a pixel is translucent. */
function planesOf({ width, height, rgba }: Picture): { readonly colours: Image; readonly alpha?: Image } {
  const all = fromPixels(rgba, { width, height, channels: 4 });
  const plane = width * height;
  const colours = float32(all.data.subarray(0, 3 * plane), [1, 3, height, width]);
  const alpha = float32(all.data.subarray(3 * plane), [1, 1, height, width]);
  return alpha.data.some((value) => value < 1) ? { colours, alpha } : { colours };
}

/** An image [1,C,H,W] in [-1,1] as a picture; of other than 1 or 3 channels the first is shown. */
export function pictureOf(name: string, image: Image): Picture {
  const [, , height, width] = image.dims;
  const shown = isDrawable(image)
    ? image
    : float32(imageAt(image, 0).data.slice(0, height * width), [1, 1, height, width]);
  const rgb = toPixels(clip(toColour(shown)));
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  return { name, width, height, rgba };
}

/** A map [1,1,H,W] of the generator's size at the picture's own, times `unit`, 0 to 255; 0 outside of what was seen. */
export function planeAt(map: StoredMap, frame: Frame, { width, height }: Size, unit: number): Plane {
  const ready = framed(map, frame);
  const row = new Float32Array(width);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    sampleRow(ready, y, row);
    for (let x = 0; x < width; x++) data[y * width + x] = Math.round(Math.min(255, Math.max(0, unit * row[x])));
  }
  return { width, height, data };
}
