/** Connected regions of binary maps, by union-find in two raster passes. */
import { RgiError } from '../errors.ts';

/** Which neighbours of a pixel belong to its region: the 4 beside it, or all 8 around it. */
export type Connectivity = 4 | 8;

/** Connected regions of a binary map, numbered from 1. */
export interface Components {
  /** Per pixel 0 (background) or the region's number, from 1, in raster order of first pixels. */
  readonly labels: Int32Array;
  /** Pixels per region: `sizes[k]` of region k; `sizes[0]` counts the background. */
  readonly sizes: Int32Array;
  /** Number of regions, the background not among them. */
  readonly count: number;
}

/**
 * Regions of the pixels above 0.5 of one `height` x `width` map (0/1, 0/255 and booleans alike). `isSame`: may these two
 * neighbours be of one region? All may if not given.
 */
export function connectedComponents(
  mask: ArrayLike<number>,
  height: number,
  width: number,
  connectivity: Connectivity = 8,
  isSame?: (pixel: number, neighbour: number) => boolean,
): Components {
  if (mask.length !== height * width) {
    throw new RgiError('input', `A mask of ${mask.length} values is not a ${height} x ${width} map.`);
  }
  const labels = new Int32Array(mask.length);
  const parent: number[] = [0];
  const root = (label: number) => {
    let r = label;
    while (parent[r] !== r) r = parent[r];
    for (let k = label; parent[k] !== r; ) [k, parent[k]] = [parent[k], r];
    return r;
  };
  const diagonal = connectivity === 8;
  /** The label of pixel `i`, so far `label`, where it touches pixel `at`. */
  const joined = (label: number, i: number, at: number): number => {
    if (!labels[at] || (isSame && !isSame(i, at))) return label;
    const r = root(labels[at]);
    if (!label || r === label) return r;
    const [low, high] = r < label ? [r, label] : [label, r];
    parent[high] = low;
    return low;
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!(mask[i] > 0.5)) continue;
      let label = 0;
      if (x > 0) label = joined(label, i, i - 1);
      if (y > 0) {
        label = joined(label, i, i - width);
        if (diagonal && x > 0) label = joined(label, i, i - width - 1);
        if (diagonal && x + 1 < width) label = joined(label, i, i - width + 1);
      }
      if (!label) {
        label = parent.length;
        parent.push(label);
      }
      labels[i] = label;
    }
  }
  const number = new Int32Array(parent.length);
  const sizes: number[] = [0];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i]) {
      const r = root(labels[i]);
      if (!number[r]) {
        number[r] = sizes.length;
        sizes.push(0);
      }
      labels[i] = number[r];
    }
    sizes[labels[i]]++;
  }
  return { labels, sizes: Int32Array.from(sizes), count: sizes.length - 1 };
}
