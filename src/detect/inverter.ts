/**
 * The inversion behind detection: RGI with the exact mask and a Gaussian prior on z. Of a generator that is affine in its latents it is in
 * closed form (`projection.ts`); of any other it is a search, begun at what the encoder says where there is one. Pictures are taken in batches of one size, so that one compiled step serves them all.
 */

import { rows } from '../arrays/rows.ts';
import { clip, type Image } from '../images/image.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { runMethod } from '../inversion/solve/driver.ts';
import { fixedScheduleSearch } from '../inversion/solve/fixed-schedule.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph } from '../onnx/graph.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { isProjection, type PolicySettings, type ProjectionSettings, type SearchSettings } from './policy.ts';
import { notAffine, openProjection, PROJECTED_TOGETHER, type Projection } from './projection.ts';
import { policySearch } from './search.ts';

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
  /** Of the same generator, shared with others: it stays open. Default: one of its own, where the settings need it. */
  readonly projection?: Projection;
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

/** Values of all pictures of a batch together: enough to fill the cores, little enough to stay in the caches. */
const BATCH_VALUES = 2 ** 19;

export function inversionBatch({ channels, height, width }: Generator): number {
  return Math.min(64, Math.max(8, Math.floor(BATCH_VALUES / (channels * height * width))));
}

/** Inverting throws the signal's reason when that is aborted. */
export async function openInverter(options: InverterOptions, runtime: Runtime): Promise<Inverter> {
  const { generator, encoder, settings } = options;
  if (isProjection(settings)) return projectingInverter(options, settings, runtime);
  const batch = options.batch ?? inversionBatch(generator);
  const searching = { ...options, settings };
  const search = await (encoder ? encodedSearch(searching, encoder, runtime) : drawnSearch(searching, runtime));
  return {
    batch,
    async invert(images) {
      const last = images.dims[0] - 1;
      const filled = rows(
        images,
        Array.from({ length: batch }, (_, i) => Math.min(i, last)),
      );
      const made = float32Data(await search.run(filled));
      return clip(float32(made.subarray(0, images.data.length), images.dims));
    },
    dispose: search.dispose,
  };
}

/** In closed form: any number of pictures at a time. */
async function projectingInverter(
  { generator, projection: shared, batch = PROJECTED_TOGETHER, signal }: InverterOptions,
  settings: ProjectionSettings,
  runtime: Runtime,
): Promise<Inverter> {
  const projection = shared ?? (await openProjection(generator, runtime));
  if (!projection) throw notAffine();
  return {
    batch,
    async invert(images) {
      signal?.throwIfAborted();
      return projection.project(images, settings);
    },
    async dispose() {
      if (!shared) await projection.dispose();
    },
  };
}

interface SearchOptions extends InverterOptions {
  readonly settings: SearchSettings;
}

interface Search {
  run(images: Image): Promise<Tensor>;
  dispose(): Promise<void>;
}

/** From the encoder's answer, on one loop for all batches. */
async function encodedSearch(
  { generator, settings, signal }: SearchOptions,
  encoder: Graph,
  runtime: Runtime,
): Promise<Search> {
  const search = fixedScheduleSearch(generator, policySearch(generator, settings, 1), runtime);
  const session = await runtime.session(encodeModel(encoder));
  const [{ name: input }] = encoder.inputs;
  const [{ name: output }] = encoder.outputs;
  return {
    async run(images) {
      const z = (await session.run(new Map([[input, images]]), [output])).get(output)!;
      return search.run(images, new Map([[generator.latents[0].name, z]]), signal);
    },
    async dispose() {
      await session.dispose();
      await search.dispose();
    },
  };
}

/** From random latents, of which several compete. */
async function drawnSearch({ generator, settings, signal }: SearchOptions, runtime: Runtime): Promise<Search> {
  const method = policySearch(generator, settings, settings.starts);
  const shared = reuse();
  return {
    async run(images) {
      const { image } = await runMethod(generator, method, runtime, images, undefined, { reuse: shared, signal });
      signal?.throwIfAborted();
      return image;
    },
    dispose: async () => {},
  };
}

/** Numbers in one picture's latents, averaged over the latents: what turns a deviation of residuals into a prior's weight. */
export function latentLength({ latents }: Generator): number {
  return latents.reduce((sum, { dims }) => sum + sizeOf(dims), 0) / latents.length;
}
