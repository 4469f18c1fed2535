/** Pictures to files, and files to the user's downloads. */
import type { Picture, Plane } from '../../engine.ts';
import { PageFailure } from '../failures.ts';
import { texts } from '../texts.ts';
import { codec } from './codec.ts';
import type { PictureType } from './read.ts';
import type { PaintedPlanes, Stroke } from './strokes.ts';

const EXTENSIONS: Readonly<Record<PictureType, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
};

/** The file of a picture, or of a mask as a black and white one. */
export async function encodePicture(of: Picture | Plane, type: PictureType): Promise<Blob> {
  return (await codec({ kind: 'encode', of, type }).catch(() => {
    throw new PageFailure(texts.failures.noCanvas);
  })) as Blob;
}

/** What strokes paint of a picture at its own size. */
export async function paintedPlanes(
  strokes: readonly Stroke[],
  { width, height }: Pick<Picture, 'width' | 'height'>,
): Promise<PaintedPlanes> {
  if (strokes.length === 0) return {};
  return (await codec({ kind: 'paint', strokes, width, height }).catch(() => {
    throw new PageFailure(texts.failures.noCanvas);
  })) as PaintedPlanes;
}

/** The same pixels as the canvas takes them. */
export function imageDataOf({ rgba, width, height }: Picture): ImageData {
  // It takes no shared memory.
  const own = rgba.buffer instanceof ArrayBuffer ? rgba : rgba.slice();
  return new ImageData(own as Uint8ClampedArray<ArrayBuffer>, width, height);
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
