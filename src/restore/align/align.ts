/**
 * Where in a picture a generator's picture lies, found: the similarity at which G(z) agrees best with what it sees. All upright frames are compared
 * with a sketch of the generator (`scan.ts`); the best of them are inverted, then moved, resized and turned to agree better with what was made,
 * and inverted again. Where nothing agrees well enough, no place is chosen.
 */
import { choleskyFactor, choleskySolve } from '../../arrays/cholesky.ts';
import { dot } from '../../arrays/vectors.ts';
import { type Image, imageAt, type Mask, type Size, shapeOf, stackImages } from '../../images/image.ts';
import { type Alignment, seenThrough, viewOf } from '../../images/own-size/view.ts';
import { crop, resize } from '../../images/resize.ts';
import { reuse } from '../../inversion/compile/reuse.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { rgi } from '../../inversion/methods/rgi.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { zeros } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { scan } from './scan.ts';
import { sketchOf } from './sketch.ts';

/** How an alignment is looked for. */
export interface AlignSettings {
  /** The smallest frame, as a share of the picture's shorter side; default 0.22. */
  readonly minShare?: number;
  /** Each size of frames is so many times the last; default 1.15. */
  readonly ratio?: number;
  /** Frames that are inverted; default 8. */
  readonly inverted?: number;
  /** Steps of the inversion of each frame; default 40. */
  readonly steps?: number;
  /** Frames that are refined; default 3. */
  readonly refined?: number;
  /** How often each of them is moved and inverted again; default 3. */
  readonly rounds?: number;
  /** A frame with a lower score is none; default 0.5. */
  readonly minScore?: number;
}

/** A frame and how well it fits. */
export interface FoundAlignment {
  readonly alignment: Alignment;
  /**
   * Share of a frame's structure that G(z) explains, at most 1: of what a quadratic surface leaves of it, so that walls and skies have nothing to be
   * explained. Residuals count up to `OUTLIER_GREY`, so that damage decides nothing.
   */
  readonly score: number;
}

export interface AlignHooks {
  readonly onShare?: (share: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** Larger residuals are damage, and count as this. */
const OUTLIER_GREY = 48;

/** Undefined where nothing agrees well enough, or it was aborted. `picture` [1,C,H,W] has the generator's channels. */
export async function findAlignment(
  generator: Generator,
  picture: Image,
  runtime: Runtime,
  settings: AlignSettings = {},
  { onShare, signal }: AlignHooks = {},
): Promise<FoundAlignment | undefined> {
  const { minShare = 0.22, ratio = 1.15, inverted = 8, steps = 40, refined = 3, rounds = 3, minScore = 0.5 } = settings;
  const { reduced, factor } = reducedFor(generator, picture, minShare);
  const sketch = await sketchOf(generator, runtime);
  const candidates = scan(reduced, sketch, generator, { minShare, ratio }).slice(0, inverted);
  onShare?.(0.3, 'aligning');
  const invert = inverterOf(generator, reduced, { steps, minScore }, runtime, signal);
  const scored = await invert(
    candidates.map(({ alignment }) => alignment),
    (share) => onShare?.(0.3 + 0.4 * share, 'aligning'),
  );
  if (!scored) return undefined;
  let best = topOf(scored, refined);
  // Between two sizes of the scan, what was made there can hold a frame at its size.
  for (const factor of [Math.sqrt(ratio), 1 / Math.sqrt(ratio), ratio, 1 / ratio]) {
    const resized = await invert(best.map(({ alignment }) => ({ ...alignment, scale: alignment.scale * factor })));
    if (!resized) return undefined;
    best = best.map((one, i) => (isBetter(resized[i], one) ? resized[i] : one));
  }
  for (let round = 0; round < rounds; round++) {
    const again = await invert(best.map((one) => fittedTo(one, reduced, generator, round)));
    if (!again) return undefined;
    best = best.map((one, i) => (isBetter(again[i], one) ? again[i] : one));
    onShare?.(0.7 + (0.3 * (round + 1)) / rounds, 'aligning');
  }
  const [found] = topOf(best, 1);
  if (!found || found.score < minScore) return undefined;
  const { x, y, scale, degrees } = found.alignment;
  return { alignment: { x: x * factor, y: y * factor, scale: scale * factor, degrees }, score: found.score };
}

/** A frame, what the generator sees there, and what it made of it. */
interface Scored extends FoundAlignment {
  /**
   * What G(z) explains of the whole frame's structure beyond the least share of it: a part of a face is explained as well as the face, but it is less,
   * and what lies around a face is not explained at all.
   */
  readonly gain: number;
  readonly made: Image;
}

/** Of frames that are explained well enough, those of the largest gain; then the others, by their scores. */
function topOf(frames: readonly Scored[], count: number): Scored[] {
  return [...frames].sort((a, b) => (isBetter(a, b) ? -1 : 1)).slice(0, count);
}

function isBetter(a: Scored, b: Scored): boolean {
  return a.gain > 0 || b.gain > 0 ? a.gain > b.gain : a.score > b.score;
}

function sizeOf(image: Image): Size {
  const { height, width } = shapeOf(image);
  return { height, width };
}

/** A smaller picture in which the smallest frame is as large as the generator's; pixels of the picture per pixel of it. */
function reducedFor({ height, width }: Size, picture: Image, share: number): { reduced: Image; factor: number } {
  const own = sizeOf(picture);
  const factor = Math.max(1, (share * Math.min(own.height, own.width)) / Math.min(height, width));
  const size = { height: Math.round(own.height / factor), width: Math.round(own.width / factor) };
  return { reduced: resize(picture, size), factor: own.height / size.height };
}

/** What the generator sees at a frame. */
function look(picture: Image, generator: Size, alignment: Alignment): { image: Image; outside?: Mask } {
  const size = sizeOf(picture);
  const view = viewOf(size, { height: generator.height, width: generator.width }, { alignment });
  const part = resize(crop(picture, view.placement.crop), view.placement.inner);
  return seenThrough(view, part, size);
}

/** Inverts what is seen at frames, and scores it; undefined where it was aborted. */
function inverterOf(
  generator: Generator,
  picture: Image,
  { steps, minScore }: { readonly steps: number; readonly minScore: number },
  runtime: Runtime,
  signal?: AbortSignal,
) {
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
      const { structure, left } = structureOf(imageAt(images, i), restored, seen[i].outside);
      const gain = (structure - left / (1 - minScore)) * frames[i].scale ** 2;
      scored.push({ alignment: frames[i], score: shareOf({ structure, left }), gain, made: restored });
      onShare?.(scored.length / frames.length);
    }
    return scored.length === frames.length ? scored : undefined;
  };
}

