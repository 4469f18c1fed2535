/** What a generator can make: drawn latents, the pictures of latents, and the latents nearest to a picture. */
import { rgi } from '../../inversion/methods/rgi.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { float32, float32Data, sizeOf, zeros } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Picture } from '../engine.ts';
import { flattened, unflattened } from './latents.ts';
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
    const image = (await rendering.run(unflattened(part, generator.latents), [generator.output])).get(
      generator.output,
    )!;
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
