/**
 * Morphology of masks [N,1,H,W]: each image's mask is taken binary (above 0.5) and comes back as 0 and 1. Structuring
 * elements are discs: a pixel reaches all pixels within `radius` (Euclidean, any number >= 0).
 */
import { type Connectivity, connectedComponents } from '../arrays/components.ts';
import { squaredDistances } from '../arrays/distance.ts';
import { type Mask, shapeOf } from './image.ts';

/** Grown by `radius` pixels. */
export function dilate(mask: Mask, radius: number): Mask {
  return eachMask(mask, (m, height, width) => {
    const distance = squaredDistances(m, height, width);
    return m.map((_, i) => (distance[i] <= radius * radius ? 1 : 0));
  });
}

/** Shrunk by `radius` pixels; the picture's border does not eat into the mask. */
export function erode(mask: Mask, radius: number): Mask {
  return invert(dilate(invert(mask), radius));
}

/** Eroded, then dilated: what is thinner than the disc goes. */
export function open(mask: Mask, radius: number): Mask {
  return dilate(erode(mask, radius), radius);
}

/** Dilated, then eroded: gaps narrower than the disc close. */
export function close(mask: Mask, radius: number): Mask {
  return erode(dilate(mask, radius), radius);
}

/** 1 - mask. */
export function invert(mask: Mask): Mask {
  return eachMask(mask, (m) => m.map((v) => (v > 0.5 ? 0 : 1)));
}

/** Without the regions of fewer than `pixels` pixels. */
export function removeSmall(mask: Mask, pixels: number, connectivity: Connectivity = 8): Mask {
  return eachMask(mask, (m, height, width) => {
    const { labels, sizes } = connectedComponents(m, height, width, connectivity);
    return m.map((_, i) => (labels[i] && sizes[labels[i]] >= pixels ? 1 : 0));
  });
}

/** Background that is cut off from the picture's border becomes mask, where a hole has at most `pixels` pixels. */
export function fillHoles(mask: Mask, pixels = Number.POSITIVE_INFINITY): Mask {
  return eachMask(mask, (m, height, width) => {
    const background = m.map((v) => (v > 0.5 ? 0 : 1));
    // 4-connected background is what 8-connected regions enclose.
    const { labels, sizes, count } = connectedComponents(background, height, width, 4);
    const open = new Uint8Array(count + 1);
    for (let i = 0; i < m.length; i++) {
      const [y, x] = [Math.floor(i / width), i % width];
      if (y === 0 || x === 0 || y === height - 1 || x === width - 1) open[labels[i]] = 1;
    }
    return m.map((v, i) => (v > 0.5 || (!open[labels[i]] && sizes[labels[i]] <= pixels) ? 1 : 0));
  });
}

function eachMask(mask: Mask, change: (m: Float32Array, height: number, width: number) => Float32Array): Mask {
  const { count, height, width } = shapeOf(mask);
  const data = new Float32Array(mask.data.length);
  const plane = data.length / count;
  for (let n = 0; n < count; n++) {
    data.set(change(mask.data.subarray(n * plane, (n + 1) * plane), height, width), n * plane);
  }
  return { ...mask, data };
}
