/** The linear generator that a network is added to, of a data set's pictures. */

import { batchOf, type Dataset, mixed } from '../datasets/dataset.ts';
import { concatenated } from '../onnx/concatenate.ts';
import { float32 } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { backboneOf, backboneSize, shrunk } from './networks/backbone.ts';
import { fitLinear } from './networks/linear.ts';
import type { Backbone } from './networks/sizes.ts';

/** Number of pictures from which the backbone's components are computed. */
const COMPONENT_PICTURES = 4000;

/** The linear generator of the dataset's pictures, and the variance per value that it leaves out. */
export async function fitBackbone(
  dataset: Dataset,
  latent: number,
  runtime: Runtime,
  seed = 0,
): Promise<{ backbone: Backbone; residual: number }> {
  const size = backboneSize(dataset.size);
  const count = dataset.pictures.length;
  const used = Math.min(count, COMPONENT_PICTURES);
  const indices = Uint32Array.from({ length: used }, (_, i) => Math.floor((i * count) / used));
  const random = randomFrom(mixed(seed, 5));
  const parts: Float32Array[] = [];
  // A few at a time: large pictures are shrunk before they are kept.
  for (let from = 0; from < used; from += 64)
    parts.push(shrunk(batchOf(dataset, indices.subarray(from, from + 64), random), size).data);
  const model = await fitLinear(
    float32(concatenated(parts), [used, dataset.channels, size, size]),
    latent,
    runtime,
    seed,
  );
  return { backbone: backboneOf(model, latent, size), residual: model.residual };
}
