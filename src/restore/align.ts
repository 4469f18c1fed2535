/**
 * Where in a picture a generator's picture lies, found: the similarity at which G(z) agrees best with what it sees. Frames on a coarse grid are
 * inverted with few steps and scored; the best of them are moved, resized and turned to agree better with what was made, and inverted again.
 */
import { type Image, imageAt, type Mask, type Size, shapeOf, stackImages } from '../images/image.ts';
import { type Alignment, seenThrough, viewOf } from '../images/own-size/view.ts';
import { crop, resize } from '../images/resize.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { rgi } from '../inversion/methods/rgi.ts';
import { restoreImages } from '../inversion/solve/restore.ts';
import { zeros } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** How an alignment is looked for. */
export interface AlignSettings {
  /** Sides of the frames on the grid, as shares of the picture's shorter side; default 0.3, 0.42, 0.6, 0.84. */
  readonly shares?: readonly number[];
  /** Frames of one side are this share of it apart; default 0.35. */
  readonly stride?: number;
  /** Steps of the inversion of each frame; default 40. */
  readonly steps?: number;
  /** Frames that are refined; default 3. */
  readonly refined?: number;
  /** How often each of them is moved and inverted again; default 4. */
  readonly rounds?: number;
}

/** A frame and how well it fits. */
export interface FoundAlignment {
  readonly alignment: Alignment;
  /**
   * Explained contrast, in squared grey levels per value: by how much G(z) is nearer to the picture than one colour is. Residuals count up to
   * `OUTLIER_GREY`, so that damage decides nothing; a flat part of the picture has no contrast to be explained.
   */
  readonly score: number;
}

