/**
 * Batches of pictures in memory: float32 [N,C,H,W] in [-1,1], row-major; masks are [N,1,H,W], 1 = corrupted. Values may
 * leave the range (corruptions are not clipped); only 8- and 16-bit pixels are.
 */
import { RgiError } from '../errors.ts';
import { float32, float32Data, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';

/** float32 [N,C,H,W], values in [-1,1] by convention. */
export type Image = Tensor<'float32'>;
/** float32 [N,1,H,W], values in [0,1]; 1 = corrupted, anomalous, to be filled. */
export type Mask = Tensor<'float32'>;

export interface ImageShape {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface Size {
  /** Rows, in pixels. */
  readonly height: number;
  /** Columns, in pixels. */
  readonly width: number;
}

/** Rectangle of pixels. */
export interface Box extends Size {
  /** First row, from 0. */
  readonly top: number;
  /** First column, from 0. */
  readonly left: number;
}

/** Can a picture file hold it? Grey or colour; other numbers of channels are written as arrays only. */
export function isDrawable({ dims }: { readonly dims: readonly number[] }): boolean {
  return dims[1] === 1 || dims[1] === 3;
}

/** The four sizes of a batch; anything but [N,C,H,W] is an `input` error. */
export function shapeOf(image: Image): ImageShape {
  if (image.dims.length !== 4) {
    throw new RgiError('input', `Images are [N,C,H,W]; this array is [${image.dims.join(', ')}].`);
  }
  const [count, channels, height, width] = image.dims;
  return { count, channels, height, width };
}

/** [C,H,W] as [1,C,H,W], sharing its data; [N,C,H,W] as it is. */
export function asBatch(image: Image): Image {
  const batch = image.dims.length === 3 ? { ...image, dims: [1, ...image.dims] } : image;
  shapeOf(batch);
  return batch;
}

/** Image `index` of a batch as [1,C,H,W], sharing its data. */
export function imageAt(batch: Image, index: number): Image {
  const [, ...dims] = batch.dims;
  const size = sizeOf(dims);
  return { type: 'float32', dims: [1, ...dims], data: batch.data.subarray(index * size, (index + 1) * size) };
}

/** Every image of a batch, each [1,C,H,W], sharing its data. */
export function imagesOf(batch: Image): Image[] {
  return Array.from({ length: shapeOf(batch).count }, (_, i) => imageAt(batch, i));
}

/** Images of one shape, one after another in one batch. */
export function stackImages(images: readonly Image[]): Image {
  const batches = images.map(asBatch);
  const inner = batches[0]?.dims.slice(1);
  if (!inner) throw new RgiError('input', 'There are no images to put into a batch.');
  const other = batches.find((b) => b.dims.slice(1).join() !== inner.join());
  if (other) {
    throw new RgiError(
      'input',
      `Images of one batch have one shape, not [${inner.join(', ')}] and [${other.dims.slice(1).join(', ')}].`,
    );
  }
  const stacked = zeros('float32', [batches.reduce((n, b) => n + b.dims[0], 0), ...inner]);
  let offset = 0;
  for (const batch of batches) {
    stacked.data.set(batch.data, offset);
    offset += batch.data.length;
  }
  return stacked;
}

/** Interleaved pixels (rows, columns, channels) of 8 (`Uint8Array`) or 16 bits as [1,C,H,W] in [-1,1]. */
export function fromPixels(
  pixels: Uint8Array | Uint8ClampedArray | Uint16Array,
  { height, width, channels }: Size & { readonly channels: number },
): Image {
  const plane = height * width;
  if (pixels.length !== plane * channels) {
    throw new RgiError('input', `${pixels.length} values are not ${height} x ${width} pixels of ${channels} channels.`);
  }
  const half = (pixels instanceof Uint16Array ? 65535 : 255) / 2;
  const image = zeros('float32', [1, channels, height, width]);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) image.data[c * plane + i] = pixels[i * channels + c] / half - 1;
  }
  return image;
}

/** One image [1,C,H,W] or [C,H,W] as interleaved 8-bit pixels: clipped to [-1,1] and rounded. */
export function toPixels(image: Image): Uint8Array {
  const { count, channels, height, width } = shapeOf(asBatch(image));
  if (count !== 1) throw new RgiError('input', `Pixels are taken of one image at a time, not of ${count}.`);
  const plane = height * width;
  const pixels = new Uint8ClampedArray(plane * channels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) pixels[i * channels + c] = (image.data[c * plane + i] + 1) * 127.5;
  }
  return new Uint8Array(pixels.buffer);
}

/** Clipped to [low, high]. */
export function clip(image: Image, low = -1, high = 1): Image {
  return { ...image, data: image.data.map((v) => Math.min(high, Math.max(low, v))) };
}

