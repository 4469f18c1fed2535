/** Uncompressed BMP, which cameras of inspection systems write and libvips does not read. Format: Microsoft's BITMAPINFOHEADER. */
import { type FileReason, fileError } from '../../errors.ts';

export interface Bitmap {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

/** Pixels of 8 bits with a palette (grey if the palette is), or of 24 or 32 bits (the fourth byte is ignored). */
export function decodeBmp(bytes: Uint8Array, path: string, limit: number): Bitmap {
  const fail = (what: string, reason: FileReason = 'damaged') => fileError(path, reason, `${path} ${what}`);
  if (bytes.length < 54) throw fail('is a BMP file that is cut short.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = view.getUint32(10, true);
  const header = view.getUint32(14, true);
  const width = view.getInt32(18, true);
  const rows = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const height = Math.abs(rows);
  const masked = compression === 3 && bits === 32;
  if (header < 40 || width <= 0 || !height || (compression !== 0 && !masked) || ![8, 24, 32].includes(bits)) {
    throw fail(
      `is a BMP file of a kind that is not read (${bits} bits, compression ${compression}); save it as PNG.`,
      'format',
    );
  }
  if (width * height > limit) {
    throw fail(
      `has ${width} x ${height} pixels; more than ${limit / 1e6} million are refused. Make it smaller first.`,
      'too-large',
    );
  }
  const size = bits / 8;
  const stride = Math.ceil((width * bits) / 32) * 4;
  const colours = view.getUint32(46, true) || 256;
  const palette = 14 + header;
  if (start + stride * height > bytes.length || (bits === 8 && palette + 4 * Math.min(colours, 256) > bytes.length)) {
    throw fail('is a BMP file that is cut short.');
  }
  // Blue, green, red stand in this order in palettes and pixels.
  const source = (at: number) => (bits === 8 ? palette + 4 * Math.min(bytes[at], colours - 1) : at);
  const grey =
    bits === 8 &&
    Array.from({ length: Math.min(colours, 256) }, (_, k) => palette + 4 * k).every(
      (at) => bytes[at] === bytes[at + 1] && bytes[at] === bytes[at + 2],
    );
  const channels = grey ? 1 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, out = 0; y < height; y++) {
    const row = start + stride * (rows > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++) {
      const at = source(row + x * size);
      for (let c = 0; c < channels; c++) data[out++] = bytes[at + (grey ? 0 : 2 - c)];
    }
  }
  return { data, height, width, channels };
}
