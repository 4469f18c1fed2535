/** The models that the project ships: `models/NAME/`, a generator with what goes with it and pictures that may be shown. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../src/errors.ts';
import type { Image } from '../src/images/image.ts';
import { readPicture } from '../src/images/node/read.ts';
import { openEncoder } from '../src/models/node/encoder.ts';
import { type OpenedGenerator, openGeneratorFile } from '../src/models/node/networks.ts';
import type { Model } from '../src/onnx/graph.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

export interface ShippedModel extends OpenedGenerator {
  readonly name: string;
  readonly licence?: { readonly name: string; readonly attribution?: string };
  /** Clean pictures that it has not learnt from, each [1,C,H,W]. */
  readonly pictures: readonly { readonly name: string; readonly image: Image }[];
}

/** The generator's file; throws `input` where it is not there. */
export function shippedFile(folder: string, name: string): string {
  const file = path.join(folder, name, 'generator.onnx');
  if (existsSync(file)) return file;
  throw new RgiError('input', `${file} does not exist: the models come with the repository; check it out anew.`, {
    file,
  });
}

export function licenceOf({ metadata }: Pick<Model, 'metadata'>): Pick<ShippedModel, 'licence'> {
  const licence = metadata.get('rgi.licence');
  return licence ? { licence: JSON.parse(licence) } : {};
}

/** Throws `input` where the model is not there, and where a picture is not of its size. */
export async function openShipped(folder: string, name: string, runtime: Runtime): Promise<ShippedModel> {
  const file = shippedFile(folder, name);
  const opened = await openGeneratorFile(runtime, { generator: file });
  const encoder = await openEncoder(opened, { generator: file });
  const place = path.join(folder, name, 'pictures');
  const files = existsSync(place) ? (await readdir(place)).filter((one) => one.endsWith('.png')).sort() : [];
  const { channels } = opened.generator;
  const pictures = await Promise.all(
    files.map(async (one) => ({
      name: one,
      image: (await readPicture(path.join(place, one), { channels, size: opened.generator })).image,
    })),
  );
  // As `rgi restore` does it: the encoder provides one of the starts.
  const generator = { ...opened.generator, encoder: encoder?.graph };
  return { ...opened, generator, name, pictures, ...licenceOf(opened.model) };
}
