/** Files written whole or not at all: first under a temporary name in the same folder, then renamed. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { writeNpy } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { asBatch, type Image, type Mask, maskToImage, shapeOf, toPixels } from '../image.ts';

/** Writes a file so that no one ever sees half of it; makes the folder. Throws `input` naming the file. */
export async function writeFileAtomic(file: string, content: Uint8Array | string): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
  }
}

/** One image [1,C,H,W] or [C,H,W] in [-1,1], grey or colour, as the bytes of an 8-bit PNG; values beyond are clipped. */
export async function encodePng(image: Image): Promise<Uint8Array> {
  const { channels, height, width } = shapeOf(asBatch(image));
  if (channels !== 1 && channels !== 3) {
    throw new RgiError('input', `A picture file has 1 or 3 channels, not ${channels}; write .npy instead.`);
  }
  const pixels = toPixels(image);
  const png = sharp(pixels, { raw: { width, height, channels } });
  return new Uint8Array(
    await png
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .png()
      .toBuffer(),
  );
}

export async function writePicture(file: string, image: Image): Promise<void> {
  await writeFileAtomic(file, await encodePng(image));
}

/** A mask or map in [0,1] as a grey PNG, 1 = white. */
export async function writeMask(file: string, mask: Mask): Promise<void> {
  await writePicture(file, maskToImage(mask));
}

export async function writeNpyFile(file: string, tensor: Tensor): Promise<void> {
  await writeFileAtomic(file, writeNpy(tensor));
}
