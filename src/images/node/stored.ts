/**
 * Pictures as their files store them, and back into files: format, bit depth, colour profile, EXIF, XMP, resolution and alpha are kept where
 * the format and this library can; what is lost is said.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { fileError, messageOf } from '../../errors.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { type Image, shapeOf, toPixels } from '../image.ts';
import { type ColourCube, invertedBy } from '../own-size/colours.ts';
import { decodeBmp } from './bmp.ts';
import { openPicture, PIXEL_LIMIT, readBytes } from './decode.ts';
import { type ExifFormat, upright, uprightXmp, withExif, withoutPrefix } from './exif.ts';
import { decodePnm, isPnm } from './pnm.ts';
import { encodeTiff, type StoredPixels } from './tiff.ts';

/** Formats that are written. */
export const WRITTEN_FORMATS = ['png', 'jpeg', 'tiff', 'webp', 'avif'] as const;
export type WrittenFormat = (typeof WRITTEN_FORMATS)[number];

/** Without a dot. */
export const EXTENSIONS: Readonly<Record<WrittenFormat, string>> = {
  png: 'png',
  jpeg: 'jpg',
  tiff: 'tif',
  webp: 'webp',
  avif: 'avif',
};

/** A whole picture, upright, and what its file says of it. */
export interface StoredPicture extends StoredPixels {
  /** Of the file: 'jpeg', 'png', 'gif', 'bmp' and so on. */
  readonly format: string;
  /** Does the file store them without loss? */
  readonly lossless: boolean;
  /** EXIF block (TIFF structure), its orientation upright. */
  readonly exif?: Uint8Array;
  /** From sRGB to the stored colours; undefined where they are sRGB or plain grey. */
  readonly cube?: ColourCube;
  /** From the stored CMYK colours to sRGB; undefined for others. */
  readonly toSrgb?: ColourCube;
  /** What of the file is not kept whatever it is written as, one sentence each. */
  readonly losses: readonly string[];
}

