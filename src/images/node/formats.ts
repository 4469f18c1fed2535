/** Which files are pictures here, by their names: the formats that this build of libvips decodes, and those of our own readers. */
import path from 'node:path';
import sharp from 'sharp';

/** Formats that are decoded; vector, video and document formats that libvips might open are not pictures here. */
export const DECODED_FORMATS: ReadonlySet<string> = new Set([
  'jpeg',
  'png',
  'webp',
  'tiff',
  'gif',
  'heif',
  'jp2',
  'jxl',
]);

/** Read by `bmp.ts`, `pnm.ts` and `npy.ts`. HEIC is a picture wherever it comes from: refused with a sentence, not passed over. */
const OWN = ['.bmp', '.dib', '.pbm', '.pgm', '.ppm', '.pnm', '.npy', '.heic', '.heif'];

/** HEIF stands for AVIF here: HEIC is refused. */
const NAMES: Readonly<Record<string, string>> = { webp: 'WebP', jp2: 'JPEG 2000', jxl: 'JPEG XL', heif: 'AVIF' };

const FORMATS = Object.values(sharp.format as unknown as Readonly<Record<string, FormatFacts>>).filter(
  ({ id, input }) => DECODED_FORMATS.has(id) && input.buffer,
);

const DECODABLE: ReadonlySet<string> = new Set(FORMATS.map(({ id }) => id));

const EXTENSIONS: ReadonlySet<string> = new Set([...OWN, ...FORMATS.flatMap(({ input }) => input.fileSuffix ?? [])]);

interface FormatFacts {
  readonly id: string;
  readonly input: { readonly buffer: boolean; readonly fileSuffix?: readonly string[] };
}

/** Does the name of a file say that it is a picture or an array? */
export function isPictureName(name: string): boolean {
  return EXTENSIONS.has(path.extname(name).toLowerCase());
}

/** The formats as people call them, for sentences: those of libvips that this build reads, and those of our own readers. */
export const FORMAT_NAMES: string = [
  ...[...DECODED_FORMATS].filter((id) => DECODABLE.has(id)).map((id) => NAMES[id] ?? id.toUpperCase()),
  'BMP',
  'PNM',
].join(', ');
