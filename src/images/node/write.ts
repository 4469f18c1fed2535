/** Files written whole or not at all: first under a temporary name in the same folder, then renamed. */
import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, open, opendir, realpath, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { writeNpy } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { asBatch, type Image, type Mask, maskToImage, type Size, shapeOf, toPixels } from '../image.ts';
import type { StoredMap } from '../own-size/frame.ts';

/** Bytes or text, at once or piece by piece. */
export type FileContent = Uint8Array | string | AsyncIterable<string>;

export interface WriteOptions {
  /** Wait until it is on the disk, so that it outlives a power cut: slow, for what took long to compute. */
  readonly durable?: boolean;
}

/** Writes a file so that no one ever sees half of it; makes the folder. Throws `input` naming the file. */
export async function writeFileAtomic(
  file: string,
  content: FileContent,
  { durable = false }: WriteOptions = {},
): Promise<void> {
  const temporary = await writeTemporary(file, content, { durable });
  try {
    await rename(temporary, file);
    if (durable) await flushFolder(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cannotBeWritten(file, error);
  }
}

/** A name beside `file` that is nobody's, and that `removeLeftovers` knows. */
export function temporaryName(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID().slice(0, 8)}.tmp`);
}

/** Writes what is to become `file` beside it, under a name that `removeLeftovers` knows; returns that. Makes the folder. */
export async function writeTemporary(
  file: string,
  content: FileContent,
  { durable = false }: WriteOptions = {},
): Promise<string> {
  const temporary = temporaryName(file);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(temporary, 'w');
    try {
      const pieces = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
      for await (const piece of pieces) await handle.writeFile(piece);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cannotBeWritten(file, error);
  }
}

/**
 * What is to become `file`, with the bytes of the file `from`: the same ones on the disk where both lie in one file system, else a copy.
 * Returns its temporary name. A symbolic link is followed: it may lead elsewhere from another folder.
 */
export async function linkTemporary(from: string, file: string): Promise<string> {
  const temporary = temporaryName(file);
  const real = await realpath(from);
  await link(real, temporary).catch(() => copyFile(real, temporary));
  return temporary;
}

function cannotBeWritten(file: string, error: unknown): RgiError {
  return new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
}

/** The renaming is on the disk when the folder is. */
async function flushFolder(folder: string): Promise<void> {
  // Not every system opens a folder as a file (Windows does not); there the renaming is as durable as it can be.
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Removes the temporary files that a process killed while writing left in `folder`, of the files that `isOurs` names. */
export async function removeLeftovers(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  const entries = await opendir(folder).catch(() => undefined);
  // One by one: a folder may hold the results of a million pictures.
  for await (const entry of entries ?? []) {
    const file = entry.isFile() ? /^\.(.+)\.[0-9a-f]{8}\.tmp$/.exec(entry.name)?.[1] : undefined;
    if (file !== undefined && isOurs(file)) await rm(path.join(folder, entry.name), { force: true });
  }
}

/** One image [1,C,H,W] or [C,H,W] in [-1,1], grey or colour, as the bytes of an 8-bit PNG; values beyond are clipped. */
export async function encodePng(image: Image): Promise<Uint8Array> {
  const { channels, height, width } = shapeOf(asBatch(image));
  if (channels !== 1 && channels !== 3) {
    throw new RgiError('input', `A picture file has 1 or 3 channels, not ${channels}; write .npy instead.`);
  }
  return encodeBytes(toPixels(image), { height, width }, channels);
}

/** One byte for each pixel, as the bytes of a grey PNG. */
export function encodeGrey(values: Uint8Array, size: Size): Promise<Uint8Array> {
  return encodeBytes(values, size, 1);
}

/** Red, green and blue for each pixel, as the bytes of a PNG. */
export function encodeColour(values: Uint8Array, size: Size): Promise<Uint8Array> {
  return encodeBytes(values, size, 3);
}

/** A picture [1,1 or 3,H,W] in [-1,1], however it is held, as the bytes of an 8-bit PNG. */
export function encodeMap({ data, dims, unit = 1, offset = 0 }: StoredMap): Promise<Uint8Array> {
  const [, channels, height, width] = dims;
  const plane = height * width;
  const bytes = new Uint8ClampedArray(channels * plane);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) bytes[i * channels + c] = (unit * data[c * plane + i] + offset + 1) * 127.5;
  }
  return encodeBytes(new Uint8Array(bytes.buffer), { height, width }, channels === 1 ? 1 : 3);
}

async function encodeBytes(values: Uint8Array, { height, width }: Size, channels: 1 | 3): Promise<Uint8Array> {
  const picture = sharp(values, { raw: { width, height, channels } });
  return new Uint8Array(
    await picture
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .png()
      .toBuffer(),
  );
}

/**
 * Writes one picture [1,C,H,W] or [C,H,W] in [-1,1], C = 1 or 3, as an 8-bit PNG; values beyond are clipped. The file
 * is replaced as a whole or not at all. Throws `RgiError('input')` for another number of channels.
 */
export async function writePicture(file: string, image: Image): Promise<void> {
  await writeFileAtomic(file, await encodePng(image));
}

/** A mask or map in [0,1] as a grey PNG, 1 = white. */
export async function writeMask(file: string, mask: Mask): Promise<void> {
  await writePicture(file, maskToImage(mask));
}

/** Writes a tensor as `.npy`, in its own element type. The file is replaced as a whole or not at all. */
export async function writeNpyFile(file: string, tensor: Tensor): Promise<void> {
  await writeFileAtomic(file, writeNpy(tensor));
}
