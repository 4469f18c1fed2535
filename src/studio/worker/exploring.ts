/** What a generator can make: drawn latents, the pictures of latents, and the latents nearest to a picture. */
import { rgi } from '../../inversion/methods/rgi.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { float32, float32Data, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Picture } from '../engine.ts';
import type { HeldModel } from './models.ts';
import { pictureOf, seenPicture } from './pictures.ts';

/** `count` draws, each the generator's latents one after the other. */
export async function drawLatents({ opened }: HeldModel, count: number, seed: number): Promise<Float32Array[]> {
  const { generator } = opened;
  const random = randomFrom(seed);
  const drawn: Float32Array[] = [];
  const batch = generator.batch === 'any' ? count : generator.batch;
  while (drawn.length < count) {
    const feeds = await generator.draw(batch, random);
    for (let i = 0; i < batch && drawn.length < count; i++) drawn.push(flattened(feeds, generator.latents, i));
  }
  return drawn;
}

/** The i-th latents of a batch, one after the other. */
function flattened(
  feeds: ReadonlyMap<string, Tensor>,
  latents: HeldModel['opened']['generator']['latents'],
  i: number,
): Float32Array {
  const parts = latents.map(({ name, dims }) => {
    const size = sizeOf(dims);
    return float32Data(feeds.get(name)!).subarray(i * size, (i + 1) * size);
  });
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** G of each of `latents`. */
export async function samplePictures(
  { opened, session }: HeldModel,
  latents: readonly Float32Array[],
): Promise<Picture[]> {
  const { generator } = opened;
  const rendering = await session();
  const made: Picture[] = [];
  const batch = generator.batch === 'any' ? latents.length : generator.batch;
  for (let from = 0; from < latents.length; from += batch) {
    const part = Array.from({ length: batch }, (_, i) => latents[Math.min(from + i, latents.length - 1)]);
    const feeds = new Map<string, Tensor>();
    let at = 0;
    for (const { name, dims } of generator.latents) {
      const size = sizeOf(dims);
      const data = new Float32Array(batch * size);
      part.forEach((z, i) => {
        data.set(z.subarray(at, at + size), i * size);
      });
      feeds.set(name, float32(data, [batch, ...dims]));
      at += size;
    }
    const image = (await rendering.run(feeds, [generator.output])).get(generator.output)!;
    const [, ...dims] = image.dims;
    const size = sizeOf(dims);
    const count = Math.min(batch, latents.length - from);
    for (let i = 0; i < count; i++)
      made.push(pictureOf('', float32(float32Data(image).slice(i * size, (i + 1) * size), [1, ...dims])));
  }
  return made;
}

/** The latents whose picture is nearest to `picture`, and that picture. */
export async function projectPicture(
  held: HeldModel,
  picture: Picture,
  runtime: Runtime,
): Promise<{ latent: Float32Array; picture: Picture }> {
  const { generator } = held.opened;
  const { image, outside } = seenPicture(picture, generator, 'cover');
  // With a mask that hides nothing: the nearest picture, not the one without outliers.
  const method = rgi({ channels: generator.channels, masked: true });
  const job = {
    generator: held.generatorFor(method),
    method,
    images: image,
    masks: zeros('float32', [1, 1, generator.height, generator.width]),
    outside,
    reuse: held.reuseFor(method),
  };
  for await (const { restored, latents } of restoreImages(job, runtime))
    return { latent: flattened(latents, generator.latents, 0), picture: pictureOf(picture.name, restored) };
  throw new Error('A restoration that nobody stops gives a picture.');
}
