/**
 * Pixels as an uncompressed TIFF file in memory. libvips takes raw pixels as RGB only; of a TIFF it knows what they are: CMYK, 16 bits,
 * alpha, colour profile, XMP and resolution, which its writers of other formats then keep.
 */
import type { Size } from '../image.ts';

/** Interleaved pixels with all that describes their colours. */
export interface StoredPixels extends Size {
  readonly data: Uint8Array | Uint16Array;
  /** Colour channels: 1 grey, 3 RGB, 4 CMYK. */
  readonly colours: 1 | 3 | 4;
  /** Does an alpha channel follow the colours, not multiplied into them? */
  readonly alpha: boolean;
  /** ICC profile of the colours. */
  readonly icc?: Uint8Array;
  /** XMP packet. */
  readonly xmp?: Uint8Array;
  /** Pixels per inch. */
  readonly density?: number;
}

/** Types of TIFF 6.0, and their bytes. */
const BYTE = 1;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const UNDEFINED = 7;
const BYTES: Readonly<Record<number, number>> = { [BYTE]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8, [UNDEFINED]: 1 };

/** Strips of about this many bytes, so that libvips reads it piece by piece. */
const STRIP_BYTES = 2 ** 18;

interface Tag {
  readonly id: number;
  readonly type: number;
  readonly values: ArrayLike<number>;
}

/** The bytes of a little-endian TIFF 6.0 file with one page, not compressed. Its pixels start at a multiple of 2. */
export function encodeTiff(pixels: StoredPixels): Uint8Array {
  const { data, height, width, colours, alpha, icc, xmp, density } = pixels;
  const channels = colours + (alpha ? 1 : 0);
  const rowBytes = width * channels * data.BYTES_PER_ELEMENT;
  const rows = Math.max(1, Math.floor(STRIP_BYTES / rowBytes));
  const counts = Array.from(
    { length: Math.ceil(height / rows) },
    (_, i) => Math.min(rows, height - i * rows) * rowBytes,
  );
  const offsets = counts.map((_, i) => i * rows * rowBytes);
  const perInch = density === undefined ? undefined : [Math.round(1000 * density), 1000];
  const tags: Tag[] = [
    { id: 256, type: LONG, values: [width] },
    { id: 257, type: LONG, values: [height] },
    { id: 258, type: SHORT, values: Array.from({ length: channels }, () => 8 * data.BYTES_PER_ELEMENT) },
    { id: 259, type: SHORT, values: [1] },
    { id: 262, type: SHORT, values: [{ 1: 1, 3: 2, 4: 5 }[colours]] },
    { id: 273, type: LONG, values: offsets },
    { id: 277, type: SHORT, values: [channels] },
    { id: 278, type: LONG, values: [rows] },
    { id: 279, type: LONG, values: counts },
    ...(perInch ? [282, 283].map((id) => ({ id, type: RATIONAL, values: perInch })) : []),
    { id: 284, type: SHORT, values: [1] },
    ...(perInch ? [{ id: 296, type: SHORT, values: [2] }] : []),
    ...(alpha ? [{ id: 338, type: SHORT, values: [2] }] : []),
    ...(xmp ? [{ id: 700, type: BYTE, values: xmp }] : []),
    ...(icc ? [{ id: 34675, type: UNDEFINED, values: icc }] : []),
  ];
  tags.sort((a, b) => a.id - b.id);
  return assemble(tags, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offsets);
}

/** Header, directory, values of more than 4 bytes, pixels. */
function assemble(tags: readonly Tag[], pixels: Uint8Array, offsets: number[]): Uint8Array {
  const sizeOf = ({ type, values }: Tag) => (BYTES[type] * values.length) / (type === RATIONAL ? 2 : 1);
  const even = (n: number) => n + (n & 1);
  const directory = 8 + 2 + 12 * tags.length + 4;
  const start = tags.reduce((at, tag) => at + (sizeOf(tag) > 4 ? even(sizeOf(tag)) : 0), directory);
  offsets.forEach((offset, i) => {
    offsets[i] = offset + start;
  });
  const out = new Uint8Array(start + pixels.length);
  const view = new DataView(out.buffer);
  out.set([0x49, 0x49, 42, 0]);
  view.setUint32(4, 8, true);
  view.setUint16(8, tags.length, true);
  let free = directory;
  tags.forEach((tag, i) => {
    const at = 10 + 12 * i;
    view.setUint16(at, tag.id, true);
    view.setUint16(at + 2, tag.type, true);
    view.setUint32(at + 4, tag.type === RATIONAL ? tag.values.length / 2 : tag.values.length, true);
    const isInline = sizeOf(tag) <= 4;
    writeValues(view, isInline ? at + 8 : free, tag);
    if (isInline) return;
    view.setUint32(at + 8, free, true);
    free += even(sizeOf(tag));
  });
  out.set(pixels, start);
  return out;
}

function writeValues(view: DataView, start: number, { type, values }: Tag): void {
  for (let i = 0; i < values.length; i++) {
    if (type === SHORT) view.setUint16(start + 2 * i, values[i], true);
    else if (type === LONG || type === RATIONAL) view.setUint32(start + 4 * i, values[i], true);
    else view.setUint8(start + i, values[i]);
  }
}
