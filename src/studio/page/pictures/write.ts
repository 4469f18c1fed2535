/** Pictures to files, and files to the user's downloads. */
import type { Picture } from '../../engine.ts';
import { PageFailure } from '../failures.ts';
import { texts } from '../texts.ts';
import type { PictureType } from './read.ts';

/** Of JPEG and WebP: high, since the picture was compressed once already. */
const QUALITY = 0.95;

const EXTENSIONS: Readonly<Record<PictureType, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
};

export async function encodePicture(picture: Picture, type: PictureType): Promise<Blob> {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext('2d');
  if (!context) throw new PageFailure(texts.failures.noCanvas);
  context.putImageData(imageDataOf(picture), 0, 0);
  return canvas.convertToBlob({ type, quality: QUALITY });
}

/** The same pixels as the canvas takes them. */
export function imageDataOf({ rgba, width, height }: Picture): ImageData {
  return new ImageData(rgba as Uint8ClampedArray<ArrayBuffer>, width, height);
}

/** 'photo.jpg', 'restored' -> 'photo.restored.jpg'. */
export function nameWith(name: string, part: string, type: PictureType): string {
  return `${stemOf(name)}.${part}.${EXTENSIONS[type]}`;
}

export function stemOf(name: string): string {
  return name.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '') || 'picture';
}

/** Hands a file to the browser's downloads. */
export function download(name: string, content: Blob | Uint8Array | string): void {
  const blob = content instanceof Blob ? content : new Blob([content as BlobPart]);
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun when the next task runs; a minute is kept for slow disks.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
