/** Picture files to pixels, by libvips (sharp) and a small reader of BMP; every failure is one sentence. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import { type FileReason, fileError, RgiError } from '../../errors.ts';
import { readRegular } from '../../files/node/regular.ts';
import type { Size } from '../image.ts';
import type { Placement } from '../resize.ts';
import { decodeBmp } from './bmp.ts';
import { DECODED_FORMATS, FORMAT_NAMES } from './formats.ts';
import { decodePnm, isPnm } from './pnm.ts';

/** Larger pictures are refused before they are decoded. */
export const PIXEL_LIMIT = 100_000_000;

/** The longest side that JPEG has. A header may claim rows of millions of pixels, of which libvips buffers many at a time. */
const MAX_SIDE = 65_535;

/**
 * A code of GIF's compression stands for at most 4096 pixels, since it extends a code of a table of as many by one pixel, and
 * takes 3 bits or more; long ones take 12. libvips fills what a frame that ends early leaves, without an error.
 */
const MAX_GIF_PIXELS_PER_BYTE = 4096;

export interface Pixels extends Size {
  /** Interleaved, 8 or 16 bits. */
  readonly data: Uint8Array | Uint16Array;
  readonly channels: 1 | 3;
  /** Per pixel 1 where it is transparent, more than half; absent where nothing can be, or is laid over a colour. */
  readonly transparent?: Uint8Array;
}

/** What transparent pixels are laid over; with `none` they keep their own colours and are reported. */
export type Background = 'white' | 'black' | 'none';

export interface DecodedPicture {
  /** Size upright (EXIF orientation applied), channels (1 or 3) and bits as stored. */
  readonly source: Size & { readonly channels: 1 | 3; readonly bits: 8 | 16 };
  /** The pixels, cropped and resized (Lanczos) as a placement says; without one as they are. */
  pixels(placement?: Placement): Promise<Pixels>;
}

/** The bytes of a picture or an array; missing, folder, pipe, too large, empty and unreadable are `input` errors. */
export async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(path);
  } catch (error) {
    if (!(error instanceof RgiError) || error.details?.kind !== 'file' || error.details.reason !== 'folder')
      throw error;
    throw fileError(path, 'folder', `${path} is a folder; give a picture file.`);
  }
  if (!bytes.length) throw fileError(path, 'empty', `${path} is empty.`);
  return bytes;
}

/**
 * Opens a picture: PNG, JPEG, WebP, TIFF, GIF, HEIF/AVIF, BMP, PBM, PGM, PPM; 8 or 16 bits; grey, RGB, palette, CMYK (to sRGB by its profile); alpha is
 * laid over `background`. Several pages, floats, damage and more than `limit` pixels are refused.
 */
export async function openPicture(
  path: string,
  bytes: Uint8Array,
  limit = PIXEL_LIMIT,
  background: Background = 'white',
): Promise<DecodedPicture> {
  const { source, pipeline } = await openPipeline(path, bytes, limit, background);
  return { source, pixels: (placement) => extract(path, pipeline(), source, placement) };
}

/** The picture upright, as libvips' pipeline, before any conversion of its colours. */
export async function openPipeline(
  path: string,
  bytes: Uint8Array,
  limit = PIXEL_LIMIT,
  background: Background = 'white',
): Promise<{ readonly source: DecodedPicture['source']; readonly pipeline: () => Sharp }> {
  const fail = (what: string, reason: FileReason, cause?: unknown) => fileError(path, reason, `${path} ${what}`, cause);
  const isBmp = bytes[0] === 0x42 && bytes[1] === 0x4d;
  if (isBmp || isPnm(bytes)) {
    const { data, height, width, channels } = (isBmp ? decodeBmp : decodePnm)(bytes, path, limit);
    return {
      source: { height, width, channels, bits: data instanceof Uint16Array ? 16 : 8 },
      pipeline: () => sharp(data, { raw: { width, height, channels }, limitInputPixels: limit }),
    };
  }
  let meta: Metadata;
  try {
    meta = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw fail(`is not a picture (${FORMAT_NAMES} or .npy), or its beginning is damaged.`, 'format', error);
  }
  if (!DECODED_FORMATS.has(meta.format))
    throw fail(`is ${meta.format.toUpperCase()}; convert it to PNG, JPEG, WebP or TIFF.`, 'format');
  if ((meta.pages ?? 1) > 1)
    throw fail(`has ${meta.pages} pages or frames; save the one you mean as a single picture.`, 'format');
  if (meta.width * meta.height > limit) {
    throw fail(
      `has ${meta.width} x ${meta.height} pixels; more than ${limit / 1e6} million are refused. Make it smaller first.`,
      'too-large',
    );
  }
  if (Math.max(meta.width, meta.height) > MAX_SIDE) {
    throw fail(
      `has ${meta.width} x ${meta.height} pixels; sides of more than ${MAX_SIDE} are refused. Cut it first.`,
      'too-large',
    );
  }
  if (meta.format === 'gif' && meta.width * meta.height > MAX_GIF_PIXELS_PER_BYTE * bytes.length) {
    throw fail(
      `claims ${meta.width} x ${meta.height} pixels, more than its ${bytes.length} bytes can hold: copy it again, whole.`,
      'damaged',
    );
  }
  if (meta.depth !== 'uchar' && meta.depth !== 'ushort') {
    throw fail(`holds ${meta.depth} values; 8 and 16 bits are read. Save floats as .npy in [-1,1].`, 'format');
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
    return meta.hasAlpha && background !== 'none' ? upright.flatten({ background }) : upright;
  };
  return { source, pipeline: open };
}

async function extract(
  path: string,
  image: Sharp,
  source: DecodedPicture['source'],
  placement: Placement | undefined,
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
    const pixels = firstChannels(values, info.height, info.width, info.channels, source.channels);
    const transparent = info.hasAlpha ? transparentOf(values, info.channels) : undefined;
    return transparent ? { ...pixels, transparent } : pixels;
  } catch (error) {
    throw fileError(path, 'damaged', `${path} is damaged or cut short: copy it again, whole.`, error);
  }
}

/** Of interleaved pixels whose last channel is alpha; undefined where none is transparent. */
function transparentOf(values: Uint8Array | Uint16Array, channels: number): Uint8Array | undefined {
  const half = (values instanceof Uint16Array ? 65535 : 255) / 2;
  const out = new Uint8Array(values.length / channels);
  for (let i = 0; i < out.length; i++) out[i] = values[(i + 1) * channels - 1] < half ? 1 : 0;
  return out.includes(1) ? out : undefined;
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