/** What a quadratic surface leaves of a frame, and what G(z) leaves of it. */
interface Structure {
  readonly structure: number;
  readonly left: number;
}

/** See `FoundAlignment.score`. */
function shareOf({ structure, left }: Structure): number {
  return structure > 0 ? 1 - left / structure : 0;
}

function structureOf(seen: Image, made: Image, outside?: Mask): Structure {
  const { channels, height, width } = shapeOf(seen);
  const plane = height * width;
  const limit = channels * (OUTLIER_GREY / 127.5) ** 2;
  const smooth = surfacesOf(seen, outside);
  let [structure, left] = [0, 0];
  for (let p = 0; p < plane; p++) {
    if (outside && outside.data[p] > 0.5) continue;
    let [own, rest] = [0, 0];
    for (let c = 0, i = p; c < channels; c++, i += plane) {
      own += (seen.data[i] - smooth[i]) ** 2;
      rest += (seen.data[i] - made.data[i]) ** 2;
    }
    structure += Math.min(own, limit);
    left += Math.min(rest, limit);
  }
  return { structure, left };
}

/** The quadratic surface of least squares of each channel, [C,H,W]. */
function surfacesOf(seen: Image, outside?: Mask): Float64Array {
  const { channels, height, width } = shapeOf(seen);
  const plane = height * width;
  const terms = (p: number) => {
    const [y, x] = [Math.floor(p / width) / height - 0.5, (p % width) / width - 0.5];
    return [1, x, y, x * x, x * y, y * y];
  };
  const all = Array.from({ length: plane }, (_, p) => terms(p));
  const matrix = new Float64Array(36);
  for (let i = 0; i < 6; i++) matrix[7 * i] = 1e-9;
  const rights = Array.from({ length: channels }, () => new Float64Array(6));
  all.forEach((t, p) => {
    if (outside && outside.data[p] > 0.5) return;
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) matrix[6 * i + j] += t[i] * t[j];
      for (let c = 0; c < channels; c++) rights[c][i] += t[i] * seen.data[c * plane + p];
    }
  });
  const factor = choleskyFactor(matrix, 6)!;
  const fits = rights.map((right) => choleskySolve(factor, 6, right));
  return Float64Array.from({ length: channels * plane }, (_, i) => dot(all[i % plane], fits[Math.floor(i / plane)]));
}

/** The frame near a scored one at which what was made agrees best with the picture: one number after another, in steps that are halved. */
function fittedTo({ alignment, made }: Scored, picture: Image, generator: Size, round: number): Alignment {
  const agreement = (frame: Alignment) => {
    const { image, outside } = look(picture, generator, frame);
    return shareOf(structureOf(image, made, outside));
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
