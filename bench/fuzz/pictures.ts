/** Picture and mask files of every format that is read, their bytes changed; of PNG also headers with a right checksum. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { readMask, readPicture } from '../../src/images/node/read.ts';
import type { Fit } from '../../src/images/resize.ts';
import type { Random } from '../../src/random.ts';
import { bytesOf, type FuzzKind, textOf } from './kind.ts';
import { mutatedBytes, NUMBERS, pick } from './mutate.ts';

/** Formats are known by their bytes. */
const FILE = 'picture.png';

interface How {
  readonly channels?: number;
  readonly size?: { readonly height: number; readonly width: number };
  readonly fit?: Fit;
  readonly grey?: 'luma';
}

export async function pictures(): Promise<FuzzKind> {
  const seeds = await pictureSeeds();
  return {
    make(random) {
      const seed = pick(seeds, random);
      const bytes =
        isPng(seed) && random.integer(2) === 0
          ? withHeader(seed, random)
          : mutatedBytes(seed, pick(seeds, random), random);
      const how: How = {
        ...(random.integer(2) === 0 ? { channels: pick([1, 3], random) } : {}),
        ...(random.integer(2) === 0 ? { size: { height: 8, width: 12 } } : {}),
        fit: pick<Fit>(['refuse', 'contain', 'cover', 'stretch'], random),
        ...(random.integer(2) === 0 ? { grey: 'luma' as const } : {}),
      };
      return new Map([
        [FILE, bytes],
        ['how.json', bytesOf(JSON.stringify(how))],
      ]);
    },
    async read(files, folder) {
      const file = path.join(folder, FILE);
      await writeFile(file, files.get(FILE)!);
      const picture = await readPicture(file, JSON.parse(textOf(files, 'how.json')) as How);
      await readMask(file, picture);
    },
  };
}

function isPng(bytes: Uint8Array): boolean {
  return bytes[0] === 0x89;
}

/** Another width, height, depth or kind of colour in the IHDR chunk, which begins at byte 12 and has its checksum at 29. */
function withHeader(png: Uint8Array, random: Random): Uint8Array {
  const bytes = png.slice();
  const view = new DataView(bytes.buffer);
  const at = pick([16, 20, 24, 25, 26, 27, 28], random);
  if (at < 24) view.setUint32(at, Math.abs(pick(NUMBERS, random)) >>> 0);
  else bytes[at] = random.integer(256);
  view.setUint32(29, crc32(bytes.subarray(12, 29)));
  return bytes;
}

async function pictureSeeds(): Promise<Uint8Array[]> {
  const [height, width] = [9, 13];
  const raw = (channels: 1 | 3 | 4, levels = 256) =>
    sharp(
      Uint8Array.from({ length: height * width * channels }, (_, i) => (i * 37) % levels),
      { raw: { width, height, channels } },
    );
  const made = await Promise.all([
    raw(3).png().toBuffer(),
    raw(1).png({ palette: true }).toBuffer(),
    raw(4).png().toBuffer(),
    raw(3).toColourspace('rgb16').png().toBuffer(),
    raw(3).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
    raw(1).jpeg({ progressive: true }).toBuffer(),
    raw(3).toColourspace('cmyk').jpeg().toBuffer(),
    raw(3).tiff({ compression: 'lzw' }).toBuffer(),
    raw(1).tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
    raw(3).gif().toBuffer(),
    raw(3).webp().toBuffer(),
    raw(4).webp({ lossless: true }).toBuffer(),
  ]);
  return [...made.map((buffer) => new Uint8Array(buffer)), bitmap(8), bitmap(24), bitmap(32)];
}

function bitmap(bits: 8 | 24 | 32): Uint8Array {
  const [height, width] = [5, 7];
  const stride = Math.ceil((width * bits) / 32) * 4;
  const start = 54 + (bits === 8 ? 1024 : 0);
  const bytes = new Uint8Array(start + stride * height).map((_, i) => (i * 29) & 255);
  bytes.fill(0, 0, 54);
  bytes.set([0x42, 0x4d]);
  const view = new DataView(bytes.buffer);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, start, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, bits, true);
  return bytes;
}