export interface AlignHooks {
  readonly onShare?: (share: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** Larger residuals are damage, and count as this. */
const OUTLIER_GREY = 48;

/** The picture is looked at this much finer than the smallest frame needs. */
const FINER = 1.5;

/** Undefined where it was aborted. `picture` [1,C,H,W] has the generator's channels. */
export async function findAlignment(
  generator: Generator,
  picture: Image,
  runtime: Runtime,
  settings: AlignSettings = {},
  { onShare, signal }: AlignHooks = {},
): Promise<FoundAlignment | undefined> {
  const { shares = [0.3, 0.42, 0.6, 0.84], stride = 0.35, steps = 40, refined = 3, rounds = 4 } = settings;
  const { reduced, factor } = reducedFor(generator, picture, Math.min(...shares));
  const size = sizeOf(reduced);
  const frames = shares.flatMap((share) => gridOf(size, generator, share, stride));
  const invert = inverterOf(generator, reduced, steps, runtime, signal);
  const scored = await invert(frames, (share) => onShare?.(0.7 * share, 'aligning'));
  if (!scored) return undefined;
  let best = topOf(scored, refined);
  for (let round = 0; round < rounds; round++) {
    const moved = best.map((one) => fittedTo(one, reduced, generator, round));
    const again = await invert(moved);
    if (!again) return undefined;
    best = best.map((one, i) => (again[i].score > one.score ? again[i] : one));
    onShare?.(0.7 + (0.3 * (round + 1)) / rounds, 'aligning');
  }
  const [{ alignment, score }] = topOf(best, 1);
  const { x, y, scale, degrees } = alignment;
  return { alignment: { x: x * factor, y: y * factor, scale: scale * factor, degrees }, score };
}

/** A frame, what the generator sees there, and what it made of it. */
interface Scored extends FoundAlignment {
  readonly made: Image;
}

function topOf<T extends FoundAlignment>(frames: readonly T[], count: number): T[] {
  return [...frames].sort((a, b) => b.score - a.score).slice(0, count);
}

function sizeOf(image: Image): Size {
  const { height, width } = shapeOf(image);
  return { height, width };
}

/** A smaller picture in which the smallest frame is a little larger than the generator's; pixels of the picture per pixel of it. */
function reducedFor({ height, width }: Size, picture: Image, share: number): { reduced: Image; factor: number } {
  const own = sizeOf(picture);
  const factor = Math.max(1, (share * Math.min(own.height, own.width)) / (FINER * Math.min(height, width)));
  const size = { height: Math.round(own.height / factor), width: Math.round(own.width / factor) };
  return { reduced: resize(picture, size), factor: own.height / size.height };
}

/** Upright frames of one size, from border to border. */
function gridOf(size: Size, generator: Size, share: number, stride: number): Alignment[] {
  const scale = (share * Math.min(size.height, size.width)) / Math.min(generator.height, generator.width);
  const centres = (length: number, frame: number) => {
    const room = Math.max(0, length - frame);
    const steps = Math.ceil(room / (stride * frame));
    return Array.from({ length: steps + 1 }, (_, i) => frame / 2 + (steps === 0 ? room / 2 : (i * room) / steps));
  };
  return centres(size.height, scale * generator.height).flatMap((y) =>
    centres(size.width, scale * generator.width).map((x) => ({ x, y, scale, degrees: 0 })),
  );
}

/** What the generator sees at a frame. */
function look(picture: Image, generator: Size, alignment: Alignment): { image: Image; outside?: Mask } {
  const size = sizeOf(picture);
  const view = viewOf(size, { height: generator.height, width: generator.width }, { alignment });
  const part = resize(crop(picture, view.placement.crop), view.placement.inner);
  return seenThrough(view, part, size);
}

/** Inverts what is seen at frames, and scores it; undefined where it was aborted. */
function inverterOf(generator: Generator, picture: Image, steps: number, runtime: Runtime, signal?: AbortSignal) {
  const shared = reuse();
  const method = rgi({ preset: 'fast', channels: generator.channels, steps, starts: 2, pool: 64 });
  return async (frames: readonly Alignment[], onShare?: (share: number) => void): Promise<Scored[] | undefined> => {
    const seen = frames.map((frame) => look(picture, generator, frame));
    const images = stackImages(seen.map(({ image }) => image));
    const outside = seen.some((one) => one.outside)
      ? stackImages(seen.map((one) => one.outside ?? zeros('float32', [1, 1, generator.height, generator.width])))
      : undefined;
    const scored: Scored[] = [];
    for await (const { restored } of restoreImages({ generator, method, images, outside, reuse: shared }, runtime, {
      signal,
    })) {
      const i = scored.length;
      const score = explainedContrast(imageAt(images, i), restored, seen[i].outside);
      scored.push({ alignment: frames[i], score, made: restored });
      onShare?.(scored.length / frames.length);
    }
    return scored.length === frames.length ? scored : undefined;
  };
}

/** See `FoundAlignment.score`. */
function explainedContrast(seen: Image, made: Image, outside?: Mask): number {
  const { channels, height, width } = shapeOf(seen);
  const plane = height * width;
  const limit = (OUTLIER_GREY / 127.5) ** 2;
  let sum = 0;
  for (let c = 0; c < channels; c++) {
    const own = seen.data.subarray(c * plane, (c + 1) * plane);
    const shown = outside ? own.filter((_, i) => outside.data[i] < 0.5) : own;
    const middle = Float32Array.from(shown).sort()[shown.length >> 1] ?? 0;
    for (let i = 0; i < plane; i++) {
      if (outside && outside.data[i] > 0.5) continue;
      sum += Math.min((own[i] - middle) ** 2, limit) - Math.min((own[i] - made.data[c * plane + i]) ** 2, limit);
    }
  }
  return (127.5 ** 2 * sum) / (channels * plane);
}

/** The frame near a scored one at which what was made agrees best with the picture: one number after another, in steps that are halved. */
function fittedTo({ alignment, made }: Scored, picture: Image, generator: Size, round: number): Alignment {
  const agreement = (frame: Alignment) => {
    const { image, outside } = look(picture, generator, frame);
    return explainedContrast(image, made, outside);
  };
  const side = alignment.scale * Math.min(generator.height, generator.width);
  let best = alignment;
  let score = agreement(best);
  for (let step = 2 ** -round; step > 0.02; step /= 2) {
    for (let improved = true; improved; ) {
      improved = false;
      for (const frame of neighboursOf(best, side, step)) {
        if (frame.x < 0 || frame.y < 0 || frame.x > picture.dims[3] || frame.y > picture.dims[2]) continue;
        const found = agreement(frame);
        if (found <= score) continue;
        [best, score, improved] = [frame, found, true];
      }
    }
  }
  return best;
}

function neighboursOf({ x, y, scale, degrees }: Alignment, side: number, step: number): Alignment[] {
  const shift = 0.12 * side * step;
  const grow = 1 + 0.12 * step;
  const turn = 8 * step;
  return [
    { x: x - shift, y, scale, degrees },
    { x: x + shift, y, scale, degrees },
    { x, y: y - shift, scale, degrees },
    { x, y: y + shift, scale, degrees },
    { x, y, scale: scale / grow, degrees },
    { x, y, scale: scale * grow, degrees },
    { x, y, scale, degrees: degrees - turn },
    { x, y, scale, degrees: degrees + turn },
  ];
}
