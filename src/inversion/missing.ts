/** Pixels that carry no data, known before any search: a region of one colour up to a sharp border, where the generator makes none. */
import { constantFill } from '../images/constant-fill.ts';
import { imageAt, type Mask, stackImages } from '../images/image.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Generator } from './generator.ts';
import type { Reuse } from './reuse.ts';
import { poolBatch } from './starts.ts';

/** A place is natural for flat regions where more of the generator's pictures are flat. */
const NATURAL = 0.05;

/** Flat: no two of 3 x 3 neighbours differ by more grey levels in a channel. */
const FLAT_GREY = 1.5;

/** Pictures that the generator is asked for, with a fixed seed. */
const ASKED = 50;

/** What of images `x` [n,C,H,W] is filled with one value where that is not natural for the generator: 1, [n,1,H,W]. */
export async function missingPixels(generator: Generator, x: Tensor, runtime: Runtime, reuse?: Reuse): Promise<Mask> {
  const image = float32(float32Data(x), x.dims);
  const images = Array.from({ length: x.dims[0] }, (_, i) => imageAt(image, i));
  const suspected = images.map((one) => constantFill(one));
  // Most pictures have none, and need not ask the generator.
  if (suspected.every(({ data }) => data.every((m) => m === 0))) return stackImages(suspected);
  const known = reuse?.flatness ?? flatShares(generator, runtime);
  if (reuse) reuse.flatness = known;
  const shares = await known;
  const isNatural = (pixels: readonly number[]) =>
    pixels.reduce((sum, p) => sum + shares[p], 0) > NATURAL * pixels.length;
  return stackImages(images.map((one) => constantFill(one, isNatural)));
}

/** The share of the generator's pictures that are flat about each pixel, [H*W]. */
async function flatShares(generator: Generator, runtime: Runtime): Promise<Float32Array> {
  const { channels, height, width } = generator;
  const batch = poolBatch(generator);
  const rounds = Math.ceil(ASKED / batch);
  const shares = new Float32Array(height * width);
  const random = randomFrom(0);
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    for (let round = 0; round < rounds; round++) {
      const made = await session.run(await generator.draw(batch, random), [generator.output]);
      const pictures = float32Data(made.get(generator.output)!);
      for (let i = 0; i < batch; i++) {
        const of = pictures.subarray(i * channels * height * width, (i + 1) * channels * height * width);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            if (isFlat(of, generator, y, x)) shares[y * width + x] += 1 / (rounds * batch);
          }
        }
      }
    }
  } finally {
    await session.dispose();
  }
  return shares;
}

function isFlat(picture: Float32Array, { channels, height, width }: Generator, y: number, x: number): boolean {
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