/** Weights of the luma of ITU-R BT.601, which Pillow's and OpenCV's grey conversions use too. */
const LUMA = [0.299, 0.587, 0.114];

/** Grey [N,1,H,W] as is; colour by luma, 0.299 R + 0.587 G + 0.114 B. */
export function toGrey(image: Image): Image {
  const { count, channels, height, width } = shapeOf(image);
  if (channels === 1) return image;
  if (channels !== 3) throw new RgiError('input', `An image of ${channels} channels has no grey form; 1 or 3 have.`);
  const plane = height * width;
  const grey = zeros('float32', [count, 1, height, width]);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < plane; i++) {
      const at = n * 3 * plane + i;
      const [r, g, b] = [image.data[at], image.data[at + plane], image.data[at + 2 * plane]];
      grey.data[n * plane + i] = r === g && g === b ? r : LUMA[0] * r + LUMA[1] * g + LUMA[2] * b;
    }
  }
  return grey;
}

/** Colour as is; grey repeated in three channels. */
export function toColour(image: Image): Image {
  const { count, channels, height, width } = shapeOf(image);
  if (channels === 3) return image;
  if (channels !== 1) throw new RgiError('input', `An image of ${channels} channels has no colour form; 1 or 3 have.`);
  const plane = height * width;
  const colour = zeros('float32', [count, 3, height, width]);
  for (let n = 0; n < count; n++) {
    const grey = image.data.subarray(n * plane, (n + 1) * plane);
    for (let c = 0; c < 3; c++) colour.data.set(grey, (3 * n + c) * plane);
  }
  return colour;
}

/** Whether the three channels are equal everywhere, so that the grey form loses nothing. */
export function isGreyInColour(image: Image): boolean {
  const { count, channels, height, width } = shapeOf(image);
  if (channels !== 3) return false;
  const plane = height * width;
  for (let n = 0; n < count; n++) {
    const all = image.data.subarray(3 * n * plane, 3 * (n + 1) * plane);
    for (let i = 0; i < plane; i++) if (all[i] !== all[i + plane] || all[i] !== all[i + 2 * plane]) return false;
  }
  return true;
}

/** Euclidean norm of the channels over sqrt(C) per pixel, of the difference of two batches: [N,1,H,W], RMS residual. */
export function residualMap(a: Image, b: Image): Image {
  const { count, channels, height, width } = shapeOf(a);
  if (a.dims.join() !== b.dims.join()) {
    throw new RgiError('input', `Images of [${a.dims.join(', ')}] and [${b.dims.join(', ')}] have no difference.`);
  }
  const plane = height * width;
  const map = zeros('float32', [count, 1, height, width]);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < plane; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        const at = (n * channels + c) * plane + i;
        sum += (a.data[at] - b.data[at]) ** 2;
      }
      map.data[n * plane + i] = Math.sqrt(sum / channels);
    }
  }
  return map;
}

/** Masks of [N,C,H,W], free or soft, as one binary mask per image: 1 where the mean |M| of the channels > `threshold`. */
export function binaryMask(mask: Image, threshold = 0.5): Mask {
  const { count, channels, height, width } = shapeOf(mask);
  const plane = height * width;
  const binary = zeros('float32', [count, 1, height, width]);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < plane; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += Math.abs(mask.data[(n * channels + c) * plane + i]);
      binary.data[n * plane + i] = sum / channels > threshold ? 1 : 0;
    }
  }
  return binary;
}

/** What is masked by either, of masks of one shape. */
export function unionOf(a: Mask, b: Mask | undefined): Mask {
  if (!b) return a;
  return float32(
    a.data.map((m, i) => Math.max(m, b.data[i])),
    a.dims,
  );
}

/** A map of a mask's shape, 0 where the mask is 1. */
export function zeroWhere(mask: Mask | undefined, map: Image): Image {
  if (!mask) return map;
  return float32(
    map.data.map((v, i) => (mask.data[i] > 0.5 ? 0 : v)),
    map.dims,
  );
}

/** Share of a mask's pixels above 0.5. */
export function coverage(mask: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i] > 0.5) count++;
  return count / mask.length;
}

/** A mask or another map of [0,1] as a picture in [-1,1]: 1 becomes white. */
export function maskToImage(mask: Mask): Image {
  return { ...mask, data: mask.data.map((v) => 2 * v - 1) };
}

/** The visibility 1 - M of each pixel, of the shape of the mask. */
export function visibilityOf(mask: Tensor): Mask {
  return float32(
    float32Data(mask).map((m) => 1 - m),
    mask.dims,
  );
}
