/**
 * A start from an encoder, for pictures with unknown corruption: what the generator cannot explain of a
 * picture is replaced by what it makes in its place, and the picture is encoded again (expectation-maximisation for missing
 * values: Dempster, Laird and Rubin 1977; for a linear generator it is the least-squares fit of the rest).
 */
import { clip, type Image, type Mask, visibilityOf } from '../../images/image.ts';
import { splitModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import { outlierThresholdsMeanAbsolute } from '../mask/noise.ts';
import { ENCODING, type EncodingRule } from '../spec/start-rule.ts';

/**
 * The `drawn` latents, [n * count, ...] with `count` per image side by side, with the encoder's in place of each image's last. An
 * encoder is one opinion: the others stay.
 */
export async function withEncodedStart(
  generator: Generator,
  drawn: ReadonlyMap<string, Tensor>,
  count: number,
  images: Tensor,
  runtime: Runtime,
  known: KnownPixels,
  rule?: Partial<EncodingRule>,
): Promise<Map<string, Tensor>> {
  const encoded = await encodedStarts(generator, images, runtime, known, rule);
  return new Map(
    [...drawn].map(([name, own]) => {
      const starts = float32(float32Data(own).slice(), own.dims);
      const other = float32Data(encoded.get(name)!);
      const each = starts.data.length / own.dims[0];
      for (let i = 0; i < images.dims[0]; i++)
        starts.data.set(other.subarray(i * each, (i + 1) * each), (i * count + count - 1) * each);
      return [name, starts];
    }),
  );
}

export interface KnownPixels {
  /** The pixels to trust (1), where all is known, [n,1,H,W]. */
  readonly visibility?: Tensor;
  /** Where not: those that are missing (1), [n,1,H,W]. */
  readonly missing?: Mask;
}

/** One latent per image of `images` [n,C,H,W]. */
export async function encodedStarts(
  generator: Generator,
  images: Tensor,
  runtime: Runtime,
  { visibility, missing }: KnownPixels = {},
  rule: Partial<EncodingRule> = {},
): Promise<Map<string, Tensor>> {
  const { rounds, trustedGrey } = { ...ENCODING, ...rule };
  const encoder = generator.encoder!;
  const encode = await runtime.session(splitModel(encoder));
  const make = await runtime.session(splitModel(generator.graph));
  const [{ name: latent }] = generator.latents;
  const known = clip(images as Image);
  try {
    const there = visibility ?? (missing && visibilityOf(missing));
    let filled: Tensor = there ? masked(known, zerosLike(known), float32Data(there)) : known;
    for (let round = 0; ; round++) {
      const { name: input } = encoder.inputs[0];
      const { name: output } = encoder.outputs[0];
      const z = (await encode.run(new Map([[input, filled]]), [output])).get(output)!;
      if (round === rounds) return new Map([[latent, z]]);
      const made = (await make.run(new Map([[latent, z]]), [generator.output])).get(generator.output)!;
      filled = masked(known, made, visibility ? float32Data(visibility) : trusted(images, made, trustedGrey, missing));
    }
  } finally {
    await encode.dispose();
    await make.dispose();
  }
}

function zerosLike({ dims, data }: Image): Image {
  return float32(new Float32Array(data.length), dims);
}

/** Pixels whose residual is no larger than `leastGrey`, or than the picture's own scale of residuals calls for: 1. */
function trusted(x: Tensor, y: Tensor, leastGrey: number, missing?: Mask): Float32Array {
  const [n, channels, height, width] = x.dims;
  const plane = height * width;
  const [a, b] = [float32Data(x), float32Data(y)];
  const visibility = new Float32Array(n * plane);
  outlierThresholdsMeanAbsolute(x, y, missing).forEach((grey, i) => {
    const limit = (Math.max(leastGrey, grey) / 127.5) * channels;
    for (let p = 0; p < plane; p++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        const at = (i * channels + c) * plane + p;
        sum += Math.abs(a[at] - b[at]);
      }
      visibility[i * plane + p] = sum <= limit ? 1 - (missing?.data[i * plane + p] ?? 0) : 0;
    }
  });
  return visibility;
}

/** x where `keep` is above one half, else y. */
function masked(x: Image, y: Tensor, visibility: Float32Array): Image {
  const [, channels, height, width] = x.dims;
  const plane = height * width;
  const other = float32Data(y);
  const data = x.data.map((value, i) => {
    const pixel = Math.floor(i / (channels * plane)) * plane + (i % plane);
    return visibility[pixel] > 0.5 ? value : other[i];
  });
  return float32(data, x.dims);
}

/** Does an encoder's output fit the generator's only latent? */
export function encoderFits(generator: Generator, encoder: Graph): boolean {
  const { latents, channels, height, width } = generator;
  const [input] = encoder.inputs;
  const [output] = encoder.outputs;
  if (latents.length !== 1 || encoder.inputs.length !== 1 || !output) return false;
  const same = (dims: readonly (number | string)[], wanted: readonly number[]) =>
    dims.length === wanted.length + 1 && wanted.every((d, i) => typeof dims[i + 1] !== 'number' || dims[i + 1] === d);
  return same(input.dims, [channels, height, width]) && same(output.dims, latents[0].dims);
}
