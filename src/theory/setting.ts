/** What all cells share: the generator, the latents z* and their pictures; and pictures that the generator cannot make. */
import { fillMasked } from '../images/corruptions.ts';
import type { Image, Mask } from '../images/image.ts';
import type { Reuse } from '../inversion/compile/reuse.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import { trainableWeights } from '../passes/trainable.ts';
import { randomFrom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { generateImages } from './measure.ts';
import type { Invariance } from './record.ts';

/** What all cells of a run share. */
export interface Setting {
  /** The generator whose latents are to be found again. */
  readonly generator: Generator;
  /** From `findInvariance`. */
  readonly invariance: Invariance;
  /** z* and G(z*) of as many latents as any cell needs. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** G(z*) [n,C,H,W] in [-1,1]. */
  readonly clean: Image;
  /** Clean pictures that were given, [n,C,H,W]. */
  readonly pictures?: Image;
  /** Whole number: draws z*, corruptions and starts. */
  readonly seed: number;
  /** Steps at each threshold. */
  readonly steps: number;
  /** Searches per picture beside the one that begins at z*, and random latents they are chosen from. */
  readonly starts: number;
  /** Random latents from which the starts are chosen. */
  readonly pool: number;
}

export interface CellHooks {
  /** Shared by all cells of a run. */
  readonly reuse: Reuse;
  /** `done` of the cell's `workOf`. */
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Draws z* and makes G(z*). */
export async function prepareSetting(
  options: Omit<Setting, 'latents' | 'clean'>,
  count: number,
  runtime: Runtime,
): Promise<Setting> {
  const latents = await options.generator.draw(count, randomFrom(options.seed));
  return { ...options, latents, clean: await generateImages(options.generator, latents, runtime) };
}

/** Correlation width of the smooth gap, a share of the picture's side. */
const SMOOTH_WIDTH = 0.06;

/** Pictures [n,C,H,W] and a smooth random field of standard deviation `grey` levels each. */
export function withSmoothGap(clean: Image, grey: number, seed: number): Image {
  const [n, , height, width] = clean.dims;
  const everywhere: Mask = {
    type: 'float32',
    dims: [n, 1, height, width],
    data: new Float32Array(n * height * width).fill(1),
  };
  const fill = { kind: 'smooth', amplitude: grey / 127.5, width: SMOOTH_WIDTH, noise: 0 } as const;
  return fillMasked(clean, everywhere, fill, seed);
}

/** G with N(0,1) times `share` of each weight's own root mean square added to it. */
export function withPerturbedWeights(
  generator: Generator,
  share: number,
  seed: number,
): Pick<Generator, 'graph' | 'output' | 'batch'> {
  const random = randomFrom(seed);
  const initializers = new Map(generator.graph.initializers);
  for (const name of trainableWeights(generator.graph)) {
    const tensor = initializers.get(name)!;
    const values = float32Data(tensor);
    const scale = share * Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    initializers.set(
      name,
      float32(
        values.map((v) => v + scale * random.normal()),
        tensor.dims,
      ),
    );
  }
  return { ...generator, graph: { ...generator.graph, initializers } };
}
