/** Pictures, arrays and masks from files, in the shape that is asked for or refused; nothing is silently distorted. */
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { type FileReason, fileError, messageOf, RgiError } from '../../errors.ts';
import { castTensor, float32, isFloat, type Tensor } from '../../onnx/tensor.ts';
import {
  type Box,
  coverage,
  fromPixels,
  type Image,
  isGreyInColour,
  type Mask,
  type Size,
  shapeOf,
  toColour,
  toGrey,
} from '../image.ts';
import { type Alignment, maskThrough, seenThrough, type View, viewOf } from '../own-size/view.ts';
import { crop, type Fit, resize } from '../resize.ts';
import { openPicture, PIXEL_LIMIT, readBytes } from './decode.ts';

export interface ReadOptions {
  /** Channels wanted: 1 or 3 (other counts only from `.npy`); without it, the file's own. */
  readonly channels?: number;
  /** Size wanted; without it, the file's own. */
  readonly size?: Size;
  /**
   * What to do with another size: `refuse` (default), `contain` (whole picture, margins repeat its border and are
   * marked in `outside`), `cover` (central crop), `stretch` (changes the aspect).
   */
  readonly fit?: Fit;
  /** The part of the picture that is read, in its pixels; default: all of it. */
  readonly region?: Box;
  /** A part that is turned and resized; in place of `fit` and `region`. */
  readonly alignment?: Alignment;
  /** Transparent pixels: laid over white (default), or in their own colours and marked in `outside`. */
  readonly transparent?: 'white' | 'missing';
  /** What to do with a coloured picture where grey is wanted: `refuse` (default) or `luma` (BT.601). */
  readonly grey?: 'refuse' | 'luma';
  /** Larger pictures are refused; default 100 million pixels. */
  readonly pixelLimit?: number;
}

export interface Picture {
  readonly path: string;
  /** [N,C,H,W] in [-1,1]; N is 1 but for `.npy` batches. */
  readonly image: Image;
  /** The picture as stored, upright. */
  readonly source: Size & { readonly channels: number; readonly bits: 8 | 16 | 'float' };
  /** How it was taken from the stored picture. */
  readonly view: View;
  /** [1,1,H,W], 1 where there is no picture: margins, and transparent pixels that are `missing`; absent where there are none. */
  readonly outside?: Mask;
}

/**
 * Reads a picture file or a `.npy` array [C,H,W] or [N,C,H,W] of floats, taken as they are. Throws `input`, naming the
 * file, where it cannot be read or does not have the wanted size or channels.
 */
export async function readPicture(file: string, options: ReadOptions = {}): Promise<Picture> {
  const { channels, pixelLimit = PIXEL_LIMIT } = options;
  const bytes = await readBytes(file);
  if (isNpy(file, bytes)) {
    const stored = pictureArray(file, npy(file, bytes), channels);
    const { height, width, channels: present } = shapeOf(stored);
    const source = { height, width, channels: present, bits: 'float' } as const;
    const size = options.size ?? options.region ?? source;
    const view = viewed(file, source, size, options);
    const part = resize(crop(stored, view.placement.crop), view.placement.inner);
    const image = inChannels(file, part, channels, options.grey);
    return { path: file, source, view, ...seenThrough(view, image, source) };
  }
  const decoded = await openPicture(file, bytes, pixelLimit, options.transparent === 'missing' ? 'none' : 'white');
  const { source } = decoded;
  const size = options.size ?? options.region ?? source;
  const view = viewed(file, source, size, options);
  const pixels = await decoded.pixels(view.placement);
  const image = inChannels(file, fromPixels(pixels.data, pixels), channels, options.grey);
  const transparent =
    pixels.transparent && float32(Float32Array.from(pixels.transparent), [1, 1, pixels.height, pixels.width]);
  return { path: file, source, view, ...seenThrough(view, image, source, transparent) };
}

export interface MaskOptions {
  /** Larger masks are refused; default 100 million pixels. */
  readonly pixelLimit?: number;
  /** A label image: every value but 0 is masked. Default: detected (see `binary`). */
  readonly labels?: boolean;
  /** Called with what is doubtful about the mask (its polarity, that it is empty or full, its values): one sentence each. */
  readonly onDoubt?: (sentence: string) => void;
}

/**
 * Reads a mask for a picture: white (above mid-grey; in `.npy` above 0.5) = 1 = corrupted, transparent = 0. A label image whose values
 * are all below mid-grey (0 and 1, say) is read as 0 and not 0. It must have the picture's stored size, and is cropped, resized
 * and padded as the picture was: [N,1,H,W]. Throws `input`, naming the file, where it cannot be understood.
 */
export async function readMask(file: string, like: Picture, options: MaskOptions = {}): Promise<Mask> {
  const { count, height, width } = shapeOf(like.image);
  const stored = await readStoredMask(file, like, options);
  const soft = maskThrough(like.view, stored);
  const data = new Float32Array(count * height * width);
  for (let i = 0; i < data.length; i++) data[i] = soft.data[i % soft.data.length] > 0.5 ? 1 : 0;
  return { type: 'float32', dims: [count, 1, height, width], data };
}

