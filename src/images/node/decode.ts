/** Picture files to pixels, by libvips (sharp) and a small reader of BMP; every failure is one sentence. */
import { readFile, stat } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { messageOf, RgiError } from '../../errors.ts';
import type { Size } from '../image.ts';
import type { Placement } from '../resize.ts';
import { decodeBmp } from './bmp.ts';

/** Larger pictures are refused before they are decoded. */
export const PIXEL_LIMIT = 100_000_000;

/** The longest side that JPEG has. A header may claim rows of millions of pixels, of which libvips buffers many at a time. */
const MAX_SIDE = 65_535;

/** Formats that are decoded; vector, video and document formats that libvips might open are not pictures here. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif', 'jp2', 'jxl']);

export interface Pixels extends Size {
  /** Interleaved, 8 or 16 bits. */
  readonly data: Uint8Array | Uint16Array;
  readonly channels: 1 | 3;
}

export interface DecodedPicture {
  /** Size upright (EXIF orientation applied), channels (1 or 3) and bits as stored. */
  readonly source: Size & { readonly channels: 1 | 3; readonly bits: 8 | 16 };
  /** The pixels, cropped and resized (Lanczos) as a placement says; without one as they are. */
  pixels(placement?: Placement): Promise<Pixels>;
}

/** The bytes of a file; missing, folder, empty and unreadable are `input` errors. */
export async function readBytes(path: string): Promise<Uint8Array> {
  const fail = (what: string) => new RgiError('input', `${path} ${what}`, { file: path });
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).isDirectory()) throw fail('is a folder; give a picture file.');
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof RgiError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fail('does not exist.');
    if (code === 'EACCES' || code === 'EPERM') throw fail('cannot be read: permission denied.');
    throw new RgiError('input', `${path} cannot be read (${messageOf(error)}).`, { file: path }, { cause: error });
  }
  if (!bytes.length) throw fail('is empty.');
  return bytes;
}

/**
 * Opens a picture: PNG, JPEG, WebP, TIFF, GIF, HEIF/AVIF, BMP; 8 or 16 bits; grey, RGB, palette, CMYK (to sRGB by its profile); alpha is
 * laid over `background`. Several pages, floats, damage and more than `limit` pixels are refused.
 */
export async function openPicture(
  path: string,
  bytes: Uint8Array,
  limit = PIXEL_LIMIT,
  background: 'white' | 'black' = 'white',
): Promise<DecodedPicture> {
  const fail = (what: string, cause?: unknown) => new RgiError('input', `${path} ${what}`, { file: path }, { cause });
  const tooLarge = (height: number, width: number) =>
    fail(`has ${width} x ${height} pixels; more than ${limit / 1e6} million are refused. Make it smaller first.`);
  if (bytes[0] === 0x42 && bytes[1] === 0x4d) {
    const bmp = decodeBmp(bytes, path, limit);
    const open = () =>
      sharp(bmp.data, {
        raw: { width: bmp.width, height: bmp.height, channels: bmp.channels },
        limitInputPixels: limit,
      });
    const source = { height: bmp.height, width: bmp.width, channels: bmp.channels, bits: 8 } as const;
    return { source, pixels: (placement) => extract(open(), source, placement, fail) };
  }
  let meta: Metadata;
  try {
    meta = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw fail('is not a picture (PNG, JPEG, WebP, TIFF, BMP or .npy), or its beginning is damaged.', error);
  }
  if (!FORMATS.has(meta.format)) throw fail(`is ${meta.format.toUpperCase()}; convert it to PNG, JPEG, WebP or TIFF.`);
  if ((meta.pages ?? 1) > 1)
    throw fail(`has ${meta.pages} pages or frames; save the one you mean as a single picture.`);
  if (meta.width * meta.height > limit) throw tooLarge(meta.height, meta.width);
  if (Math.max(meta.width, meta.height) > MAX_SIDE) {
    throw fail(`has ${meta.width} x ${meta.height} pixels; sides of more than ${MAX_SIDE} are refused. Cut it first.`);
  }
  if (meta.depth !== 'uchar' && meta.depth !== 'ushort') {
    throw fail(`holds ${meta.depth} values; 8 and 16 bits are read. Save floats as .npy in [-1,1].`);
  }
  const turned = (meta.orientation ?? 1) >= 5;
  const source = {
    height: turned ? meta.width : meta.height,
    width: turned ? meta.height : meta.width,
    channels: meta.channels - (meta.hasAlpha ? 1 : 0) === 1 ? 1 : 3,
    bits: meta.depth === 'ushort' ? 16 : 8,
  } as const;
  const open = () => {
    const upright = sharp(bytes, { limitInputPixels: limit, failOn: 'error' }).autoOrient();
    return meta.hasAlpha ? upright.flatten({ background }) : upright;
  };
  return { source, pixels: (placement) => extract(open(), source, placement, fail) };
}

async function extract(
  image: Sharp,
  source: DecodedPicture['source'],
  placement: Placement | undefined,
  fail: (what: string, cause?: unknown) => RgiError,
): Promise<Pixels> {
  const wide = source.bits === 16;
  let pipeline = image;
  if (placement) {
    const { crop, inner } = placement;
    if (crop.height !== source.height || crop.width !== source.width) pipeline = pipeline.extract(crop);
    if (inner.height !== crop.height || inner.width !== crop.width) {
      pipeline = pipeline.resize({ width: inner.width, height: inner.height, fit: 'fill', kernel: 'lanczos3' });
    }
  }
  try {
    const { data, info } = await pipeline
      .toColourspace(source.channels === 1 ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb')
      .raw({ depth: wide ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    // A copy of its own: Buffers may share memory at odd offsets.
    const own = new Uint8Array(data);
    const values = wide ? new Uint16Array(own.buffer) : own;
    return firstChannels(values, info.height, info.width, info.channels, source.channels);
  } catch (error) {
    throw fail(`is damaged or cut short: it cannot be decoded (${messageOf(error)}).`, error);
  }
}

/** The wanted leading channels of pixels that hold `present`. */
function firstChannels(
  values: Uint8Array | Uint16Array,
  height: number,
  width: number,
  present: number,
  channels: 1 | 3,
): Pixels {
  if (present === channels) return { data: values, height, width, channels };
  const data =
    values instanceof Uint16Array
      ? new Uint16Array(height * width * channels)
      : new Uint8Array(height * width * channels);
  for (let i = 0; i < data.length; i++) {
    const c = i % channels;
    data[i] = values[((i - c) / channels) * present + Math.min(c, present - 1)];
  }
  return { data, height, width, channels };
}
