/**
 * The inversion behind detection: RGI with the exact mask and a Gaussian prior on z, begun at what the encoder says where
 * there is one. Pictures are taken in batches of one size, so that one compiled step serves them all.
 */
import { clip, type Image } from '../images/image.ts';
import type { Generator } from '../inversion/generator.ts';
import type { Method } from '../inversion/method.ts';
import { rgi } from '../inversion/methods/rgi.ts';
import { reuse } from '../inversion/reuse.ts';
import { createSolver } from '../inversion/solver.ts';
import { rows } from '../inversion/starts.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph } from '../onnx/graph.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { PolicySettings } from './policy.ts';

export type InversionSettings = PolicySettings['inversion'];

export interface Inverter {
  /** Pictures that are inverted together. */
  readonly batch: number;
  /** G(z), clipped to [-1,1], of pictures [n,C,S,S], n being `batch` at most. */
  invert(images: Image): Promise<Image>;
  dispose(): Promise<void>;
}

export interface InverterOptions {
  readonly generator: Generator;
  /** Maps pictures of the generator's size to z: the start of the search. */
  readonly encoder?: Graph;
  readonly settings: InversionSettings;
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

/** Values of all pictures of a batch together: enough to fill the cores, little enough to stay in the caches. */
const BATCH_VALUES = 2 ** 19;

export function inversionBatch({ channels, height, width }: Generator): number {
  return Math.min(64, Math.max(8, Math.floor(BATCH_VALUES / (channels * height * width))));
}

/** Throws `interrupted` (an AbortError) when the signal is. */
export async function openInverter(options: InverterOptions, runtime: Runtime): Promise<Inverter> {
  const { generator, encoder, settings, signal } = options;
  const batch = options.batch ?? inversionBatch(generator);
  const method = methodOf(generator, settings, encoder !== undefined);
  const shared = reuse();
  const session = encoder && (await runtime.session(encodeModel(encoder)));
  const startsOf = async (images: Tensor) => {
    if (!encoder || !session) return undefined;
    const [{ name: input }] = encoder.inputs;
    const [{ name: output }] = encoder.outputs;
    const z = (await session.run(new Map([[input, images]]), [output])).get(output)!;
    return new Map([[generator.latents[0].name, z]]);
  };
  return {
    batch,
    async invert(images) {
      const count = images.dims[0];
      const filled = rows(
        images,
        Array.from({ length: batch }, (_, i) => Math.min(i, count - 1)),
      );
      const solver = createSolver(generator, method, runtime, { reuse: shared, signal });
      try {
        await solver.init(filled, undefined, await startsOf(filled));
        do {
          while (!solver.terminate()) {
            signal?.throwIfAborted();
            await solver.step();
          }
        } while (await solver.advance());
        const { image } = await solver.finish();
        return clip(float32(float32Data(image).subarray(0, images.data.length), images.dims));
      } finally {
        await solver.dispose();
      }
    },
    dispose: async () => session?.dispose(),
  };
}

function methodOf(generator: Generator, settings: InversionSettings, started: boolean): Method {
  const { thresholdGrey, prior, steps, starts } = settings;
  return rgi({
    preset: 'fast',
    channels: generator.channels,
    thresholdGrey,
    steps,
    starts: started ? 1 : starts,
    priors: prior > 0 ? [{ kind: 'gaussian', weight: prior }] : [],
  });
}

/** Numbers in one picture's latents, averaged over the latents: what turns a deviation of residuals into a prior's weight. */
export function latentLength({ latents }: Generator): number {
  return latents.reduce((sum, { dims }) => sum + sizeOf(dims), 0) / latents.length;
}
