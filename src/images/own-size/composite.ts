/**
 * The composite of a picture at its own size: every masked region is filled in a window of its own, and its seam blended there. Nothing else
 * of the picture is touched, and memory is needed for one window at a time.
 *
 * See `blend.ts` for the equation of the seam. A region too large for one window is solved coarsely as a whole; that solution is the rim of
 * the tiles in which it is then solved in full.
 */
import { squaredDistances } from '../../arrays/distance.ts';
import { zeros } from '../../onnx/tensor.ts';
import { type CompositeOptions, fadeAt } from '../blend.ts';
import type { Box, Image } from '../image.ts';
import { harmonicFill } from '../laplace.ts';
import { drawGrain, type Grain, grainMeter } from './grain.ts';
import { type Raster, windowOf, writePixel } from './raster.ts';
import { type ByteMask, type RegionWindow, regionWindows } from './windows.ts';

/** What the regions are filled with, in a box of the picture: [1,C,h,w] in the colours that are blended, in [-1,1]. */
export type FillAt = (box: Box) => Image;

/**
 * The colours in which fill and picture are joined, where they are not those that the picture stores. Separations are not to be added: one colour
 * has many in CMYK, by how much of it is printed in black, and the difference between two of one colour is a cast on any other.
 */
export interface BlendColours {
  /** C, of the colours that are blended. */
  readonly channels: number;
  /** [1,stored,h,w] to [1,C,h,w]. */
  fromStored(image: Image): Image;
  /** [1,C,h,w] to [1,stored,h,w]. */
  toStored(image: Image): Image;
}

export interface OwnSizeOptions extends CompositeOptions {
  /** Draw the picture's grain over the fill, which has none of its own; default: no. */
  readonly grain?: boolean;
  /** Default: the picture's own. */
  readonly colours?: BlendColours;
  /** Largest window that is solved at once, in pixels; default a million. */
  readonly windowPixels?: number;
}

const WINDOW_PIXELS = 2 ** 20;

function storedColours({ colours }: Raster): BlendColours {
  return { channels: colours, fromStored: (image) => image, toStored: (image) => image };
}

/** Fills the masked regions of `raster` in place. Returns how many pixels were changed or may have been. */
export function compositeInPlace(
  raster: Raster,
  mask: ByteMask,
  fillAt: FillAt,
  {
    blend = 'poisson',
    feather = 4,
    grow = 0,
    grain = false,
    colours = storedColours(raster),
    windowPixels = WINDOW_PIXELS,
  }: OwnSizeOptions = {},
): number {
  const reach = blend === 'feather' ? grow + feather : grow;
  const margin = Math.ceil(reach) + 2;
  const settings = { raster, mask, fillAt, blend, feather, grow, margin, grain, colours, windowPixels };
  let touched = 0;
  for (const region of regionWindows(mask, margin)) touched += fillRegion(region, settings);
  return touched;
}

interface Settings extends Required<OwnSizeOptions> {
  readonly raster: Raster;
  readonly mask: ByteMask;
  readonly fillAt: FillAt;
  readonly margin: number;
}

/** A part of a region that is worked on at once. */
interface Part {
  /** The pixels that are decided here. */
  readonly box: Box;
  /** 1 where the grown region is, of `box`. */
  readonly inside: Uint8Array;
  /** Weight of the fill, of `box`. */
  readonly weight: Float64Array;
  readonly fill: Image;
  /** Picture minus fill, of `box`. */
  readonly difference: Image;
}

function fillRegion(region: RegionWindow, settings: Settings): number {
  const boxes = partsOf(region, settings);
  const meter = grainMeter();
  const coarse = boxes.length > 1 && settings.blend === 'poisson' ? coarseGrid(region, settings) : undefined;
  const isFirstPass = coarse !== undefined || (settings.grain && boxes.length > 1);
  if (isFirstPass) {
    for (const box of boxes) {
      const part = partAt(box, region, settings);
      if (settings.grain) meter.add(part.difference, part.inside);
      coarse?.add(part);
    }
  }
  coarse?.solve();
  let touched = 0;
  for (const box of boxes) {
    // One more pixel around a tile: its rim, known from the coarse solution.
    const outer = coarse ? grown(box, 1, settings.raster) : box;
    const part = partAt(outer, region, settings);
    if (settings.grain && !isFirstPass) meter.add(part.difference, part.inside);
    touched += fillPart(part, box, coarse, settings.grain ? meter.measured() : undefined, settings);
  }
  return touched;
}

