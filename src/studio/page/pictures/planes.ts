/** Arithmetic on planes: thresholds, painted corrections, shares, and planes made visible. */
import { COLOUR_SCALE, RESIDUAL_WHITE } from '../../../images/colour.ts';
import type { Picture, Plane } from '../../engine.ts';

/** Pixels whose value is above a threshold, 255. */
export function above(plane: Plane, threshold: number): Plane {
  const data = new Uint8Array(plane.data.length);
  for (let i = 0; i < data.length; i++) data[i] = plane.data[i] > threshold ? 255 : 0;
  return { ...plane, data };
}

/** A mask with what the user painted: known-damaged pixels are in it, known-good ones are not. */
export function corrected(mask: Plane, keep: Plane | undefined, hide: Plane | undefined): Plane {
  if (!keep && !hide) return mask;
  const data = mask.data.slice();
  fillWhere(data, hide, 255);
  fillWhere(data, keep, 0);
  return { ...mask, data };
}

function fillWhere(data: Uint8Array, where: Plane | undefined, value: number): void {
  if (!where) return;
  const on = where.data;
  for (let i = 0; i < data.length; i++) if (on[i]) data[i] = value;
}

/** Share of the pixels that are in a mask, 0 to 1. */
export function shareOf(mask: Plane): number {
  const { data } = mask;
  let count = 0;
  // An iterator over millions of bytes is felt.
  for (let i = 0; i < data.length; i++) if (data[i] > 127) count++;
  return count / Math.max(1, data.length);
}

/** RGB in 0..255 of the 256 levels of the colour scale that `rgi restore` draws residuals with. */
const LEVELS = COLOUR_SCALE.map((colour) => colour.map((value) => Math.round(127.5 * (value + 1))));

/** Grey levels that are drawn white. */
export const WHITE_GREY = 127.5 * RESIDUAL_WHITE;

/** A plane in colours: 0 is black, `white` and above white. */
export function coloured({ width, height, data }: Plane, white: number): Picture {
  const rgba = new Uint8ClampedArray(4 * data.length);
  for (let i = 0; i < data.length; i++) {
    const [r, g, b] = LEVELS[Math.min(255, Math.round((255 * data[i]) / white))];
    rgba[4 * i] = r;
    rgba[4 * i + 1] = g;
    rgba[4 * i + 2] = b;
    rgba[4 * i + 3] = 255;
  }
  return { name: '', width, height, rgba };
}

const LEVEL_OF = new Map(LEVELS.map(([r, g, b], level) => [packed(r, g, b), level]));

function packed(r: number, g: number, b: number): number {
  return (r << 16) | (g << 8) | b;
}

/** The levels, 0 to 255, of a plane that was drawn in colours; the inverse of `coloured`. Other colours are 0. */
export function levelsOf({ width, height, rgba }: Picture): Plane {
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++)
    data[i] = LEVEL_OF.get(packed(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2])) ?? 0;
  return { width, height, data };
}

/** The plane of a grey picture. */
export function redOf({ width, height, rgba }: Picture): Plane {
  return { width, height, data: Uint8Array.from({ length: width * height }, (_, i) => rgba[4 * i]) };
}

/** A tint for the pixels of a mask: transparent elsewhere, the rim in full colour. */
export function tinted({ width, height, data }: Plane, [r, g, b]: readonly [number, number, number]): Picture {
  const rgba = new Uint8ClampedArray(4 * data.length);
  // A pixel is one number of 32 bits.
  const pixels = new Uint32Array(rgba.buffer);
  const [rim, inside] = new Uint32Array(Uint8Array.of(r, g, b, 255, r, g, b, 120).buffer);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (data[i] < 128) continue;
      const isRim =
        (x > 0 && data[i - 1] < 128) ||
        (x < width - 1 && data[i + 1] < 128) ||
        (y > 0 && data[i - width] < 128) ||
        (y < height - 1 && data[i + width] < 128);
      pixels[i] = isRim ? rim : inside;
    }
  }
  return { name: '', width, height, rgba };
}

/** A mask as a black and white picture, as `rgi restore --hide` reads it. */
export function asPicture(name: string, { width, height, data }: Plane): Picture {
  const rgba = new Uint8ClampedArray(4 * data.length);
  for (let i = 0; i < data.length; i++) {
    rgba.fill(data[i], 4 * i, 4 * i + 3);
    rgba[4 * i + 3] = 255;
  }
  return { name, width, height, rgba };
}

/** Pixels that are drawn on screen at most; of larger pictures every k-th pixel is shown. */
const MAX_SHOWN_PIXELS = 4e6;

/** k, of which every k-th pixel of a picture is shown; 1 for most. */
export function displayFactor({ width, height }: { readonly width: number; readonly height: number }): number {
  return Math.max(1, Math.ceil(Math.sqrt((width * height) / MAX_SHOWN_PIXELS)));
}

/** A picture as it is drawn on screen; made once. */
export const shownPicture = onceEach((picture: Picture) => thinnedPicture(picture, displayFactor(picture)));

/** A plane as it is drawn on screen; made once. */
export const shownPlane = onceEach((plane: Plane) => thinnedPlane(plane, displayFactor(plane)));

function onceEach<T extends object>(make: (of: T) => T): (of: T) => T {
  const made = new WeakMap<T, T>();
  return (of) => {
    const known = made.get(of) ?? make(of);
    made.set(of, known);
    return known;
  };
}

/** Every k-th pixel of a plane. */
export function thinnedPlane(plane: Plane, k: number): Plane {
  if (k === 1) return plane;
  const [width, height] = [Math.ceil(plane.width / k), Math.ceil(plane.height / k)];
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data[y * width + x] = plane.data[y * k * plane.width + x * k];
  }
  return { width, height, data };
}

/** Every k-th pixel of a picture. */
export function thinnedPicture(picture: Picture, k: number): Picture {
  if (k === 1) return picture;
  const [width, height] = [Math.ceil(picture.width / k), Math.ceil(picture.height / k)];
  // A pixel is one number of 32 bits.
  const from = new Uint32Array(picture.rgba.buffer, picture.rgba.byteOffset, picture.width * picture.height);
  const to = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) to[y * width + x] = from[y * k * picture.width + x * k];
  }
  return { name: picture.name, width, height, rgba: new Uint8ClampedArray(to.buffer) };
}
