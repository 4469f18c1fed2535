/**
 * The images of the pool of starts, made once per generator and kept for the pictures that follow: whole, where they are few or
 * small, else the values at those pixels that the robust distance looks at.
 */
import type { Reuse } from '../compile/reuse.ts';

/** Largest number of pixels that the robust distance compares; it only has to separate good starts from bad ones. */
export const MAX_COMPARED = 1024;

/** Fewer known pixels among those that were kept are too few to compare. */
const MIN_COMPARED = MAX_COMPARED / 4;

/** Images of more bytes than this are not kept whole. */
const MAX_POOL_BYTES = 2 ** 28;

/** `pixels`, or every k-th of them: k is odd, so that the picked pixels do not form columns. */
export function everyKth(pixels: Int32Array): Int32Array {
  if (pixels.length <= MAX_COMPARED) return pixels;
  const stride = Math.ceil(pixels.length / MAX_COMPARED) | 1;
  return pixels.filter((_, i) => i % stride === 0);
}

export interface KeptPixels {
  /** The pixels whose values are kept; absent where the images are kept whole. */
  readonly pixels?: Int32Array;
  /** Those of a picture's `known` pixels that are compared; absent where too few of them were kept. */
  compared(known: Int32Array): Int32Array | undefined;
}

/** What a pool of `count` images of [channels, plane] keeps, for the robust distance. */
export function keptPixels(count: number, channels: number, plane: number): KeptPixels {
  if (4 * count * channels * plane <= MAX_POOL_BYTES) return { compared: everyKth };
  const pixels = everyKth(Int32Array.from({ length: plane }, (_, p) => p));
  const kept = new Set(pixels);
  return {
    pixels,
    compared(known) {
      if (known.length === plane) return pixels;
      const both = known.filter((p) => kept.has(p));
      return both.length >= MIN_COMPARED ? both : undefined;
    },
  };
}

/** What was kept of the pool's batch that begins at `from`; made where it was not. */
export async function pooled(
  pool: Reuse['pool'] | undefined,
  from: number,
  make: () => Promise<Float32Array>,
): Promise<Float32Array> {
  const known = pool?.get(from);
  if (known) return known;
  const made = await make();
  pool?.set(from, made);
  return made;
}
