/** The masked regions of a large picture, apart from each other, so that each can be worked on in a window of its own. */
import { connectedComponents } from '../../arrays/components.ts';
import type { Box, Size } from '../image.ts';

/** A mask of a large picture: a byte for each pixel, 1 = corrupted. */
export interface ByteMask extends Size {
  readonly data: Uint8Array;
}

/** A region and its surroundings. */
export interface RegionWindow extends Box {
  /** Does the masked pixel at y, x of the picture belong to this region? */
  owns(y: number, x: number): boolean;
}

/**
 * Windows that hold one masked region each and `margin` pixels around it, cut at the picture's border. Masked pixels nearer than 2 margins
 * are of one region, so that no pixel within a margin of two regions exists.
 */
export function regionWindows({ data, height, width }: ByteMask, margin: number): RegionWindow[] {
  const side = 2 ** Math.max(4, Math.ceil(Math.log2(2 * margin + 2)));
  const [rows, columns] = [Math.ceil(height / side), Math.ceil(width / side)];
  const blocks = new Uint8Array(rows * columns);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(y / side) * columns;
    for (let x = 0; x < width; x++, i++) if (data[i]) blocks[row + Math.floor(x / side)] = 1;
  }
  const { labels, count } = connectedComponents(blocks, rows, columns, 8);
  const bounds = Array.from({ length: count + 1 }, () => ({ top: rows, left: columns, bottom: -1, right: -1 }));
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, i++) {
      if (!labels[i]) continue;
      const bound = bounds[labels[i]];
      bound.top = Math.min(bound.top, r);
      bound.bottom = Math.max(bound.bottom, r);
      bound.left = Math.min(bound.left, c);
      bound.right = Math.max(bound.right, c);
    }
  }
  return bounds.slice(1).map(({ top, left, bottom, right }, k) => {
    const [y0, x0] = [Math.max(0, top * side - margin), Math.max(0, left * side - margin)];
    return {
      top: y0,
      left: x0,
      height: Math.min(height, (bottom + 1) * side + margin) - y0,
      width: Math.min(width, (right + 1) * side + margin) - x0,
      owns: (y, x) => labels[Math.floor(y / side) * columns + Math.floor(x / side)] === k + 1,
    };
  });
}