/** Reads a mask as `readMask` does, at its picture's stored size: [N,1,H,W] of 0 and 1, N 1 or that of the pictures. */
export async function readStoredMask(
  file: string,
  like: { readonly path: string; readonly source: Size; readonly image: Pick<Image, 'dims'> },
  options: MaskOptions = {},
): Promise<Mask> {
  const { pixelLimit = PIXEL_LIMIT, labels, onDoubt = () => {} } = options;
  const bytes = await readBytes(file);
  const [count] = like.image.dims;
  const values = isNpy(file, bytes) ? maskArray(file, npy(file, bytes)) : await maskPicture(file, bytes, pixelLimit);
  const shape = shapeOf(values.mask);
  if (shape.height !== like.source.height || shape.width !== like.source.width) {
    const { height: h, width: w } = like.source;
    throw new RgiError(
      'input',
      `The mask ${file} is ${shape.width} x ${shape.height} pixels, its picture ${like.path} ${w} x ${h}; give a mask of the same size.`,
      { file },
      { details: { kind: 'shape', of: file, expected: [h, w], received: [shape.height, shape.width] } },
    );
  }
  if (shape.count !== 1 && shape.count !== count) {
    throw new RgiError(
      'input',
      `${file} holds ${shape.count} masks for ${count} picture(s); give one for all or one for each.`,
      { file },
      { details: { kind: 'shape', of: file, expected: [count], received: [shape.count] } },
    );
  }
  const stored = { ...values.mask, data: binary(file, values, labels, onDoubt) };
  for (const doubt of coverageDoubts(file, stored.data)) onDoubt(doubt);
  return stored;
}

/** The stored values of a mask, in units where 1 is white (pictures) or the number 1 (arrays); `scale` makes them integers. */
interface MaskValues {
  readonly mask: Mask;
  readonly scale: number;
}

async function maskPicture(file: string, bytes: Uint8Array, limit: number): Promise<MaskValues> {
  // Over black, so that what is transparent is not masked.
  const pixels = await (await openPicture(file, bytes, limit, 'black')).pixels();
  const grey = toGrey(fromPixels(pixels.data, pixels));
  const scale = pixels.data instanceof Uint16Array ? 65535 : 255;
  // Back to the stored numbers: a label of 1 is far below what float32 tells apart around -1.
  const data = grey.data.map((v) => Math.round(((v + 1) / 2) * scale) / scale);
  return { mask: { ...grey, data }, scale };
}

function maskArray(file: string, array: Tensor): MaskValues {
  const dims =
    array.dims.length === 2 ? [1, 1, ...array.dims] : array.dims.length === 3 ? [1, ...array.dims] : array.dims;
  if (dims.length !== 4 || dims[1] !== 1 || dims.includes(0)) {
    throw new RgiError(
      'input',
      `The mask ${file} is [${array.dims.join(', ')}]; [H,W], [1,H,W] or [N,1,H,W] is read.`,
      { file },
      { details: { kind: 'shape', of: file, expected: ['N', 1, 'H', 'W'], received: array.dims } },
    );
  }
  return { mask: { type: 'float32', dims, data: castTensor(array, 'float32').data as Float32Array }, scale: 1 };
}

/** A picture with more values than this is no label image. */
const MAX_LABELS = 16;

/**
 * The mask at mid-grey; or, of a label image, all but 0. One whose values are all below mid-grey would come out empty: with few values
 * it is a label image, with many it is refused. Few values on both sides of mid-grey may be a label image too: said.
 */
function binary(
  file: string,
  { mask: { data }, scale }: MaskValues,
  labels: boolean | undefined,
  onDoubt: (sentence: string) => void,
): Float32Array<ArrayBuffer> {
  const bad = data.find((v) => !Number.isFinite(v) || v < 0);
  if (bad !== undefined)
    throw fileError(file, 'values', `The mask ${file} holds ${bad}; its values are 0 (good) and 1 (corrupted).`);
  const split = (threshold: number) => (data as Float32Array<ArrayBuffer>).map((v) => (v > threshold ? 1 : 0));
  if (labels) return split(0);
  const values = new Set<number>();
  let low = 0;
  let high = 0;
  for (const v of data) {
    if (values.size <= MAX_LABELS) values.add(v);
    if (v > 0.5) high++;
    else if (v > 0) low++;
  }
  const few = values.size <= MAX_LABELS;
  const shown = [...values].map((v) => Math.round(v * scale * 1e4) / 1e4).sort((a, b) => a - b);
  const listed = `${shown.slice(0, 6).join(', ')}${shown.length > 6 ? ', ...' : ''}`;
  if (high === 0 && low > 0) {
    if (!few) {
      throw fileError(
        file,
        'values',
        `The mask ${file} has no value above mid-grey, and too many below it to be labels; save it with ${scale} where the picture is corrupted and 0 elsewhere.`,
      );
    }
    onDoubt(
      `The mask ${file} holds the values ${listed} of ${scale}: it is read as labels, all but 0 being corrupted.`,
    );
    return split(0);
  }
  // Smoothed edges have few pixels below mid-grey that are not 0; labels have many.
  if (few && low > 0.25 * high) {
    onDoubt(
      `The mask ${file} holds the values ${listed} of ${scale}: those up to mid-grey are read as good. If they are labels, save it with ${scale} for all of them.`,
    );
  }
  return split(0.5);
}

