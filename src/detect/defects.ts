/** From an anomaly map to found defects: a mask, and each region's box, area and peak. */
import { connectedComponents } from '../arrays/components.ts';
import { type Box, type Image, type Mask, shapeOf } from '../images/image.ts';
import { fillHoles, removeSmall } from '../images/morphology.ts';

/** One region of an anomaly map above the threshold, with its bounding box in pixels. */
export interface Defect extends Box {
  /** Pixels of the region. */
  readonly area: number;
  /** The map's largest value in it, and where. */
  readonly peak: number;
  /** Row and column, from 0, of the largest value. */
  readonly at: { readonly y: number; readonly x: number };
}

/** A picture's anomaly score: the mean of the `count` highest values of its map. */
export function imageScore(map: Float32Array, count: number): number {
  if (count === 1) return map.reduce((most, v) => (v > most ? v : most), Number.NEGATIVE_INFINITY);
  return meanOfLast(map.slice().sort(), count);
}

/** Mean of the last `count` values of what is sorted. */
export function meanOfLast(sorted: Float32Array, count: number): number {
  return sorted.subarray(-count).reduce((sum, v) => sum + v, 0) / count;
}

/** Holes of up to this share of a region's least area are filled: a defect's calm middle is part of it. */
const HOLES = 4;

/** The area, pixels, up to which holes are filled. */
export function largestHole(leastArea: number): number {
  return HOLES * leastArea;
}

/**
 * The regions (8-connected) of a map [1,1,H,W] above `threshold` of at least `leastArea` pixels, highest peak first.
 *
 * @example
 * ```ts
 * import { findDefects, float32 } from 'rgi';
 *
 * const map = float32(new Float32Array(64).fill(1), [1, 1, 8, 8]);
 * for (const pixel of [18, 19, 26, 27]) map.data[pixel] = 5;
 * const [defect] = findDefects(map, 3, 2).defects;
 * console.log(defect.top, defect.left, defect.area, defect.peak); // 2 2 4 5
 * ```
 */
export function findDefects(map: Image, threshold: number, leastArea: number): { mask: Mask; defects: Defect[] } {
  const { height, width } = shapeOf(map);
  const above = { ...map, data: map.data.map((v) => (v > threshold ? 1 : 0)) };
  const mask = fillHoles(removeSmall(above, leastArea), largestHole(leastArea));
  const { labels, sizes, count } = connectedComponents(mask.data, height, width);
  const bounds = Array.from({ length: count }, () => ({
    top: height,
    left: width,
    bottom: -1,
    right: -1,
    peak: Number.NEGATIVE_INFINITY,
    at: 0,
  }));
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 0) continue;
    const own = bounds[labels[i] - 1];
    const [y, x] = [Math.floor(i / width), i % width];
    own.top = Math.min(own.top, y);
    own.bottom = Math.max(own.bottom, y);
    own.left = Math.min(own.left, x);
    own.right = Math.max(own.right, x);
    if (map.data[i] > own.peak) {
      own.peak = map.data[i];
      own.at = i;
    }
  }
  const defects = bounds.map(({ top, left, bottom, right, peak, at }, k) => ({
    top,
    left,
    height: bottom - top + 1,
    width: right - left + 1,
    area: sizes[k + 1],
    peak,
    at: { y: Math.floor(at / width), x: at % width },
  }));
  return { mask, defects: defects.sort((a, b) => b.peak - a.peak) };
}

/** `findDefects`; of a defective picture at least the pixels of its highest peak, so that there is a place to look at. */
export function regionsOf(
  map: Image,
  threshold: number,
  leastArea: number,
  defective: boolean,
): ReturnType<typeof findDefects> {
  const found = findDefects(map, threshold, leastArea);
  return found.defects.length > 0 || !defective ? found : findDefects(map, threshold, 1);
}
