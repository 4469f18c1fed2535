/**
 * A large picture by overlapping tiles of the generator's size. Tiles are put together with weights that fall to almost
 * nothing at a tile's rim, so that no seam shows.
 */

import { zeros } from '../onnx/tensor.ts';
import { type Box, type Image, type Size, shapeOf } from './image.ts';
import { crop, padTo } from './resize.ts';

/** First pixels of tiles along `length`, evenly spread, at most `stride` apart; the last one ends at the border. */
export function tileStarts(length: number, tile: number, stride: number): number[] {
  const room = Math.max(0, length - tile);
  const steps = Math.ceil(room / stride);
  return Array.from({ length: steps + 1 }, (_, i) => (steps === 0 ? 0 : Math.round((i * room) / steps)));
}

/** The tiles that cover a picture, row by row. */
export function tileBoxes({ height, width }: Size, tile: Size, stride: number): Box[] {
  return tileStarts(height, tile.height, stride).flatMap((top) =>
    tileStarts(width, tile.width, stride).map((left) => ({ ...tile, top, left })),
  );
}

/** A picture at least as large as a tile: a smaller one is continued by its border. */
export function atLeast(image: Image, tile: Size): Image {
  const { height, width } = shapeOf(image);
  if (height >= tile.height && width >= tile.width) return image;
  const size = { height: Math.max(height, tile.height), width: Math.max(width, tile.width) };
  return padTo(image, size, { top: 0, left: 0, height, width });
}

/** Smallest weight, at a tile's corner: where only one tile reaches, it still counts. */
const MIN_WEIGHT = 1e-3;

/** A raised cosine: w at pixel i of `length`. */
function window(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (length + 1)));
}

/** Collects tiles [1,C,h,w] of one picture; `merged` is their weighted mean, where every pixel has been covered. */
export interface TileMerger {
  add(tile: Image, box: Box): void;
  merged(): Image;
}

export function tileMerger(channels: number, { height, width }: Size, tile: Size): TileMerger {
  const sum = zeros('float32', [1, channels, height, width]);
  const weights = new Float32Array(height * width);
  const [down, across] = [window(tile.height), window(tile.width)];
  return {
    add({ data }, { top, left }) {
      for (let y = 0; y < tile.height; y++) {
        for (let x = 0; x < tile.width; x++) {
          const w = down[y] * across[x] + MIN_WEIGHT;
          const at = (top + y) * width + left + x;
          weights[at] += w;
          for (let c = 0; c < channels; c++)
            sum.data[c * height * width + at] += w * data[(c * tile.height + y) * tile.width + x];
        }
      }
    },
    merged: () => ({ ...sum, data: sum.data.map((v, i) => v / weights[i % weights.length]) }),
  };
}

/** A weight for each pixel of a tile, [h*w]: almost nothing at its rim. */
function tileWeights(tile: Size): Float64Array {
  const [down, across] = [window(tile.height), window(tile.width)];
  return Float64Array.from({ length: tile.height * tile.width }, (_, i) => {
    return down[Math.floor(i / tile.width)] * across[i % tile.width] + MIN_WEIGHT;
  });
}

/** Collects tiles [1,C,h,w] of one picture that come row by row, and hands finished rows on, so that only a band of them is held. */
export interface BandMerger {
  add(tile: Image, box: Box): void;
  /** Hands on all rows above `top`, which no further tile reaches. */
  finishAbove(top: number): void;
}

/** `onRow` is given each row y of each channel c, once: the weighted mean of the tiles there, [width]. */
export function bandMerger(
  channels: number,
  width: number,
  tile: Size,
  onRow: (c: number, y: number, row: Float32Array) => void,
): BandMerger {
  const weightOf = tileWeights(tile);
  // Row y is held at y modulo the height of a tile.
  const sums = new Float32Array(channels * tile.height * width);
  const weights = new Float32Array(tile.height * width);
  let done = 0;
  return {
    add({ data }, { top, left }) {
      for (let y = 0; y < tile.height; y++) {
        const held = ((top + y) % tile.height) * width + left;
        for (let x = 0; x < tile.width; x++) {
          const w = weightOf[y * tile.width + x];
          weights[held + x] += w;
          for (let c = 0; c < channels; c++)
            sums[c * tile.height * width + held + x] += w * data[(c * tile.height + y) * tile.width + x];
        }
      }
    },
    finishAbove(top) {
      for (; done < top; done++) {
        const held = (done % tile.height) * width;
        const own = weights.subarray(held, held + width);
        for (let c = 0; c < channels; c++) {
          const sum = sums.subarray(c * tile.height * width + held, c * tile.height * width + held + width);
          onRow(
            c,
            done,
            sum.map((v, x) => v / own[x]),
          );
          sum.fill(0);
        }
        own.fill(0);
      }
    },
  };
}

/** The part of a merged picture that is the original's. */
export function withoutPadding(image: Image, { height, width }: Size): Image {
  const shape = shapeOf(image);
  if (shape.height === height && shape.width === width) return image;
  return crop(image, { top: 0, left: 0, height, width });
}
