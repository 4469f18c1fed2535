/** All upright frames of a picture, compared with the sketch of a generator: where its kind of picture may lie. */
import { type Image, shapeOf } from '../../images/image.ts';
import type { Alignment } from '../../images/own-size/view.ts';
import { resize } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { distanceOf, robustDistanceOf, type Sketch, smoothSketch } from './sketch.ts';

/**
 * A frame, and by how much what it shows is nearer to what the generator makes than to a smooth surface, which any wall or sky is: the difference
 * of two squared distances for each value, the more negative the better.
 */
export interface Candidate {
  readonly alignment: Alignment;
  readonly distance: number;
}

/** Frames of one size that are looked at again, with pixels that may be damaged. */
const AGAIN = 24;

/** Frames whose centres are nearer than this share of the smaller one's side show the same. */
const SAME = 0.25;

/** Frames from `minShare` of the picture's shorter side to all of it, each `ratio` larger than the last; the best first. */
export function scan(
  picture: Image,
  sketch: Sketch,
  generator: Pick<Generator, 'height'>,
  { minShare, ratio }: { readonly minShare: number; readonly ratio: number },
): Candidate[] {
  const { height, width } = shapeOf(picture);
  const smooth = smoothSketch(sketch);
  const found: Candidate[] = [];
  const largest = Math.min(height / sketch.height, width / sketch.width);
  const smallest = (minShare * Math.min(height, width)) / Math.min(sketch.height, sketch.width);
  for (let scale = largest; scale >= smallest * 0.999; scale /= ratio) {
    const size = { height: Math.round(height / scale), width: Math.round(width / scale) };
    const reduced = resize(picture, size);
    const top = best(framesOf(reduced, sketch, smooth), AGAIN);
    const again = top.map(({ row, column }) => {
      const thumbnail = thumbnailAt(reduced, sketch, row, column);
      const distance = robustDistanceOf(sketch, thumbnail) - robustDistanceOf(smooth, thumbnail);
      return { row, column, distance };
    });
    const own = { y: height / size.height, x: width / size.width };
    for (const { row, column, distance } of again) {
      const alignment = {
        x: own.x * (column + sketch.width / 2),
        y: own.y * (row + sketch.height / 2),
        scale: (own.y * sketch.height) / generator.height,
        degrees: 0,
      };
      found.push({ alignment, distance });
    }
  }
  return apart(found, generator);
}

interface Place {
  readonly row: number;
  readonly column: number;
  readonly distance: number;
}

function framesOf(picture: Image, sketch: Sketch, smooth: Sketch): Place[] {
  const { height, width } = shapeOf(picture);
  const places: Place[] = [];
  for (let row = 0; row + sketch.height <= height; row++) {
    for (let column = 0; column + sketch.width <= width; column++) {
      const thumbnail = thumbnailAt(picture, sketch, row, column);
      places.push({ row, column, distance: distanceOf(sketch, thumbnail) - distanceOf(smooth, thumbnail) });
    }
  }
  return places;
}

function thumbnailAt(picture: Image, { channels, height, width }: Sketch, row: number, column: number): Float64Array {
  const { height: all, width: across } = shapeOf(picture);
  const thumbnail = new Float64Array(channels * height * width);
  for (let c = 0, i = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * all + row + y) * across + column;
      for (let x = 0; x < width; x++, i++) thumbnail[i] = picture.data[from + x];
    }
  }
  return thumbnail;
}

/** The nearest places, two pixels or more apart. */
function best(places: readonly Place[], count: number): Place[] {
  const kept: Place[] = [];
  for (const place of [...places].sort((a, b) => a.distance - b.distance)) {
    if (kept.length >= count) break;
    if (kept.every((k) => Math.max(Math.abs(k.row - place.row), Math.abs(k.column - place.column)) > 1))
      kept.push(place);
  }
  return kept;
}

function apart(candidates: readonly Candidate[], generator: Pick<Generator, 'height'>): Candidate[] {
  const kept: Candidate[] = [];
  for (const one of [...candidates].sort((a, b) => a.distance - b.distance)) {
    const isSame = kept.some(({ alignment: { x, y, scale } }) => {
      const side = generator.height * Math.min(scale, one.alignment.scale);
      return (
        Math.hypot(x - one.alignment.x, y - one.alignment.y) < SAME * side &&
        Math.abs(Math.log(scale / one.alignment.scale)) < SAME
      );
    });
    if (!isSame) kept.push(one);
  }
  return kept;
}
