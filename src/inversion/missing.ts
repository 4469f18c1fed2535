/** Pixels that carry no data, known before any search: a region of one colour up to a sharp border, where the generator makes none. */
import { constantFills } from '../images/constant-fill.ts';
import { imageAt, type Mask } from '../images/image.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Generator } from './generator.ts';
import type { Reuse } from './reuse.ts';
import { poolBatch } from './starts.ts';

/**
 * Flat regions are natural for a generator more of whose pixels are flat (drawings, what was cut out), and at places that are flat in more
 * of its pictures.
 */
const NATURAL = 0.05;

/** Flat: no two of 3 x 3 neighbours differ by more grey levels in a channel. */
const FLAT_GREY = 1.5;

/** Pictures that the generator is asked for, with a fixed seed. */
const ASKED = 50;

/** What of images `x` [n,C,H,W] is filled with one value where that is not natural for the generator: 1, [n,1,H,W]. */
export async function missingPixels(generator: Generator, x: Tensor, runtime: Runtime, reuse?: Reuse): Promise<Mask> {
  const [n, , height, width] = x.dims;
  const missing = zeros('float32', [n, 1, height, width]);
  const images = float32(float32Data(x), x.dims);
  const fills = Array.from({ length: n }, (_, i) => constantFills(imageAt(images, i)));
  // Most pictures have none, and need not ask the generator.
  if (fills.every((own) => own.length === 0)) return missing;
  const known = reuse?.flatness ?? flatShares(generator, runtime);
  if (reuse) reuse.flatness = known;
  const shares = await known;
  const isNatural = (pixels: Iterable<number>, count: number) => {
    let flat = 0;
    for (const p of pixels) flat += shares[p];
    return flat > NATURAL * count;
  };
  if (isNatural(shares.keys(), shares.length)) return missing;
  fills.forEach((own, i) => {
    for (const pixels of own)
      if (!isNatural(pixels, pixels.length)) for (const p of pixels) missing.data[i * height * width + p] = 1;
  });
  return missing;
}

/** The share of the generator's pictures that are flat about each pixel, [H*W]. */
async function flatShares(generator: Generator, runtime: Runtime): Promise<Float32Array> {
  const { channels, height, width } = generator;
  const batch = poolBatch(generator);
  const rounds = Math.ceil(ASKED / batch);
  const random = randomFrom(0);
  const shares = new Float32Array(height * width);
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    for (let round = 0; round < rounds; round++) {
      const made = await session.run(await generator.draw(batch, random), [generator.output]);
      const pictures = float32Data(made.get(generator.output)!);
      for (let i = 0; i < batch; i++) {
        const picture = pictures.subarray(i * channels * height * width, (i + 1) * channels * height * width);
        for (let p = 0; p < shares.length; p++) if (isFlat(picture, generator, p)) shares[p] += 1 / (rounds * batch);
      }
    }
  } finally {
    await session.dispose();
  }
  return shares;
}

function isFlat(picture: Float32Array, { channels, height, width }: Generator, p: number): boolean {
  const [y, x] = [Math.floor(p / width), p % width];
  for (let c = 0; c < channels; c++) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        // As a file would have it.
        const value = Math.min(1, Math.max(-1, picture[(c * height + v) * width + u]));
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    }
    if (most - least > FLAT_GREY / 127.5) return false;
  }
  return true;
}
