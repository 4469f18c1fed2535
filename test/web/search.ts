/** One search, for a page and for Node alike. */
import { buildMethod } from '../../src/inversion/methods/index.ts';
import type { MethodOptions } from '../../src/inversion/methods/options.ts';
import { restoreImages } from '../../src/inversion/solve/restore.ts';
import { openGeneratorBytes } from '../../src/models/generator.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

export interface Found {
  /** G(z) in [-1,1] at the end. */
  readonly restored: ArrayLike<number>;
  /** G(z) of the first search after `after` steps, where the search took as many. */
  readonly state?: ArrayLike<number>;
  readonly misfit: number;
}

/** Restores a picture of the generator's size, [C,H,W] in [-1,1]. */
export async function search(
  model: Uint8Array,
  picture: Float32Array,
  options: MethodOptions,
  runtime: Runtime,
  after?: number,
): Promise<Found> {
  const { generator } = await openGeneratorBytes(model, runtime);
  const { channels, height, width, graph } = generator;
  const context = { channels, generator: graph, masked: false, critic: false, logistic: false, layers: [] };
  const images = float32(picture, [1, channels, height, width]);
  const job = { generator, method: buildMethod(options, context), images };
  let steps = 0;
  let state: Float32Array | undefined;
  const onState: NonNullable<Parameters<typeof restoreImages>[2]>['onState'] = async (now) => {
    if (++steps === after) state = float32Data((await now()).image).slice(0, picture.length);
  };
  for await (const { restored, misfit } of restoreImages(job, runtime, { onState }))
    return { restored: restored.data, misfit, ...(state ? { state } : {}) };
  throw new Error('A restoration that nobody stops gives a picture.');
}