/** Reads a whole picture file in its own colours; memory of its pixels as they are stored. Throws `input` naming the file. */
export async function readStored(file: string, pixelLimit = PIXEL_LIMIT): Promise<StoredPicture> {
  const bytes = await readBytes(file);
  // Everything that can be wrong with a file is said there.
  const { source } = await openPicture(file, bytes, pixelLimit);
  const isBmp = bytes[0] === 0x42 && bytes[1] === 0x4d;
  if (isBmp || isPnm(bytes)) {
    const { data, height, width, channels } = (isBmp ? decodeBmp : decodePnm)(bytes, file, pixelLimit);
    const format = isBmp ? 'bmp' : 'pnm';
    return { data, height, width, colours: channels, alpha: false, format, lossless: true, losses: [] };
  }
  try {
    const meta = await sharp(bytes, { limitInputPixels: false }).metadata();
    const colours = meta.space === 'cmyk' ? 4 : source.channels;
    const alpha = meta.hasAlpha;
    const wide = source.bits === 16;
    const space = colours === 4 ? 'cmyk' : colours === 1 ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb';
    const opened = sharp(bytes, { limitInputPixels: pixelLimit, failOn: 'error', ignoreIcc: true }).autoOrient();
    const { data, info } = await (colours === 4 ? opened.pipelineColourspace('cmyk') : opened)
      .toColourspace(space)
      .raw({ depth: wide ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const values = wide ? wideValues(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
    const { height, width } = info;
    return {
      data: chosenChannels(values, info.channels, colours, alpha),
      height,
      width,
      colours,
      alpha,
      ...metadataOf(meta),
      format: meta.format === 'heif' ? 'avif' : meta.format,
      lossless: isLossless(meta, bytes),
      ...(await cubesOf(meta, colours)),
      losses: lossesOf(meta, bytes),
    };
  } catch (error) {
    throw fileError(
      file,
      'damaged',
      `${file} is damaged or cut short: copy it again, whole (${messageOf(error)}).`,
      error,
    );
  }
}

function wideValues(data: Buffer): Uint16Array {
  if (data.byteOffset % 2 === 0) return new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  return new Uint16Array(new Uint8Array(data).buffer);
}

/** libvips may give grey as RGB. */
function chosenChannels<T extends Uint8Array | Uint16Array>(
  values: T,
  present: number,
  colours: number,
  alpha: boolean,
): T {
  const wanted = colours + (alpha ? 1 : 0);
  if (present === wanted) return values;
  const size = (values.length / present) * wanted;
  const out = (values instanceof Uint16Array ? new Uint16Array(size) : new Uint8Array(size)) as T;
  for (let i = 0, from = 0, to = 0; i < size / wanted; i++, from += present) {
    for (let c = 0; c < colours; c++) out[to++] = values[from + Math.min(c, present - 1)];
    if (alpha) out[to++] = values[from + present - 1];
  }
  return out;
}

function metadataOf({ icc, exif, xmp, density }: Metadata): Pick<StoredPicture, 'icc' | 'exif' | 'xmp' | 'density'> {
  return {
    ...(icc && { icc }),
    ...(exif && { exif: upright(withoutPrefix(exif)) }),
    ...(xmp && { xmp: uprightXmp(xmp) }),
    ...(density && { density }),
  };
}

function isLossless({ format, compression }: Metadata, bytes: Uint8Array): boolean {
  if (format === 'webp') return Buffer.from(bytes.subarray(0, 64)).includes('VP8L');
  return format === 'tiff' ? (compression as string) !== 'jpeg' : format === 'png' || format === 'gif';
}

function lossesOf({ format, iptc, gainMap }: Metadata & { gainMap?: unknown }, bytes: Uint8Array): string[] {
  return [
    ...(iptc ? ['IPTC data is not kept.'] : []),
    ...(gainMap ? ['The gain map (HDR) is not kept.'] : []),
    ...(format === 'tiff' && hasExifDirectory(bytes) ? ['The EXIF data of a TIFF file is not kept.'] : []),
  ];
}

/** Does the first directory of a TIFF file point to EXIF data? */
function hasExifDirectory(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const at = view.getUint32(4, little);
  if (at + 2 > bytes.length) return false;
  const entries = view.getUint16(at, little);
  for (let i = 0; i < entries && at + 14 + 12 * i <= bytes.length; i++) {
    if (view.getUint16(at + 2 + 12 * i, little) === 34665) return true;
  }
  return false;
}

/** Grid of the colour cubes: every fifth of 256 levels, so that its points are whole levels. */
const CUBE_POINTS = 52;

/** A picture of an array, clipped and rounded to 8 bits: [1,1 or 3,H,W] in [-1,1]. */
export function storedOf(image: Image): StoredPicture {
  const { channels, height, width } = shapeOf(image);
  const colours = channels === 1 ? 1 : 3;
  return { data: toPixels(image), height, width, colours, alpha: false, format: 'png', lossless: true, losses: [] };
}

type Cubes = Pick<StoredPicture, 'cube' | 'toSrgb'>;

/** Of the profile that was met last: the pictures of a folder mostly have the same one, and those of CMYK take most of a second. */
let kept: { readonly profile: string; readonly cubes: Cubes } | undefined;

async function cubesOf(meta: Metadata, colours: 1 | 3 | 4): Promise<Cubes> {
  const profile = `${colours} ${sha256OfContent(meta.icc ?? '')}`;
  if (kept?.profile === profile) return kept.cubes;
  const cubes = await cubesMade(meta, colours);
  kept = { profile, cubes };
  return cubes;
}

async function cubesMade(meta: Metadata, colours: 1 | 3 | 4): Promise<Cubes> {
  const cube = await cubeOf(meta, colours);
  if (colours !== 4 || !cube) return { cube };
  const toSrgb = await srgbCubeOf(meta);
  return { cube: invertedBy(toSrgb, cube), toSrgb };
}

/** What sRGB colours are in a picture's profile, asked of libvips (LittleCMS). */
async function cubeOf({ icc, space }: Metadata, colours: 1 | 3 | 4): Promise<ColourCube | undefined> {
  if (!icc && space !== 'cmyk') return undefined;
  const grid = gridOf(3, CUBE_POINTS);
  const folder = icc ? await mkdtemp(path.join(tmpdir(), 'rgi-profile-')) : undefined;
  try {
    const profile = folder ? path.join(folder, 'profile.icc') : 'cmyk';
    if (icc && folder) await writeFile(profile, icc);
    const raw = { width: CUBE_POINTS, height: CUBE_POINTS ** 2, channels: 3 as const };
    const { data, info } = await sharp(grid, { raw })
      .withIccProfile(profile)
      .raw()
      .toBuffer({ resolveWithObject: true });
    // A profile that libvips cannot use leaves the colours as they are.
    if (info.channels < colours) return undefined;
    return { axes: 3, points: CUBE_POINTS, colours, values: cubeValues(data, info.channels, colours) };
  } finally {
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}

/** Grid of the cube of CMYK colours: every fifteenth of 256 levels. */
const CMYK_POINTS = 18;

/** What a picture's CMYK colours are in sRGB, by its profile, or by libvips' own where it has none. */
async function srgbCubeOf({ icc }: Metadata): Promise<ColourCube> {
  const n = CMYK_POINTS;
  const grid = { data: gridOf(4, n), width: n * n, height: n * n, colours: 4 as const, alpha: false };
  const { data, info } = await sharp(encodeTiff({ ...grid, ...(icc && { icc }) }), { limitInputPixels: false })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { axes: 4, points: n, colours: 3, values: cubeValues(data, info.channels, 3) };
}

/** All colours of `axes` channels with `points` levels each, the last channel the fastest. */
function gridOf(axes: number, points: number): Uint8Array {
  const grid = new Uint8Array(axes * points ** axes);
  for (let i = 0; i < points ** axes; i++) {
    for (let c = 0; c < axes; c++)
      grid[axes * i + c] = (255 / (points - 1)) * (Math.floor(i / points ** (axes - 1 - c)) % points);
  }
  return grid;
}

/** The first `colours` of `present` channels, in [-1,1]. */
function cubeValues(levels: Uint8Array, present: number, colours: number): Float32Array {
  const count = levels.length / present;
  return Float32Array.from(
    { length: count * colours },
    (_, i) => levels[present * Math.floor(i / colours) + (i % colours)] / 127.5 - 1,
  );
}

/** A picture as the bytes of a file. */
export interface EncodedPicture {
  readonly bytes: Uint8Array;
  /** Without a dot. */
  readonly extension: string;
  /** What this format cannot keep of the picture, one sentence each. */
  readonly losses: readonly string[];
}

/** Compression of lossy formats: hardly visible, files of about twice a camera's. */
const QUALITY = 95;

/** `format`: of the file that is written; default: the picture's own, or PNG where that is not written. */
export async function encodeStored(picture: StoredPicture, format?: WrittenFormat): Promise<EncodedPicture> {
  const chosen = format ?? WRITTEN_FORMATS.find((one) => one === picture.format) ?? 'png';
  const { colours, alpha, data, icc, lossless } = picture;
  const wide = data instanceof Uint16Array;
  const losses: string[] = [];
  if (format === undefined && chosen !== picture.format)
    losses.push(`${picture.format.toUpperCase()} files are not written; the composite is PNG.`);
  const keepsCmyk = chosen === 'jpeg' || chosen === 'tiff';
  if (colours === 4 && !keepsCmyk) losses.push(`${chosen.toUpperCase()} has no CMYK; the composite is sRGB.`);
  if (alpha && chosen === 'jpeg') losses.push('JPEG has no transparency; the composite is laid over white.');
  if (wide && chosen !== 'png' && chosen !== 'tiff')
    losses.push(`${chosen.toUpperCase()} has 8 bits; the composite is rounded to them.`);
  const isExact = chosen === 'png' || chosen === 'tiff' || (chosen === 'webp' && lossless);
  if (!isExact && lossless === false)
    losses.push(
      `${chosen.toUpperCase()} is compressed again with loss; --format png keeps every pixel outside the mask.`,
    );
  else if (!isExact) losses.push(`${chosen.toUpperCase()} compresses with loss.`);
  const toSrgb = colours === 4 && !keepsCmyk;
  let image: Sharp = sharp(encodeTiff(picture), { limitInputPixels: false, ignoreIcc: !toSrgb });
  if (!toSrgb) image = icc ? image.keepIccProfile() : image;
  if (picture.xmp) image = image.keepXmp();
  if (colours === 4 && keepsCmyk) image = image.pipelineColourspace('cmyk').toColourspace('cmyk');
  else image = image.toColourspace(spaceFor(colours, wide && (chosen === 'png' || chosen === 'tiff')));
  if (alpha && chosen === 'jpeg') image = image.flatten({ background: 'white' });
  const bytes = new Uint8Array(await inFormat(image, chosen, lossless).toBuffer());
  return { extension: EXTENSIONS[chosen], ...withStoredExif(bytes, chosen, picture.exif, losses) };
}

function spaceFor(colours: number, wide: boolean): string {
  if (colours === 1) return wide ? 'grey16' : 'b-w';
  return wide ? 'rgb16' : 'srgb';
}

function inFormat(image: Sharp, format: WrittenFormat, lossless: boolean): Sharp {
  switch (format) {
    case 'png':
      return image.png();
    case 'jpeg':
      return image.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' });
    case 'tiff':
      return image.tiff({ compression: 'deflate', predictor: 'horizontal' });
    case 'webp':
      return image.webp(lossless ? { lossless: true, exact: true } : { quality: QUALITY, smartSubsample: true });
    case 'avif':
      return image.avif({ quality: 90, chromaSubsampling: '4:4:4' });
  }
}

function withStoredExif(
  bytes: Uint8Array,
  format: WrittenFormat,
  exif: Uint8Array | undefined,
  losses: readonly string[],
): Pick<EncodedPicture, 'bytes' | 'losses'> {
  if (!exif) return { bytes, losses };
  const made = isExifFormat(format) ? withExif(format, bytes, exif) : undefined;
  return made
    ? { bytes: made, losses }
    : { bytes, losses: [...losses, `The EXIF data is not kept in a ${format.toUpperCase()} file.`] };
}

function isExifFormat(format: WrittenFormat): format is ExifFormat {
  return format === 'jpeg' || format === 'png' || format === 'webp';
}
