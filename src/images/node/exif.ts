/** EXIF blocks: the orientation reset once it has been applied, and the block put into a finished file, unchanged otherwise. */

const PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0];
const ORIENTATION = 0x0112;

/** Longest content of a JPEG segment. */
const MAX_SEGMENT = 65_533;

/** The TIFF structure of a block, without the `Exif` prefix that JPEG puts before it. */
export function withoutPrefix(exif: Uint8Array): Uint8Array {
  return PREFIX.every((byte, i) => exif[i] === byte) ? exif.subarray(PREFIX.length) : exif;
}

/** A copy of an EXIF block (TIFF structure) that says the picture is upright. */
export function upright(exif: Uint8Array): Uint8Array {
  const out = exif.slice();
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  if (out.length < 14) return out;
  const little = out[0] === 0x49;
  const directory = view.getUint32(4, little);
  if (directory + 2 > out.length) return out;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > out.length) break;
    if (view.getUint16(at, little) === ORIENTATION) view.setUint16(at + 8, 1, little);
  }
  return out;
}

/** An XMP packet that says the picture is upright. */
export function uprightXmp(xmp: Uint8Array): Uint8Array {
  const text = Buffer.from(xmp).toString('latin1');
  const changed = text
    .replace(/(tiff:Orientation\s*=\s*["'])[1-8](["'])/g, '$11$2')
    .replace(/(<tiff:Orientation>)[1-8](<)/g, '$11$2');
  return new Uint8Array(Buffer.from(changed, 'latin1'));
}

/** Formats whose files take an EXIF block here. */
export type ExifFormat = 'jpeg' | 'png' | 'webp';

/** A file of that format with the EXIF block put in; undefined where the format has no room for it. */
export function withExif(format: ExifFormat, file: Uint8Array, exif: Uint8Array): Uint8Array | undefined {
  if (format === 'jpeg') return intoJpeg(file, exif);
  return format === 'png' ? intoPng(file, exif) : intoWebp(file, exif);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** As APP1, after JFIF's APP0 if there is one. */
function intoJpeg(file: Uint8Array, exif: Uint8Array): Uint8Array | undefined {
  const length = exif.length + PREFIX.length + 2;
  if (length > MAX_SEGMENT) return undefined;
  const at = file[2] === 0xff && file[3] === 0xe0 ? 4 + (file[4] << 8) + file[5] : 2;
  const head = Uint8Array.of(0xff, 0xe1, length >> 8, length & 0xff, ...PREFIX);
  return joined(file.subarray(0, at), head, exif, file.subarray(at));
}

/** As the chunk eXIf, after IHDR. */
function intoPng(file: Uint8Array, exif: Uint8Array): Uint8Array {
  const afterHeader = 8 + 12 + 13;
  const chunk = new Uint8Array(12 + exif.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, exif.length);
  chunk.set(Buffer.from('eXIf', 'latin1'), 4);
  chunk.set(exif, 8);
  view.setUint32(8 + exif.length, crc32(chunk.subarray(4, 8 + exif.length)));
  return joined(file.subarray(0, afterHeader), chunk, file.subarray(afterHeader));
}

/** CRC-32 of PNG (ISO 3309). */
function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** As the chunk EXIF of an extended file; libvips writes one where there is a profile or alpha, else none is there to extend. */
function intoWebp(file: Uint8Array, exif: Uint8Array): Uint8Array | undefined {
  if (Buffer.from(file.subarray(12, 16)).toString('latin1') !== 'VP8X') return undefined;
  const chunk = new Uint8Array(8 + exif.length + (exif.length & 1));
  chunk.set(Buffer.from('EXIF', 'latin1'));
  new DataView(chunk.buffer).setUint32(4, exif.length, true);
  chunk.set(exif, 8);
  const out = joined(file, chunk);
  const hasExif = 0x08;
  out[20] |= hasExif;
  new DataView(out.buffer).setUint32(4, out.length - 8, true);
  return out;
}
