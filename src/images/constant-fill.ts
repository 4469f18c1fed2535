/**
 * Missing data that is not marked: dead lines of a sensor, saturated dust, letters and bars that were drawn over a picture are filled
 * with one value (in 8 bits) up to a sharp border. A camera rarely produces that: in neighbouring pixels of a photograph there is noise, and
 * what is saturated mostly fades in from its surroundings.
 */
import { connectedComponents } from '../arrays/components.ts';
import { type Image, type Mask, shapeOf } from './image.ts';

/** Size from which a region of one colour is no coincidence; once there is one, smaller regions of its colour belong to it. */
const MIN_PIXELS = 16;

/** A border is sharp where at least half of the neighbours beyond it differ by this many grey levels (mean over the channels): docs/figures.md. */
const SHARP_GREY = 10;
const SHARP_SHARE = 0.5;

/** Pixels that differ by less are alike: what is textured steeply still is, independent noise is not. */
const ALIKE_GREY = 24;

/**
 * Of an image [1,C,H,W], the pixels of each colour with which regions are filled up to a sharp border. `outside` [1,1,H,W] is 1 where there
 * is no picture.
 */
export function constantFills(image: Image, outside?: Mask): number[][] {
  const { height, width } = shapeOf(image);
  const colours = coloursOf(image);
  const isInside = (p: number) => !outside || outside.data[p] < 0.5;
  /** Of the pixels for which `mask` is 1, those in regions of at least this many pixels with a sharp border. */
  const bordered = (mask: Uint8Array, least: number): number[] => {
    const isSame = (p: number, q: number) => colours[p] === colours[q];
    const { labels, sizes } = connectedComponents(mask, height, width, 8, isSame);
    const isLarge = sizes.map((size, region) => (region > 0 && size >= least ? 1 : 0));
    const sharp = sharpShares(image, labels, isLarge, isInside);
    const isIn = sharp.map((share) => (share >= SHARP_SHARE ? 1 : 0));
    return Array.from(labels.keys()).filter((p) => isIn[labels[p]] === 1);
  };
  const paired = pairedPixels(colours, height, width).map((pair, p) => (isInside(p) ? pair : 0));
  const fills = new Map<number, number[]>(bordered(paired, MIN_PIXELS).map((p) => [colours[p], []]));
  const filled = Uint8Array.from(colours, (colour, p) => (fills.has(colour) && isInside(p) ? 1 : 0));
  for (const p of bordered(filled, 1)) fills.get(colours[p])!.push(p);
  return [...fills.values()].filter((pixels) => pixels.length > 0);
}

/** A number for each pixel's colour in 8 bits. */
function coloursOf(image: Image): Float64Array {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const colours = new Float64Array(plane);
  for (let i = 0; i < channels * plane; i++) {
    colours[i % plane] = 256 * colours[i % plane] + Math.round(127.5 * image.data[i] + 127.5);
  }
  return colours;
}

/** Pixels of the colour of a neighbour beside, above or below: 1. */
function pairedPixels(colours: Float64Array, height: number, width: number): Uint8Array {
  const paired = new Uint8Array(colours.length);
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      if (x + 1 < width && colours[p] === colours[p + 1]) paired[p] = paired[p + 1] = 1;
      if (y + 1 < height && colours[p] === colours[p + width]) paired[p] = paired[p + width] = 1;
    }
  }
  return paired;
}

/**
 * Of the pairs of a pixel of a region and a neighbour beyond its border, the share that differs sharply; 0 for a region without any, or not
 * `isAsked`. Only neighbours count that are like another pixel beyond the border: noise in what is naturally of one colour makes none.
 */
function sharpShares(
  image: Image,
  labels: Int32Array,
  isAsked: Int32Array,
  isInside: (p: number) => boolean,
): Float64Array {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const differenceGrey = (p: number, q: number) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += Math.abs(image.data[c * plane + p] - image.data[c * plane + q]);
    return (127.5 * sum) / channels;
  };
  const neighbours = (p: number) => [
    ...(p % width > 0 ? [p - 1] : []),
    ...(p % width < width - 1 ? [p + 1] : []),
    ...(p >= width ? [p - width] : []),
    ...(p < plane - width ? [p + width] : []),
  ];
  const beyond = new Int32Array(isAsked.length);
  const sharp = new Int32Array(isAsked.length);
  labels.forEach((region, p) => {
    if (isAsked[region] === 0) return;
    for (const q of neighbours(p)) {
      if (labels[q] === region || !isInside(q)) continue;
      const others = neighbours(q).filter((s) => labels[s] !== region && isInside(s));
      if (!others.some((s) => differenceGrey(q, s) < ALIKE_GREY)) continue;
      beyond[region]++;
      if (differenceGrey(p, q) >= SHARP_GREY) sharp[region]++;
    }
  });
  return Float64Array.from(beyond, (total, region) => (total > 0 ? sharp[region] / total : 0));
}
