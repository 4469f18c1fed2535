/** Pixels that carry no data, known before any search: a region of one colour up to a sharp border, where the generator makes none. */
import { neighbourRanges } from '../../arrays/filter.ts';
import { constantFills } from '../../images/constant-fill.ts';
import { imageAt, type Mask } from '../../images/image.ts';
import { splitModel } from '../../onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Generator, poolBatch } from '../generator/generator.ts';

/**
 * Flat regions are natural for a generator more of whose pixels are flat (drawings, what was cut out), and at places that are flat in more
 * of its pictures.
 */
const NATURAL = 0.05;

/** Flat: no two of 3 x 3 neighbours differ by more grey levels in a channel. */
const FLAT_GREY = 1.5;

/** Pictures that the generator is asked for, with a fixed seed. */
const ASKED = 50;

/** How often the generator's pictures are flat, by pixel: asked once, for all pictures. */
export interface FlatnessCache {
  /** Share of the generator's own pictures that are flat at each pixel, [H*W], 0 to 1; absent until it is first asked for. */
  flatness?: Promise<Float32Array>;
}

export interface MissingOptions {
  /** 1 where there is no picture, [n,1,H,W]: nothing is looked for there, and it is missing. */
  readonly outside?: Mask;
  /** 1 where the picture is known to be good, [n,1,H,W]: it is not missing, whatever it looks like. */
  readonly keep?: Mask;
  readonly reuse?: FlatnessCache;
}

/** What of images `x` [n,C,H,W] is filled with one value where that is not natural for the generator: 1, [n,1,H,W]. */
export async function missingPixels(
  generator: Generator,
  x: Tensor,
  runtime: Runtime,
  { outside, keep, reuse }: MissingOptions = {},
): Promise<Mask> {
  const [n, , height, width] = x.dims;
  const missing = outside ? float32(outside.data.slice(), outside.dims) : zeros('float32', [n, 1, height, width]);
  const images = float32(float32Data(x), x.dims);
  const fills = Array.from({ length: n }, (_, i) => constantFills(imageAt(images, i), outside && imageAt(outside, i)));
  // Most pictures have none, and need not ask the generator.
  if (fills.every((own) => own.length === 0)) return missing;
  const shares = await askedOnce(generator, runtime, reuse);
  const isNatural = (pixels: Iterable<number>, count: number) => {
    let flat = 0;
    for (const p of pixels) flat += shares[p];
    return flat > NATURAL * count;
  };
  if (isNatural(shares.keys(), shares.length)) return missing;
  fills.forEach((own, i) => {
    for (const pixels of own) {
      if (isNatural(pixels, pixels.length)) continue;
      for (const p of pixels) {
        const at = i * height * width + p;
        if (!((keep?.data[at] ?? 0) > 0.5)) missing.data[at] = 1;
      }
    }
  });
  return missing;
}

async function askedOnce(
  generator: Generator,
  runtime: Runtime,
  reuse: FlatnessCache | undefined,
): Promise<Float32Array> {
  const known = reuse?.flatness ?? flatShares(generator, runtime);
  if (reuse) reuse.flatness = known;
  try {
    return await known;
  } catch (error) {
    if (reuse) reuse.flatness = undefined;
    throw error;
  }
}

/** The share of the generator's pictures that are flat about each pixel, [H*W]. */
async function flatShares(generator: Generator, runtime: Runtime): Promise<Float32Array> {
  const { channels, height, width } = generator;
  const batch = poolBatch(generator);
  const rounds = Math.ceil(ASKED / batch);
  const random = randomFrom(0);
  const shares = new Float32Array(height * width);
  const session = await runtime.session(splitModel(generator.graph));
  try {
    for (let round = 0; round < rounds; round++) {
      const made = await session.run(await generator.draw(batch, random), [generator.output]);
      const pictures = float32Data(made.get(generator.output)!);
      for (let i = 0; i < batch; i++) {
        const flat = new Uint8Array(shares.length).fill(1);
        for (let c = i * channels; c < (i + 1) * channels; c++) {
          // As a file would have it.
          const plane = pictures
            .subarray(c * flat.length, (c + 1) * flat.length)
            .map((v) => Math.min(1, Math.max(-1, v)));
          const { least, most } = neighbourRanges(plane, height, width);
          for (let p = 0; p < flat.length; p++) if (most[p] - least[p] > FLAT_GREY / 127.5) flat[p] = 0;
        }
        flat.forEach((yes, p) => {
          shares[p] += yes / (rounds * batch);
        });
      }
    }
  } finally {
    await session.dispose();
  }
  return shares;
}
