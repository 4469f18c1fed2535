/** Shared by the quality benchmarks: a generator, clean and corrupted pictures, and the scores of a method. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type Corruption, corrupt } from '../src/images/corruptions.ts';
import { clip, type Image, imageAt, type Mask, stackImages } from '../src/images/image.ts';
import { readPicture } from '../src/images/node/read.ts';
import { type Generator, type LatentLaw, openGenerator } from '../src/inversion/generator/generator.ts';
import { type Restoration, restoreImages } from '../src/inversion/solve/restore.ts';
import type { Method } from '../src/inversion/spec/method.ts';
import { iou, psnr, ssim } from '../src/metrics/index.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { float32, float32Data } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

export const SHARED = process.env.RGI_SHARED ?? path.resolve(import.meta.dirname, '../../shared');

export async function sharedGenerator(name: string, runtime: Runtime): Promise<Generator> {
  const model = await openModel(path.join(SHARED, 'models', `${name}.onnx`));
  // The file's README: trained on uniform(-1,1) latents; every other is N(0,1).
  const law: LatentLaw = name.startsWith('celeba32') ? 'uniform' : 'normal';
  return openGenerator(model.graph, runtime, { law });
}

/** Images of fresh latents: the truth is on the manifold. */
export async function onManifold(generator: Generator, count: number, seed: number, runtime: Runtime): Promise<Image> {
  const session = await runtime.session(encodeModel(generator.graph));
  const images = (await session.run(await generator.draw(count, randomFrom(seed)))).get(generator.output)!;
  await session.dispose();
  return float32(float32Data(images), images.dims);
}

/** The first `count` pictures of a folder of the shared data, resized to the generator's size. */
export function sharedPictures(folder: string, generator: Generator, count: number): Promise<Image> {
  return folderPictures(path.join(SHARED, 'data', folder), generator, count);
}

/** `count` pictures of a folder from number `first` on, by name, resized to the generator's size. */
export async function folderPictures(
  directory: string,
  generator: Generator,
  count: number,
  first = 0,
): Promise<Image> {
  const files = readdirSync(directory)
    .filter((file) => file.endsWith('.png'))
    .sort()
    .slice(first, first + count);
  const { channels, height, width } = generator;
  const pictures = await Promise.all(
    files.map((file) => readPicture(path.join(directory, file), { channels, size: { height, width }, fit: 'cover' })),
  );
  return stackImages(pictures.map((picture) => picture.image));
}

/** The two cases of the tables: a centred block of a quarter, 49% random pixels; corrupted values N(-1,1). */
export const CASES: Readonly<Record<string, Corruption>> = {
  block: { region: { kind: 'block', share: 0.25 } },
  random: { region: { kind: 'random', share: 0.49 } },
};

export interface Trial {
  readonly clean: Image;
  readonly corrupted: Image;
  readonly mask: Mask;
}

export function trial(clean: Image, kind: string, seed: number): Trial {
  const { image, mask } = corrupt(clean, CASES[kind], seed);
  return { clean, corrupted: image, mask };
}

export interface Scores {
  readonly psnr: readonly number[];
  readonly ssim: readonly number[];
  readonly iou: readonly number[];
  readonly secondsPerImage: number;
  readonly steps: number;
  readonly restorations: readonly Restoration[];
}

/** Runs a method on a trial. PSNR and SSIM are of the raw G(z), clipped, over the whole image. */
export async function score(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  { clean, corrupted, mask }: Trial,
): Promise<Scores> {
  const started = performance.now();
  const restorations: Restoration[] = [];
  const job = {
    generator,
    method,
    images: corrupted,
    masks: mask,
    thresholdGrey: 25,
    batch: 16,
    blend: 'none' as const,
  };
  for await (const restoration of restoreImages(job, runtime)) restorations.push(restoration);
  const seconds = (performance.now() - started) / 1000;
  const truth = (i: number) => clip(imageAt(clean, i));
  return {
    psnr: restorations.map((r, i) => psnr(r.restored, truth(i))),
    ssim: restorations.map((r, i) => ssim(r.restored, truth(i))),
    iou: restorations.map((r, i) => iou(r.mask.data, imageAt(mask, i).data)),
    secondsPerImage: seconds / restorations.length,
    steps: restorations[0].steps,
    restorations,
  };
}

/** Of one picture: PSNR of G(z) in the hole and outside of it, and IoU of the mask. */
export interface Figures {
  readonly inside: number;
  readonly outside: number;
  readonly iou: number;
}

export function figures(restored: Image, found: Float32Array, { clean, mask }: Trial, i: number): Figures {
  const truth = imageAt(clean, i).data;
  const hidden = imageAt(mask, i).data;
  const psnrOver = (wanted: number) => {
    let [sum, values] = [0, 0];
    truth.forEach((value, at) => {
      if (Number(hidden[at % hidden.length] >= 0.5) !== wanted) return;
      sum += (Math.max(-1, Math.min(1, restored.data[at])) - Math.max(-1, Math.min(1, value))) ** 2;
      values++;
    });
    return 10 * Math.log10(4 / Math.max(1e-6, sum / values));
  };
  return { inside: psnrOver(1), outside: psnrOver(0), iou: iou(found, hidden) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, c) => a + c, 0) / values.length;
}

/** The value of `--name VALUE` among the arguments. */
export function argument(args: readonly string[], name: string, fallback: string): string {
  const at = args.indexOf(`--${name}`);
  return at >= 0 ? args[at + 1] : fallback;
}
