/** Pictures, arrays and masks from files, in the shape that is asked for or refused; nothing is silently distorted. */
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { castTensor, isFloat, type Tensor } from '../../onnx/tensor.ts';
import { fromPixels, type Image, isGreyInColour, type Mask, type Size, shapeOf, toColour, toGrey } from '../image.ts';
import { type Fit, outsideOf, type Placement, padTo, place, placementOf } from '../resize.ts';
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
  readonly placement: Placement;
  /** [1,1,H,W], 1 where `contain` left margins; absent where there are none. */
  readonly outside?: Mask;
}

/**
 * Reads a picture file or a `.npy` array [C,H,W] or [N,C,H,W] of floats, taken as they are. Throws `input`, naming the
 * file, where it cannot be read or does not have the wanted size or channels.
 */
export async function readPicture(file: string, options: ReadOptions = {}): Promise<Picture> {
  const { channels, fit = 'refuse', pixelLimit = PIXEL_LIMIT } = options;
  const bytes = await readBytes(file);
  if (isNpy(file, bytes)) {
    const stored = pictureArray(file, npy(file, bytes), channels);
    const { height, width, channels: present } = shapeOf(stored);
    const size = options.size ?? { height, width };
    const placement = placed(file, { height, width }, size, fit);
    const image = inChannels(file, place(stored, size, placement), channels, options.grey);
    return picture(file, image, { height, width, channels: present, bits: 'float' }, size, placement);
  }
  const decoded = await openPicture(file, bytes, pixelLimit);
  const size = options.size ?? { height: decoded.source.height, width: decoded.source.width };
  const placement = placed(file, decoded.source, size, fit);
  const pixels = await decoded.pixels(placement);
  const image = inChannels(file, fromPixels(pixels.data, pixels), channels, options.grey);
  return picture(file, padTo(image, size, placement.inner), decoded.source, size, placement);
}

/**
 * Reads a mask for a picture: white (above mid-grey; in `.npy` above 0.5) = 1 = corrupted, transparent = 0. It must have the picture's
 * stored size, and is cropped, resized and padded as the picture was: [N,1,H,W].
 */
export async function readMask(file: string, like: Picture, pixelLimit = PIXEL_LIMIT): Promise<Mask> {
  const bytes = await readBytes(file);
  const { count, height, width } = shapeOf(like.image);
  const stored = isNpy(file, bytes) ? maskArray(file, npy(file, bytes)) : await maskPicture(file, bytes, pixelLimit);
  const shape = shapeOf(stored);
  if (shape.height !== like.source.height || shape.width !== like.source.width) {
    throw new RgiError(
      'input',
      `The mask ${file} is ${shape.width} x ${shape.height} pixels, its picture ${like.path} ${like.source.width} x ${like.source.height}; give a mask of the same size.`,
      { file },
    );
  }
  if (shape.count !== 1 && shape.count !== count) {
    throw new RgiError(
      'input',
      `${file} holds ${shape.count} masks for ${count} picture(s); give one for all or one for each.`,
      {
        file,
      },
    );
  }
  const soft = place(stored, { height, width }, like.placement, 'area');
  const data = new Float32Array(count * height * width);
  for (let i = 0; i < data.length; i++) data[i] = soft.data[i % soft.data.length] > 0.5 ? 1 : 0;
  return { type: 'float32', dims: [count, 1, height, width], data };
}

async function maskPicture(file: string, bytes: Uint8Array, limit: number): Promise<Mask> {
  // Over black, so that what is transparent is not masked.
  const pixels = await (await openPicture(file, bytes, limit, 'black')).pixels();
  const grey = toGrey(fromPixels(pixels.data, pixels));
  return { ...grey, data: grey.data.map((v) => (v > 0 ? 1 : 0)) };
}

function maskArray(file: string, array: Tensor): Mask {
  const dims =
    array.dims.length === 2 ? [1, 1, ...array.dims] : array.dims.length === 3 ? [1, ...array.dims] : array.dims;
  if (dims.length !== 4 || dims[1] !== 1 || dims.includes(0)) {
    throw new RgiError(
      'input',
      `The mask ${file} is [${array.dims.join(', ')}]; [H,W], [1,H,W] or [N,1,H,W] is read.`,
      { file },
    );
  }
  const values = castTensor(array, 'float32').data;
  return { type: 'float32', dims, data: values.map((v) => (v > 0.5 ? 1 : 0)) };
}

function isNpy(file: string, bytes: Uint8Array): boolean {
  return bytes[0] === 0x93 || path.extname(file).toLowerCase() === '.npy';
}

function npy(file: string, bytes: Uint8Array): Tensor {
  try {
    return readNpy(bytes);
  } catch (error) {
    throw new RgiError('input', `${file} cannot be used: ${messageOf(error)}`, { file }, { cause: error });
  }
}

/** Beyond this, values are not in [-1,1] with noise added, but in 0..255 or worse. */
const LARGEST = 32;

function pictureArray(file: string, array: Tensor, channels?: number): Image {
  const fail = (what: string) => new RgiError('input', `${file} ${what}`, { file });
  const shape = `[${array.dims.join(', ')}]`;
  if (!isFloat(array.type)) throw fail(`holds ${array.type} values; save floats in [-1,1] (x / 127.5 - 1).`);
  const dims = array.dims.length === 3 ? [1, ...array.dims] : [...array.dims];
  if (dims.length !== 4 || dims.includes(0)) throw fail(`is an array of ${shape}; [C,H,W] or [N,C,H,W] is read.`);
  if (dims[1] !== channels && dims[1] !== 1 && dims[1] !== 3) {
    const last = dims[3] === 1 || dims[3] === 3 || dims[3] === channels;
    throw fail(
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

function placed(file: string, source: Size, size: Size, fit: Fit): Placement {
  try {
    return placementOf(source, size, fit);
  } catch {
    throw new RgiError(
      'input',
      `${file} is ${source.width} x ${source.height} pixels (width x height), ${size.width} x ${size.height} are needed; choose a fit: contain, cover or stretch.`,
      { file },
    );
  }
}

function inChannels(file: string, image: Image, wanted: number | undefined, grey: 'refuse' | 'luma' = 'refuse'): Image {
  const { channels } = shapeOf(image);
  if (wanted === undefined || wanted === channels) return image;
  if (wanted === 3 && channels === 1) return toColour(image);
  if (wanted === 1 && channels === 3) {
    if (grey === 'luma' || isGreyInColour(image)) return toGrey(image);
    throw new RgiError('input', `${file} is a colour picture, grey is needed; choose grey by luma to convert it.`, {
      file,
    });
  }
  throw new RgiError('input', `${file} has ${channels} channels, ${wanted} are needed.`, { file });
}

function picture(file: string, image: Image, source: Picture['source'], size: Size, placement: Placement): Picture {
  const { inner } = placement;
  const margins = inner.height !== size.height || inner.width !== size.width;
  return { path: file, image, source, placement, ...(margins && { outside: outsideOf(size, inner) }) };
}
