/** Between the page's pictures, bytes at their own size, and the pictures that generators take and make. */
import {
  type Box,
  type Image,
  isGreyInColour,
  type Mask,
  type Size,
  shapeOf,
  toColour,
  toGrey,
} from '../../images/image.ts';
import type { Raster } from '../../images/own-size/raster.ts';
import { type Seen, seenThrough, type View, viewOf } from '../../images/own-size/view.ts';
import { resize } from '../../images/resize.ts';
import { zeros } from '../../onnx/tensor.ts';
import type { Picture, Plane } from '../engine.ts';
import { pixelBytes } from '../pixels.ts';

/** How a generator sees a picture. */
export interface SeenPicture extends Seen {
  readonly view: View;
}

/** Alpha below which a pixel counts as none. */
const OPAQUE = 128;

/** The picture as a generator of this size takes it, [1,C,H,W] in [-1,1]; margins and transparent pixels are outside. */
export function seenPicture(
  picture: Picture,
  { channels, height, width }: Size & { readonly channels: number },
  fit: 'contain' | 'cover',
): SeenPicture {
  const view = viewOf(picture, { height, width }, { fit });
  const { crop, inner } = view.placement;
  const { colours, alpha } = reduced(picture, crop, inner);
  const part = resize(colours, inner);
  const image = channels === 1 ? toGrey(part) : part;
  const opacity = alpha && resize(alpha, inner, 'area');
  const transparent: Mask | undefined = opacity && {
    ...opacity,
    data: opacity.data.map((v) => (v < OPAQUE ? 1 : 0)),
  };
  return { view, ...seenThrough(view, image, picture, transparent) };
}

/** Is it grey, to the eye of a generator? */
export function isGrey(picture: Picture): boolean {
  const size = { height: Math.min(64, picture.height), width: Math.min(64, picture.width) };
  const whole = { top: 0, left: 0, height: picture.height, width: picture.width };
  return isGreyInColour(reduced(picture, whole, size).colours);
}

/**
 * Colours [1,3,h,w] in [-1,1] and, where some pixel is transparent, alpha [1,1,h,w] in 0 to 255 of a part of the picture, reduced by a whole factor
 * that leaves at least twice `wanted`: a large picture is never a picture of floats.
 */
function reduced({ width, rgba }: Picture, part: Box, wanted: Size): { colours: Image; alpha?: Image } {
  const factor = Math.max(1, Math.floor(Math.min(part.height / wanted.height, part.width / wanted.width) / 2));
  const [height, across] = [Math.floor(part.height / factor), Math.floor(part.width / factor)];
  const plane = height * across;
  const colours = zeros('float32', [1, 3, height, across]);
  const alpha = zeros('float32', [1, 1, height, across]);
  let least = 255;
  for (let y = 0; y < height * factor; y++) {
    const row = Math.floor(y / factor) * across;
    let from = 4 * ((part.top + y) * width + part.left);
    for (let x = 0; x < across * factor; x++, from += 4) {
      const to = row + Math.floor(x / factor);
      for (let c = 0; c < 3; c++) colours.data[c * plane + to] += rgba[from + c];
      alpha.data[to] += rgba[from + 3];
      least = Math.min(least, rgba[from + 3]);
    }
  }
  const area = factor ** 2;
  for (let i = 0; i < colours.data.length; i++) colours.data[i] = colours.data[i] / area / 127.5 - 1;
  for (let i = 0; i < plane; i++) alpha.data[i] /= area;
  return least < OPAQUE ? { colours, alpha } : { colours };
}

/** The bytes of a copy of the picture, to be filled in. */
export function rasterOf({ width, height, rgba }: Picture): Raster {
  const own = pixelBytes(rgba.length);
  own.set(rgba);
  return { width, height, data: new Uint8Array(own.buffer), colours: 3, alpha: true };
}

/** A raster of `rasterOf` as a picture. */
export function pictureOfRaster(name: string, { width, height, data }: Raster): Picture {
  return { name, width, height, rgba: new Uint8ClampedArray(data.buffer) };
}

/** A generator's picture [1,C,H,W] in [-1,1], as the page shows it. */
export function pictureOf(name: string, image: Image): Picture {
  const { height, width } = shapeOf(image);
  const plane = height * width;
  const { data } = toColour(image);
  const rgba = new Uint8ClampedArray(4 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = Math.round(127.5 * (data[c * plane + i] + 1));
    rgba[4 * i + 3] = 255;
  }
  return { name, width, height, rgba };
}

/** A map [1,1,H,W] times `unit` as bytes. */
export function planeOf(map: Image, unit = 255): Plane {
  const { height, width } = shapeOf(map);
  return { width, height, data: Uint8Array.from(map.data, (v) => Math.round(Math.min(255, Math.max(0, unit * v)))) };
}

/** A painted mask of the page as a mask [1,1,H,W]: 1 where it is on. */
export function maskOfPlane({ width, height, data }: Plane): Mask {
  const mask = zeros('float32', [1, 1, height, width]);
  data.forEach((v, i) => {
    if (v > 127) mask.data[i] = 1;
  });
  return mask;
}