/** Beyond this share white is more likely to mean good. */
const DOUBTFUL_SHARE = 0.5;

function coverageDoubts(file: string, data: ArrayLike<number>): string[] {
  const share = coverage(data);
  if (share === 0) return [`The mask ${file} is empty: nothing is marked as corrupted (white is).`];
  if (share === 1) return [`The mask ${file} is full: everything is marked as corrupted (white is).`];
  if (share <= DOUBTFUL_SHARE) return [];
  return [
    `The mask ${file} marks ${(100 * share).toFixed(0)}% of the picture as corrupted: white means corrupted; invert it if black is meant.`,
  ];
}

function isNpy(file: string, bytes: Uint8Array): boolean {
  return bytes[0] === 0x93 || path.extname(file).toLowerCase() === '.npy';
}

function npy(file: string, bytes: Uint8Array): Tensor {
  try {
    return readNpy(bytes);
  } catch (error) {
    const what = error instanceof RgiError ? messageOf(error) : 'The .npy file is damaged.';
    throw fileError(file, 'damaged', `${file} cannot be used: ${what}`, error);
  }
}

/** Beyond this, values are not in [-1,1] with noise added, but in 0..255 or worse. */
const LARGEST = 32;

function pictureArray(file: string, array: Tensor, channels?: number): Image {
  const fail = (what: string, reason: FileReason = 'values') => fileError(file, reason, `${file} ${what}`);
  const wrongShape = (what: string) =>
    new RgiError(
      'input',
      `${file} ${what}`,
      { file },
      { details: { kind: 'shape', of: file, expected: ['N', channels ?? 'C', 'H', 'W'], received: array.dims } },
    );
  const shape = `[${array.dims.join(', ')}]`;
  if (!isFloat(array.type)) throw fail(`holds ${array.type} values; save floats in [-1,1] (x / 127.5 - 1).`);
  const dims = array.dims.length === 3 ? [1, ...array.dims] : [...array.dims];
  if (dims.length !== 4 || dims.includes(0)) throw wrongShape(`is an array of ${shape}; [C,H,W] or [N,C,H,W] is read.`);
  if (dims[1] !== channels && dims[1] !== 1 && dims[1] !== 3) {
    const last = dims[3] === 1 || dims[3] === 3 || dims[3] === channels;
    throw wrongShape(
      last
        ? `is ${shape} with channels last; move them to the front (numpy: x.transpose(2, 0, 1)).`
        : `is ${shape}, a picture of ${dims[1]} channels; ${channels ?? '1 or 3'} are needed.`,
    );
  }
  const values = castTensor(array, 'float32').data;
  const bad = values.findIndex((v) => !(Math.abs(v) <= LARGEST));
  if (bad >= 0) {
    throw fail(
      Number.isFinite(values[bad])
        ? `holds the value ${values[bad]}; pictures are in [-1,1] (x / 127.5 - 1 for 0 to 255).`
        : `holds ${values[bad]} at position ${bad}; every value must be a finite number.`,
    );
  }
  return { type: 'float32', dims, data: values };
}

function viewed(file: string, source: Size, size: Size, options: ReadOptions): View {
  try {
    return viewOf(source, size, options);
  } catch (error) {
    if (options.alignment || (options.region && options.fit !== undefined && options.fit !== 'refuse'))
      throw new RgiError('input', `${file}: ${messageOf(error)}`, { file }, { cause: error });
    throw new RgiError(
      'input',
      `${file} is ${source.width} x ${source.height} pixels (width x height), ${size.width} x ${size.height} are needed; choose a fit: contain, cover or stretch.`,
      { file },
      {
        details: {
          kind: 'shape',
          of: file,
          expected: [size.height, size.width],
          received: [source.height, source.width],
        },
      },
    );
  }
}

function inChannels(file: string, image: Image, wanted: number | undefined, grey: 'refuse' | 'luma' = 'refuse'): Image {
  const { channels } = shapeOf(image);
  if (wanted === undefined || wanted === channels) return image;
  if (wanted === 3 && channels === 1) return toColour(image);
  if (wanted === 1 && channels === 3) {
    if (grey === 'luma' || isGreyInColour(image)) return toGrey(image);
    throw wrongChannels(
      file,
      'is a colour picture, grey is needed; choose grey by luma to convert it.',
      wanted,
      channels,
    );
  }
  throw wrongChannels(file, `has ${channels} channels, ${wanted} are needed.`, wanted, channels);
}

function wrongChannels(file: string, what: string, expected: number, received: number): RgiError {
  const details = { kind: 'shape', of: file, expected: [expected], received: [received] } as const;
  return new RgiError('input', `${file} ${what}`, { file }, { details });
}
