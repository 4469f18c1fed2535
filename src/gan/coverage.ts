/**
 * Coverage: can the generator make any good sample? Pictures that were not trained on are inverted plainly (min over z of
 * |G(z) - x|^2), and the PSNR of what is reached is reported.
 */
import { clip, type Image, imageAt, imagesOf } from '../images/image.ts';
import { openGenerator } from '../inversion/generator.ts';
import { invert } from '../inversion/methods/invert.ts';
import { createSolver } from '../inversion/solver.ts';
import { psnr } from '../metrics/fidelity.ts';
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
  { steps, pool, encoder, seed = 0 }: CoverageOptions,
): Promise<Coverage> {
  const opened = await openGenerator(generator, runtime);
  const starts = encoder && (await run(runtime, encoder, 'image', images, 'z'));
  const encoded = starts && medianOf(fidelities(images, await run(runtime, generator, 'z', starts, opened.output)));
  const method = invert({ steps, seed });
  const solver = createSolver(opened, { ...method, start: { ...method.start, pool: Math.max(1, pool) } }, runtime);
  try {
    await solver.init(images, undefined, starts && new Map([['z', starts]]));
    while (!solver.terminate()) await solver.step();
    const { image } = await solver.finish();
    const reached = fidelities(images, image);
    return { psnr: reached, median: medianOf(reached), images: image, ...(encoded === undefined ? {} : { encoded }) };
  } finally {
    await solver.dispose();
  }
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
  return imagesOf(images).map((image, i) => psnr(image, imageAt(clipped, i)));
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
