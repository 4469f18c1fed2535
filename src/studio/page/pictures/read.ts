/** Files to pictures: what a file is by its first bytes, decoded by the browser, errors in words. */
import type { Picture } from '../../engine.ts';
import { PageFailure } from '../failures.ts';
import { texts } from '../texts.ts';
import { codec } from './codec.ts';
import { type CodecFailure, MAX_PIXELS } from './codec-messages.ts';

/** Formats that a picture can be saved in again. */
export type PictureType = 'image/png' | 'image/jpeg' | 'image/webp';

/** A picture and the format it came in. */
export interface OpenedPicture {
  readonly picture: Picture;
  readonly type: PictureType;
}

type Kind = 'png' | 'jpeg' | 'webp' | 'gif' | 'bmp' | 'avif' | 'TIFF' | 'HEIC' | 'onnx' | 'unknown';

/** Decodes one picture. Throws a `PageFailure` with the file's name in its sentence. `maxSide`: larger ones are made smaller. */
export async function readPicture(file: File, maxSide?: number): Promise<OpenedPicture> {
  if (file.size === 0) throw new PageFailure(texts.failures.empty(file.name));
  const kind = kindOf(new Uint8Array(await file.slice(0, 16).arrayBuffer()), file.name);
  if (kind === 'onnx') throw new PageFailure(texts.failures.modelAsPicture(file.name));
  if (kind === 'TIFF' || kind === 'HEIC') throw new PageFailure(texts.failures.notShown(file.name, kind));
  if (kind === 'unknown') throw new PageFailure(texts.failures.notAPicture(file.name));
  const decode = { kind: 'decode', file, ...(maxSide === undefined ? {} : { maxSide }) } as const;
  const picture = (await codec(decode).catch((failure) => {
    throw failureOf(failure, file.name);
  })) as Picture;
  return { picture, type: kind === 'jpeg' || kind === 'webp' ? `image/${kind}` : 'image/png' };
}

function failureOf(failure: CodecFailure, name: string): PageFailure {
  if (failure.kind === 'too-large')
    return new PageFailure(texts.failures.tooLarge(name, failure.width, failure.height, MAX_PIXELS));
  return new PageFailure(failure.kind === 'no-canvas' ? texts.failures.noCanvas : texts.failures.damaged(name));
}

/** What is drawn on a canvas of a size, as a picture. */
export function pixelsOf(name: string, source: CanvasImageSource, width: number, height: number): Picture {
  const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new PageFailure(texts.failures.noCanvas);
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { name, width: canvas.width, height: canvas.height, rgba: data };
}

/** Does a name look like a picture's? Folders hold other files too, which are passed over. */
export function isPictureName(name: string): boolean {
  return /\.(png|jpe?g|webp|gif|bmp|avif)$/i.test(name);
}

export function isModelName(name: string): boolean {
  return /\.(onnx|npz)$/i.test(name);
}

function kindOf(head: Uint8Array, name: string): Kind {
  const text = String.fromCharCode(...head);
  if (text.startsWith('\x89PNG')) return 'png';
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  if (text.startsWith('GIF8')) return 'gif';
  if (text.startsWith('BM')) return 'bmp';
  if (/^....ftypavi[fs]/s.test(text)) return 'avif';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'TIFF';
  if (/^....ftyp(hei[cx]|mif1)/s.test(text)) return 'HEIC';
  return isModelName(name) ? 'onnx' : 'unknown';
}