/** The region's window, or, where that is too large, the tiles of it near the region. */
function partsOf(region: RegionWindow, { windowPixels, mask, margin }: Settings): Box[] {
  if (region.height * region.width <= windowPixels) return [region];
  const side = Math.max(64, Math.floor(Math.sqrt(windowPixels)) & ~7);
  const boxes: Box[] = [];
  for (let y = region.top; y < region.top + region.height; y += side) {
    for (let x = region.left; x < region.left + region.width; x += side) {
      const box = {
        top: y,
        left: x,
        height: Math.min(side, region.top + region.height - y),
        width: Math.min(side, region.left + region.width - x),
      };
      // So wide that every cell of the coarse grid beside the region is in some tile.
      const near = Math.max(margin, 2 * coarseStep(region, windowPixels) + margin);
      if (hasOwn(grown(box, near, mask), region, mask)) boxes.push(box);
    }
  }
  return boxes;
}

function hasOwn({ top, left, height, width }: Box, region: RegionWindow, mask: ByteMask): boolean {
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) if (mask.data[y * mask.width + x] && region.owns(y, x)) return true;
  }
  return false;
}

/** A box with `by` pixels more on every side, cut at the picture's border. */
function grown({ top, left, height, width }: Box, by: number, picture: { height: number; width: number }): Box {
  const [y, x] = [Math.max(0, top - by), Math.max(0, left - by)];
  return {
    top: y,
    left: x,
    height: Math.min(picture.height, top + height + by) - y,
    width: Math.min(picture.width, left + width + by) - x,
  };
}

function partAt(box: Box, region: RegionWindow, settings: Settings): Part {
  const { raster, mask, fillAt, grow, feather, blend, margin, colours } = settings;
  const outer = grown(box, margin, raster);
  const own = new Uint8Array(outer.height * outer.width);
  for (let y = 0, i = 0; y < outer.height; y++) {
    for (let x = 0; x < outer.width; x++, i++) {
      const [py, px] = [outer.top + y, outer.left + x];
      if (mask.data[py * mask.width + px] && region.owns(py, px)) own[i] = 1;
    }
  }
  const distances = squaredDistances(own, outer.height, outer.width);
  const inside = new Uint8Array(box.height * box.width);
  const weight = new Float64Array(inside.length);
  for (let y = 0, i = 0; y < box.height; y++) {
    let from = (box.top - outer.top + y) * outer.width + box.left - outer.left;
    for (let x = 0; x < box.width; x++, i++, from++) {
      const distance = Math.sqrt(distances[from]);
      inside[i] = distance <= grow ? 1 : 0;
      weight[i] = blend === 'feather' ? fadeAt(Math.max(0, distance - grow), feather) : inside[i];
    }
  }
  const fill = fillAt(box);
  const difference = colours.fromStored(windowOf(raster, box));
  for (let i = 0; i < fill.data.length; i++) difference.data[i] -= fill.data[i];
  return { box, inside, weight, fill, difference };
}

