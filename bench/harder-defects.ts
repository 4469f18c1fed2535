/**
 * Drawn defects that are hard to see or that look like the product itself: small ones of the contrast of good residuals, large faint ones, and
 * structural ones (a bridge, a gap, a part doubled, turned, of blurred texture, or of another good picture).
 */
import { type Image, type Mask, shapeOf } from '../src/images/image.ts';
import { drawRegion } from '../src/images/regions.ts';
import { gaussianBlur } from '../src/images/resize.ts';
import { float32, zeros } from '../src/onnx/tensor.ts';
import type { Random } from '../src/random.ts';

/** The kinds, drawn in turn. */
export const HARDER_KINDS = ['small', 'faint', 'bridge', 'gap', 'doubled', 'turned', 'blurred', 'foreign'] as const;
export type HarderKind = (typeof HARDER_KINDS)[number];

/** Radii of the regions, shares of the shorter side. */
const RADII: Readonly<Record<Exclude<HarderKind, 'bridge'>, readonly [number, number]>> = {
  small: [0.012, 0.03],
  faint: [0.15, 0.35],
  gap: [0.03, 0.08],
  doubled: [0.04, 0.12],
  turned: [0.04, 0.12],
  blurred: [0.05, 0.12],
  foreign: [0.04, 0.12],
};

/** Contrast of small and of faint defects, in deviations of good residuals: less is not seen by anyone. */
const SMALL_CONTRAST: readonly [number, number] = [2, 4];
const FAINT_CONTRAST: readonly [number, number] = [1, 2];

/** A change below this share of the largest one is no part of the defect. */
const VISIBLE = 0.25;

/**
 * Draws one defect on a picture [1,C,H,W]; `other` is another good picture of its size, `contrast` the deviation of good residuals in [-1,1]
 * units.
 */
export function drawHarderDefect(
  image: Image,
  other: Image,
  kind: HarderKind,
  contrast: number,
  random: Random,
): { image: Image; mask: Mask } {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const region = kind === 'bridge' ? bar(height, width, random) : blot(kind, height, width, random);
  const soft = gaussianBlur(float32(region, [1, 1, height, width]), kind === 'faint' ? 3 : 0.5).data;
  const fill = fillOf(image, other, kind, contrast, region, random);
  const data = image.data.slice();
  const change = new Float32Array(plane);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < plane; p++) {
      const i = c * plane + p;
      data[i] = Math.min(1, Math.max(-1, data[i] + soft[p] * (fill(c, p) - data[i])));
      change[p] += Math.abs(data[i] - image.data[i]);
    }
  }
  const least = VISIBLE * change.reduce((most, v) => Math.max(most, v), 0);
  const mask = zeros('float32', [1, 1, height, width]);
  change.forEach((v, p) => {
    mask.data[p] = least > 0 && v >= least && soft[p] > 0.3 ? 1 : 0;
  });
  return { image: { ...image, data }, mask };
}

function blot(kind: Exclude<HarderKind, 'bridge'>, height: number, width: number, random: Random): Float32Array {
  return Float32Array.from(drawRegion({ kind: 'stains', count: 1, radius: RADII[kind] }, { height, width }, random));
}

/** A straight bar of two to four pixels of 128. */
function bar(height: number, width: number, random: Random): Float32Array {
  const side = Math.min(height, width);
  const [length, half] = [side * (0.08 + 0.2 * random.uniform()), (side / 128) * (1 + random.uniform())];
  const angle = Math.PI * random.uniform();
  const [y0, x0] = [height * (0.1 + 0.8 * random.uniform()), width * (0.1 + 0.8 * random.uniform())];
  return Float32Array.from({ length: height * width }, (_, p) => {
    const [dy, dx] = [Math.floor(p / width) - y0, (p % width) - x0];
    const along = dx * Math.cos(angle) + dy * Math.sin(angle);
    const across = dy * Math.cos(angle) - dx * Math.sin(angle);
    return Math.abs(along) <= length / 2 && Math.abs(across) <= half ? 1 : 0;
  });
}

/** What the pixels of the defect become. */
function fillOf(
  image: Image,
  other: Image,
  kind: HarderKind,
  contrast: number,
  region: Float32Array,
  random: Random,
): (c: number, p: number) => number {
  const { height, width } = shapeOf(image);
  const plane = height * width;
  const from = (source: Image, dy: number, dx: number) => (c: number, p: number) => {
    const y = (Math.floor(p / width) + dy + height) % height;
    return source.data[c * plane + y * width + (((p % width) + dx + width) % width)];
  };
  const within = ([low, high]: readonly [number, number]) => low + (high - low) * random.uniform();
  const sign = random.uniform() < 0.5 ? -1 : 1;
  const away = () =>
    Math.round((random.uniform() < 0.5 ? -1 : 1) * Math.min(height, width) * (0.06 + 0.12 * random.uniform()));
  switch (kind) {
    case 'small':
    case 'faint': {
      const shift = sign * contrast * within(kind === 'small' ? SMALL_CONTRAST : FAINT_CONTRAST);
      return (c, p) => image.data[c * plane + p] + shift;
    }
    case 'bridge': {
      // Of the tone of some place of the picture.
      const at = random.integer(plane);
      return (c) => image.data[c * plane + at];
    }
    case 'gap': {
      // What is beside the region, smoothed: the part is missing.
      const ground = gaussianBlur({ ...image, data: Float32Array.from(image.data) }, Math.min(height, width) / 40);
      return from(ground, away(), away());
    }
    case 'doubled':
      return from(image, away(), away());
    case 'turned': {
      const [cy, cx] = centreOf(region, width);
      return (c, p) => {
        const [dy, dx] = [Math.floor(p / width) - cy, (p % width) - cx];
        const y = Math.min(height - 1, Math.max(0, cy + dx));
        return image.data[c * plane + y * width + Math.min(width - 1, Math.max(0, cx - dy))];
      };
    }
    case 'blurred': {
      const ground = gaussianBlur(image, Math.min(height, width) / 50);
      return (c, p) => ground.data[c * plane + p];
    }
    case 'foreign':
      return from(other, random.uniform() < 0.5 ? 0 : away(), random.uniform() < 0.5 ? 0 : away());
  }
}

function centreOf(region: Float32Array, width: number): [number, number] {
  let [y, x, count] = [0, 0, 0];
  region.forEach((v, p) => {
    if (v === 0) return;
    y += Math.floor(p / width);
    x += p % width;
    count++;
  });
  return [Math.round(y / Math.max(1, count)), Math.round(x / Math.max(1, count))];
}
