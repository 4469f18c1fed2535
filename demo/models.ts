/** The models that the project ships: `models/NAME/`, a generator with what goes with it and pictures that may be shown. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { type OpenedGenerator, openGeneratorFile } from '../src/cli/networks.ts';
import { RgiError } from '../src/errors.ts';
import type { Image } from '../src/images/image.ts';
import { readPicture } from '../src/images/node/read.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

export interface ShippedModel extends OpenedGenerator {
  readonly name: string;
  readonly file: string;
  readonly licence?: { readonly name: string; readonly attribution?: string };
  /** Clean pictures that it was not trained on, each [1,C,H,W], by file name; none where they may not be shipped. */
  readonly pictures: readonly { readonly name: string; readonly image: Image }[];
}

/** Throws `input` where the model is not there, and where a picture is not of its size. */
export async function openShipped(folder: string, name: string, runtime: Runtime): Promise<ShippedModel> {
  const file = path.join(folder, name, 'generator.onnx');
  if (!existsSync(file)) {
    throw new RgiError('input', `${file} does not exist: the models come with the repository; check it out anew.`, {
      file,
    });
  }
  const opened = await openGeneratorFile(runtime, { generator: file });
  const place = path.join(folder, name, 'pictures');
  const files = existsSync(place) ? (await readdir(place)).filter((one) => one.endsWith('.png')).sort() : [];
  const { channels } = opened.generator;
  const pictures = await Promise.all(
    files.map(async (one) => ({
      name: one,
      image: (await readPicture(path.join(place, one), { channels, size: opened.generator })).image,
    })),
  );
  const licence = opened.model.metadata.get('rgi.licence');
  return { ...opened, name, file, pictures, ...(licence ? { licence: JSON.parse(licence) } : {}) };
}
