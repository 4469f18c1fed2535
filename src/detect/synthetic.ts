/**
 * Defects drawn on good pictures: on every second one scratch, stain, pit or crack as they look (`images/defects.ts`), on the
 * others regions of no kind in particular, lighter or darker, of a colour that occurs elsewhere, or filled with another
 * place. They serve to choose among inspection settings; no threshold is set by them.
 */
import { DEFECT_KINDS, drawDefects, VISIBLE_GREY } from '../images/defects.ts';
import { type Image, type Mask, shapeOf } from '../images/image.ts';
import { dilate } from '../images/morphology.ts';
import { drawRegion, type Region } from '../images/regions.ts';
import { gaussianBlur } from '../images/resize.ts';
import { float32, zeros } from '../onnx/tensor.ts';
import { type Random, randomFrom } from '../random.ts';

const SHAPES: readonly Region[] = [
  { kind: 'scratches', count: 1 },
  { kind: 'stains', count: 1, radius: [0.01, 0.03] },
  { kind: 'stains', count: 1, radius: [0.03, 0.08] },
  { kind: 'stains', count: 1, radius: [0.06, 0.15] },
  { kind: 'dust', count: 2 },
];

/** Annotators draw masks around a defect: the margin in pixels, for pictures of size 128, beyond the pixels that changed. */
const MARGIN = 1.5;

/** One or two defects on each picture [1,C,H,W], with their masks; picture i depends on (seed, i) alone. */
export function withDefects(images: readonly Image[], seed: number): { image: Image; mask: Mask }[] {
  const drawn = images.map((image, i): { image: Image; mask: Mask } => {
    if (i % 2 === 1) return drawDefects(image, DEFECT_KINDS, seed, (i - 1) / 2);
    const random = randomFrom((seed ^ Math.imul(i + 1, 0x7feb352d)) >>> 0);
    const { height, width } = shapeOf(image);
    let current = image;
    const mask = zeros('float32', [1, 1, height, width]);
    // Two tries more: what is drawn may happen to look like what was there.
    for (let wanted = 1 + random.integer(2), tries = 0; wanted > 0 && tries < 4; tries++) {
      const drawn = drawDefect(current, images[random.integer(images.length)], random);
      let changed = 0;
      drawn.changed.forEach((v, p) => {
        if (v > 0) mask.data[p] = 1;
        changed += v;
      });
      current = drawn.image;
      if (changed > 0) wanted--;
    }
    return { image: current, mask };
  });
  return drawn.map(({ image, mask }) => {
    const { height, width } = shapeOf(mask);
    return { image, mask: dilate(mask, (MARGIN * Math.min(height, width)) / 128) };
  });
}

function drawDefect(image: Image, other: Image, random: Random): { image: Image; changed: Uint8Array } {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const region = drawRegion(SHAPES[random.integer(SHAPES.length)], { height, width }, random);
  const soft = gaussianBlur(float32(region, [1, 1, height, width]), 0.5).data;
  const fill = fillOf(image, other, random);
  const opacity = random.uniform() < 0.5 ? 1 : 0.25 + 0.75 * random.uniform();
  const data = image.data.slice();
  const changed = new Uint8Array(plane);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < plane; p++) {
      const i = c * plane + p;
      const value = Math.min(1, Math.max(-1, data[i] + opacity * soft[p] * (fill(c, p) - data[i])));
      if (Math.abs(value - data[i]) > VISIBLE_GREY / 127.5 && soft[p] > 0.3) changed[p] = 1;
      data[i] = value;
    }
  }
  return { image: { ...image, data }, changed };
}

/** The value of channel c at pixel p that the defect tends to. */
function fillOf(image: Image, other: Image, random: Random): (c: number, p: number) => number {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const foreign = shapeOf(other);
  const area = foreign.height * foreign.width;
  const kind = random.integer(3);
  if (kind === 0) {
    const size = 0.08 * (0.6 / 0.08) ** random.uniform() * (random.uniform() < 0.5 ? -1 : 1);
    const coloured = random.uniform() < 0.4;
    const shift = Array.from({ length: channels }, () => size * (coloured ? random.uniform() : 1));
    return (c, p) => image.data[c * plane + p] + shift[c];
  }
  if (kind === 1) {
    const at = random.integer(area);
    return (c) => other.data[c * area + at];
  }
  const [dy, dx] = [random.integer(foreign.height), random.integer(foreign.width)];
  return (c, p) => {
    const y = (Math.floor(p / width) + dy) % foreign.height;
    const x = ((p % width) + dx) % foreign.width;
    return other.data[(c * foreign.height + y) * foreign.width + x];
  };
}