/** Writes the pixels of `target` that have a weight; returns how many. */
function fillPart(
  { box, inside, weight, fill, difference }: Part,
  target: Box,
  coarse: CoarseGrid | undefined,
  grain: Grain | undefined,
  { raster, blend, colours }: Settings,
): number {
  const plane = box.height * box.width;
  if (!weight.some((w) => w > 0)) return 0;
  const noise = grain && drawGrain(grain, box);
  const made = zeros('float32', fill.dims);
  for (let c = 0; c < colours.channels; c++) {
    const own = Float64Array.from(difference.data.subarray(c * plane, (c + 1) * plane));
    if (blend === 'poisson') solveSeam(own, inside, box, target, (y, x) => coarse?.at(c, y, x) ?? 0);
    for (let i = 0; i < plane; i++) {
      const filled = fill.data[c * plane + i] + (noise?.data[c * plane + i] ?? 0);
      made.data[c * plane + i] =
        blend === 'poisson'
          ? filled + own[i]
          : weight[i] * filled + (1 - weight[i]) * (fill.data[c * plane + i] + own[i]);
    }
  }
  const stored = colours.toStored(made);
  let touched = 0;
  for (let y = target.top; y < target.top + target.height; y++) {
    for (let x = target.left; x < target.left + target.width; x++) {
      const at = (y - box.top) * box.width + x - box.left;
      if (weight[at] === 0) continue;
      writePixel(raster, y, x, stored, at);
      touched++;
    }
  }
  return touched;
}

/** Harmonic inside; pixels inside the region but beyond `target` are its rim, and have the values of `rimAt`. */
function solveSeam(
  values: Float64Array,
  inside: Uint8Array,
  box: Box,
  target: Box,
  rimAt: (y: number, x: number) => number,
): void {
  const unknown = inside.slice();
  for (let y = 0, i = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++, i++) {
      const [py, px] = [box.top + y, box.left + x];
      const isIn =
        py >= target.top && py < target.top + target.height && px >= target.left && px < target.left + target.width;
      if (isIn || !inside[i]) continue;
      unknown[i] = 0;
      values[i] = rimAt(py, px);
    }
  }
  harmonicFill(values, unknown, box.height, box.width);
}

/** The seam of a region too large for one window, in cells of some pixels each. */
interface CoarseGrid {
  /** Adds the known pixels of a part; pixels of no part count as known and 0, and are not beside the region. */
  add(part: Part): void;
  solve(): void;
  /** Of a channel at a pixel of the picture, bilinear. */
  at(channel: number, y: number, x: number): number;
}

function coarseStep({ height, width }: Box, windowPixels: number): number {
  return Math.max(2, Math.ceil(Math.sqrt((height * width) / windowPixels)));
}

function coarseGrid(region: RegionWindow, { colours: { channels }, windowPixels }: Settings): CoarseGrid {
  const step = coarseStep(region, windowPixels);
  const [rows, columns] = [Math.ceil(region.height / step), Math.ceil(region.width / step)];
  const sums = Array.from({ length: channels }, () => new Float64Array(rows * columns));
  const known = new Float64Array(rows * columns);
  const visited = new Uint8Array(rows * columns);
  const clamp = (i: number, n: number) => Math.min(n - 1, Math.max(0, i));
  return {
    add({ box, inside, difference }) {
      const plane = box.height * box.width;
      for (let y = 0, i = 0; y < box.height; y++) {
        for (let x = 0; x < box.width; x++, i++) {
          const cell =
            Math.floor((box.top + y - region.top) / step) * columns + Math.floor((box.left + x - region.left) / step);
          visited[cell] = 1;
          if (inside[i]) continue;
          known[cell]++;
          for (let c = 0; c < sums.length; c++) sums[c][cell] += difference.data[c * plane + i];
        }
      }
    },
    solve() {
      const hole = known.map((k, i) => (k === 0 && visited[i] ? 1 : 0));
      for (const values of sums) {
        for (let i = 0; i < values.length; i++) if (known[i]) values[i] /= known[i];
        harmonicFill(values, Uint8Array.from(hole), rows, columns);
      }
    },
    at(channel, y, x) {
      const [v, u] = [(y + 0.5 - region.top) / step - 0.5, (x + 0.5 - region.left) / step - 0.5];
      const [v0, u0] = [Math.floor(v), Math.floor(u)];
      const values = sums[channel];
      const row = (r: number) => {
        const base = clamp(r, rows) * columns;
        return (1 - u + u0) * values[base + clamp(u0, columns)] + (u - u0) * values[base + clamp(u0 + 1, columns)];
      };
      return (1 - v + v0) * row(v0) + (v - v0) * row(v0 + 1);
    },
  };
}
