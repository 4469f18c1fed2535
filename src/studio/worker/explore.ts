/** Pictures of latents, and the latent of a picture. */

import { RgiError } from '../../errors.ts';
import { imageAt } from '../../images/image.ts';
import { buildMethod } from '../../inversion/methods/index.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Picture } from '../engine.ts';
import type { OpenModel } from './models.ts';
import { pictureOf, seen } from './pictures.ts';

/** G of each latent, one at a time: a generator may be of a fixed batch. */
export async function samplesOf(
  open: OpenModel,
  latents: readonly Float32Array[],
  runtime: Runtime,
): Promise<Picture[]> {
  const { generator } = open;
  open.session ??= runtime.session(encodeModel(generator.graph));
  const session = await open.session;
  const batch = generator.batch === 'any' ? 1 : generator.batch;
  const pictures: Picture[] = [];
  for (const latent of latents) {
    let from = 0;
    const feeds = new Map(
      generator.latents.map(({ name, dims }) => {
        const size = dims.reduce((a, b) => a * b, 1);
        const own = latent.subarray(from, from + size);
        from += size;
        const data = new Float32Array(batch * size);
        for (let i = 0; i < batch; i++) data.set(own, i * size);
        return [name, float32(data, [batch, ...dims])];
      }),
    );
    const made = (await session.run(feeds, [generator.output])).get(generator.output)!;
    pictures.push(pictureOf('', imageAt(float32(float32Data(made), made.dims), 0)));
  }
  return pictures;
}

/** By plain inversion: damage counts like everything else. */
export async function project(
  open: OpenModel,
  picture: Picture,
  runtime: Runtime,
): Promise<{ readonly latent: Float32Array; readonly picture: Picture }> {
  const { generator } = open;
  const context = {
    channels: generator.channels,
    generator: generator.graph,
    masked: false,
    critic: false,
    logistic: false,
    layers: [],
  };
  const method = buildMethod({ method: 'invert', seed: 0 }, context);
  const { image, outside } = seen(picture, generator, 'contain');
  for await (const { restored, latents } of restoreImages({ generator, method, images: image, outside }, runtime)) {
    const parts = generator.latents.flatMap(({ name }) => [...float32Data(latents.get(name)!)]);
    return { latent: Float32Array.from(parts), picture: pictureOf(picture.name, restored) };
  }
  throw new RgiError('runtime', 'The nearest picture was not found.');
}
