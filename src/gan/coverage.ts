/**
 * Coverage: can the generator make any good sample? Pictures that were not trained on are inverted plainly (min over z of
 * |G(z) - x|^2), and the PSNR of what is reached is reported. And does it know what belongs together? The same with a part
 * of each picture hidden.
 */

import { rows } from '../arrays/rows.ts';
import { median } from '../arrays/sort.ts';
import { corrupt } from '../images/corruptions.ts';
import { clip, type Image, imageAt, imagesOf, type Mask, stackImages } from '../images/image.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import { type Generator, openGenerator } from '../inversion/generator/generator.ts';
import { invert } from '../inversion/methods/invert.ts';
import { runMethod } from '../inversion/solve/driver.ts';
import { limited, psnr } from '../metrics/fidelity.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';

export interface CoverageOptions {
  /** Steps of the inversion (Adam, rate 0.1). */
  readonly steps: number;
  /** Latents to look through for a start, if there is no encoder. */
  readonly pool: number;
  /** Gives the start where it is known: image to z. */
  readonly encoder?: Graph;
  readonly seed?: number;
  /** Aborted, its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Coverage {
  /** Of each picture: G(z) clipped to [-1,1], range 2. */
  readonly psnr: readonly number[];
  readonly median: number;
  /** Of the encoder's latents before any step. */
  readonly encoded?: number;
  /** G(z) [n,C,H,W]. */
  readonly images: Tensor;
}

export async function measureCoverage(
  generator: Graph,
  images: Image,
  runtime: Runtime,
  { encoder, ...options }: CoverageOptions,
): Promise<Coverage> {
  const opened = await openGenerator(generator, runtime);
  const starts = encoder && (await run(runtime, encoder, 'image', images, 'z'));
  const encoded = starts && median(fidelities(images, await run(runtime, generator, 'z', starts, opened.output)));
  const made = await inversion(opened, images, runtime, options, undefined, starts);
  return { ...judged(images, made), ...(encoded === undefined ? {} : { encoded }) };
}

/** Restoration of the same pictures with a quarter of each, in its centre, hidden: what the generator puts there. */
export async function measureBlock(
  generator: Graph,
  images: Image,
  runtime: Runtime,
  options: Omit<CoverageOptions, 'encoder'>,
): Promise<Omit<Coverage, 'encoded'>> {
  const { image, mask } = corrupt(images, { region: { kind: 'block', share: 0.25 } }, options.seed ?? 0);
  return judged(images, await inversion(await openGenerator(generator, runtime), image, runtime, options, mask));
}

function judged(images: Image, made: Tensor): Omit<Coverage, 'encoded'> {
  const reached = fidelities(images, made);
  return { psnr: reached, median: median(reached), images: made };
}

/** Pixels inverted side by side: 32 pictures of 64 x 64. */
const PIXELS = 32 * 64 ** 2;

/** G(z) [n,C,H,W] of the latents found. */
async function inversion(
  generator: Generator,
  images: Image,
  runtime: Runtime,
  { steps, pool, seed = 0, signal }: Omit<CoverageOptions, 'encoder'>,
  mask?: Mask,
  starts?: Tensor,
): Promise<Tensor> {
  const method = invert({ steps, seed, masked: mask !== undefined });
  const start = { ...method.start, pool: Math.max(1, pool) };
  const shared = reuse();
  const { height, width } = generator;
  const [count] = images.dims;
  const batch = Math.max(1, Math.min(count, Math.floor(PIXELS / (height * width))));
  const made: Image[] = [];
  for (let from = 0; from < count; from += batch) {
    const picked = Array.from({ length: Math.min(batch, count - from) }, (_, i) => from + i);
    const latents = starts && new Map([['z', rows(starts, picked)]]);
    const options = { reuse: shared, signal, latents };
    const masks = mask && rows(mask, picked);
    const { image } = await runMethod(generator, { ...method, start }, runtime, rows(images, picked), masks, options);
    signal?.throwIfAborted();
    made.push(image as Image);
  }
  return stackImages(made);
}

/** One output of a network for one input. */
export async function run(
  runtime: Runtime,
  graph: Graph,
  input: string,
  value: Tensor,
  output: string,
): Promise<Tensor> {
  const session = await runtime.session(encodeModel(graph));
  try {
    return (await session.run(new Map([[input, value]]), [output])).get(output)!;
  } finally {
    await session.dispose();
  }
}

/** PSNR of each made picture against its own. */
export function fidelities(images: Image, made: Tensor): number[] {
  const clipped = clip(made as Image);
  return imagesOf(images).map((image, i) => limited(psnr(image, imageAt(clipped, i))));
}
