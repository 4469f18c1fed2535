/**
 * Defects drawn on pictures of good products, with their true masks: scratch, stain, pit, crack. For demonstrations, and
 * for judging a detector where no defective samples are at hand. Each is a layer with soft edges: a tone that covers the
 * surface or darkens it, and the shading of its relief under a light from one side. Lengths are shares of the shorter side.
 */
import { zeros } from '../onnx/tensor.ts';
import { type Random, streamOf } from '../random.ts';
import type { Corrupted } from './corruptions.ts';
import { crack, type Layer, pit, scratch, stain } from './defect-layers.ts';
import { type Image, imagesOf, shapeOf } from './image.ts';
import { fillHoles } from './morphology.ts';

/** The kinds of synthetic defects that `drawDefects` can draw. */
export type DefectKind = 'scratch' | 'stain' | 'pit' | 'crack';

const DRAWN: Readonly<Record<DefectKind, (height: number, width: number, random: Random) => Layer>> = {
  scratch,
  stain,
  pit,
  crack,
};

/** All kinds of synthetic defects. */
export const DEFECT_KINDS = Object.keys(DRAWN) as readonly DefectKind[];

/** Default of what counts as visible, in grey levels: the change, a mean over the channels. */
export const VISIBLE_GREY = 8;

/** Holes of so few pixels, where lit and dark parts of a relief cancel, belong to the defect. */
const MAX_HOLE = 4;

/** A defect that is hardly visible where it fell (a dark pit on a dark ground) is drawn again, up to this many times. */
const MAX_TRIES = 12;

/**
 * Draws one defect on every image [N,C,H,W]: image i gets `kinds[(first + i) % kinds.length]`, and depends on
 * (seed, first + i) alone. Pixels stay in [-1,1]. The mask is 1 where the defect is visible: changed by `visibleGrey` grey levels or
 * more, default 8.
 */
export function drawDefects(
  image: Image,
  kinds = DEFECT_KINDS,
  seed = 0,
  first = 0,
  { visibleGrey = VISIBLE_GREY }: { readonly visibleGrey?: number } = {},
): Corrupted {
  const { count, height, width } = shapeOf(image);
  const out = { ...image, data: image.data.slice() };
  const mask = zeros('float32', [count, 1, height, width]);
  imagesOf(image).forEach((one, n) => {
    const kind = kinds[(first + n) % kinds.length];
    const random = streamOf(seed, first + n, 3 + DEFECT_KINDS.indexOf(kind));
    const draw = DRAWN[kind];
    let best = applied(one, draw(height, width, random), visibleGrey / 127.5);
    for (let k = 1; k < MAX_TRIES && best.share < 0.5; k++) {
      const other = applied(one, draw(height, width, random), visibleGrey / 127.5);
      if (other.share > best.share) best = other;
    }
    out.data.set(best.data, n * best.data.length);
    mask.data.set(best.mask, n * best.mask.length);
  });
  return { image: out, mask: fillHoles(mask, MAX_HOLE) };
}

/** The picture under a layer, and where it changed by `visibleChange` in units of [-1,1]; `share` is how much of what the layer covers can be seen. */
function applied(image: Image, { cover, tone, blend, relief }: Layer, visibleChange: number) {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const data = image.data.slice();
  const mask = new Float32Array(plane);
  let covered = 0;
  let visible = 0;
  for (let i = 0; i < plane; i++) {
    if (cover[i] < 0.01 && Math.abs(relief[i]) < 0.01) continue;
    let change = 0;
    for (let c = 0; c < channels; c++) {
      const at = c * plane + i;
      const before = (data[at] + 1) / 2;
      const colour = channels === 3 ? tone[c] : (tone[0] + tone[1] + tone[2]) / 3;
      const under = blend === 'over' ? colour : before * colour;
      const after = before + cover[i] * (under - before) + relief[i];
      data[at] = 2 * Math.min(1, Math.max(0, after)) - 1;
      change += Math.abs(data[at] - image.data[at]) / channels;
    }
    mask[i] = change >= visibleChange ? 1 : 0;
    if (cover[i] >= 0.5) {
      covered++;
      visible += mask[i];
    }
  }
  return { data, mask, share: covered > 0 ? visible / covered : 0 };
}
