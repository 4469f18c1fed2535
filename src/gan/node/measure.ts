/** Measures networks on pictures that they have not seen, and draws the samples that are shown of them. */
import { mixed } from '../../datasets/dataset.ts';
import type { Image } from '../../images/image.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { measureBlock, measureCoverage, run } from '../coverage.ts';
import type { CoveragePoint } from '../record.ts';

export interface MeasureOptions {
  readonly step: number;
  /** Steps of the plain inversion, and of that with the hidden block. */
  readonly steps: number;
  readonly blockSteps: number;
  /** Latents to look through for a start. */
  readonly pool: number;
  readonly signal?: AbortSignal;
}

export interface Measured {
  readonly point: CoveragePoint;
  /** What was reached of each unseen picture, [n,C,H,W]. */
  readonly reached: Tensor;
}

/** Throws the signal's reason where it is aborted before all is measured. */
export async function measureNetworks(
  generator: Graph,
  encoder: Graph | undefined,
  unseen: Image,
  runtime: Runtime,
  { step, steps, blockSteps, pool, signal }: MeasureOptions,
): Promise<Measured> {
  const reached = await measureCoverage(generator, unseen, runtime, { steps, pool, encoder, signal });
  const block = await measureBlock(generator, unseen, runtime, { steps: blockSteps, pool, signal });
  const point: CoveragePoint = {
    step,
    median: reached.median,
    worst: Math.min(...reached.psnr),
    ...(reached.encoded === undefined ? {} : { encoded: reached.encoded }),
    block: block.median,
  };
  return { point, reached: reached.images };
}

const SAMPLES = 48;

/** Pictures of the same latents at every call. */
export function drawSamples(generator: Graph, latent: number, seed: number, runtime: Runtime): Promise<Tensor> {
  const z = float32(randomFrom(mixed(seed, 4)).normals(SAMPLES * latent), [SAMPLES, latent]);
  return run(runtime, generator, 'z', z, 'image');
}
