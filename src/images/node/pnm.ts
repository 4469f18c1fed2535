/** PBM, PGM and PPM, plain and raw, of 8 and 16 bits, which libvips may be built without. Format: netpbm's manual pages. */
import { type FileReason, fileError } from '../../errors.ts';

export interface Anymap {
  /** Interleaved, 8 or 16 bits. */
  readonly data: Uint8Array | Uint16Array;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

/** 'P1' to 'P6': bits, grey, colour; plain, then raw. */
const KINDS = [1, 2, 3, 4, 5, 6] as const;

export function isPnm(bytes: Uint8Array): boolean {
  const blank = bytes[2] === 0x20 || (bytes[2] >= 9 && bytes[2] <= 13) || bytes[2] === 0x23;
  return bytes[0] === 0x50 && KINDS.some((kind) => bytes[1] === 0x30 + kind) && blank;
}

/** The first picture of the file; more than `limit` pixels are refused. Values are scaled from 0..maxval to 8 or 16 bits. */
export function decodePnm(bytes: Uint8Array, path: string, limit: number): Anymap {
  const fail = (what: string, reason: FileReason = 'damaged') => fileError(path, reason, `${path} ${what}`);
  const kind = bytes[1] - 0x30;
  const isBits = kind === 1 || kind === 4;
  let at = 2;
  /** The next number of the header, or of plain pixels; comments run from '#' to the end of their line. */
  const number = (): number => {
    while (at < bytes.length && (bytes[at] === 0x23 || !isDigit(bytes[at]))) {
      if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 10) at++;
      else if (bytes[at] > 0x20) throw fail('is a damaged PNM file: a number is expected where none is.');
      else at++;
    }
    const from = at;
    let value = 0;
    while (at < bytes.length && isDigit(bytes[at]) && at - from < 10) value = 10 * value + bytes[at++] - 0x30;
    if (at === from) throw fail('is a PNM file that is cut short.');
    return value;
  };
  const [width, height] = [number(), number()];
  const maximum = isBits ? 1 : number();
  if (width < 1 || height < 1 || maximum < 1 || maximum > 65535)
    throw fail('is a damaged PNM file: its header is wrong.');
  if (width * height > limit) {
    throw fail(
      `has ${width} x ${height} pixels; more than ${limit / 1e6} million are refused. Make it smaller first.`,
      'too-large',
    );
  }
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const count = width * height * channels;
  const wide = maximum > 255;
  const isRaw = kind >= 4;
  // One blank ends the header.
  if (isRaw) at++;
  const stride = Math.ceil(width / 8);
  const needed = kind === 4 ? stride * height : isRaw ? count * (wide ? 2 : 1) : isBits ? count : 2 * count - 1;
  if (bytes.length - at < needed) throw fail('is a PNM file that is cut short.');
  const top = wide ? 65535 : 255;
  const data = wide ? new Uint16Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    let value: number;
    if (kind === 4)
      value = (bytes[at + Math.floor(i / width) * stride + ((i % width) >> 3)] >> (7 - ((i % width) & 7))) & 1;
    else if (kind === 1) value = plainBit();
    else if (!isRaw) value = number();
    else value = wide ? (bytes[at + 2 * i] << 8) | bytes[at + 2 * i + 1] : bytes[at + i];
    if (value > maximum) throw fail(`is a damaged PNM file: it holds ${value}, above its maximum of ${maximum}.`);
    // In PBM 1 is black.
    data[i] = isBits ? top * (1 - value) : Math.round((value * top) / maximum);
  }
  return { data, height, width, channels };

  /** Plain bits may stand without blanks between them. */
  function plainBit(): number {
    while (at < bytes.length && (bytes[at] <= 0x20 || bytes[at] === 0x23)) {
      if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 10) at++;
      else at++;
    }
    if (at >= bytes.length) throw fail('is a PNM file that is cut short.');
    return bytes[at++] - 0x30;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
