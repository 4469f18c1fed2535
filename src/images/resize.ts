/** Cropping, padding and separable resizing of float images. */
import { RgiError } from '../errors.ts';
import { type Tensor, zeros } from '../onnx/tensor.ts';
import { type Box, type Image, type Size, shapeOf } from './image.ts';

/**
 * `area`: mean over the pixel's footprint (nearest when enlarging whole times); `bilinear`: triangle filter on half-pixel
 * centres, widened when shrinking so that nothing aliases; `nearest`: for labels.
 */
export type ResizeMethod = 'area' | 'bilinear' | 'nearest';

/** How a picture of another shape is brought to the wanted size; `refuse` is an error. */
export type Fit = 'refuse' | 'contain' | 'cover' | 'stretch';

/** Which part of the source goes where in the target. */
export interface Placement {
  readonly crop: Box;
  readonly inner: Box;
}

/**
 * Geometry of a fit: `contain` keeps everything and leaves margins, `cover` crops centrally, `stretch` changes the
 * aspect. `refuse` (and any fit of equal sizes) is the identity and needs equal sizes.
 */
export function placementOf(source: Size, target: Size, fit: Fit): Placement {
  const whole: Box = { top: 0, left: 0, height: source.height, width: source.width };
  const full: Box = { top: 0, left: 0, height: target.height, width: target.width };
  if (source.height === target.height && source.width === target.width) return { crop: whole, inner: full };
  if (fit === 'refuse') {
    throw new RgiError(
      'input',
      `The picture is ${source.width} x ${source.height} pixels (width x height), ${target.width} x ${target.height} are needed.`,
    );
  }
  if (fit === 'stretch') return { crop: whole, inner: full };
  const ratios = [target.height / source.height, target.width / source.width];
  const scale = fit === 'contain' ? Math.min(...ratios) : Math.max(...ratios);
  const within = (size: number, limit: number) => Math.min(limit, Math.max(1, Math.round(size)));
  const centred = (height: number, width: number, outer: Size): Box => ({
    top: Math.floor((outer.height - height) / 2),
    left: Math.floor((outer.width - width) / 2),
    height,
    width,
  });
  if (fit === 'contain') {
    const height = within(source.height * scale, target.height);
    return { crop: whole, inner: centred(height, within(source.width * scale, target.width), target) };
  }
  const height = within(target.height / scale, source.height);
  return { crop: centred(height, within(target.width / scale, source.width), source), inner: full };
}

/** The pixels of `box`, which lies inside the image. */
export function crop(image: Image, { top, left, height, width }: Box): Image {
  const shape = shapeOf(image);
  if (top < 0 || left < 0 || top + height > shape.height || left + width > shape.width) {
    throw new RgiError('input', `A crop reaches outside the image of ${shape.width} x ${shape.height} pixels.`);
  }
  const out = zeros('float32', [shape.count, shape.channels, height, width]);
  for (let p = 0; p < shape.count * shape.channels; p++) {
    for (let y = 0; y < height; y++) {
      const from = (p * shape.height + top + y) * shape.width + left;
      out.data.set(image.data.subarray(from, from + width), (p * height + y) * width);
    }
  }
  return out;
}

/** A larger image with this one at `inner` and its border pixels repeated around it. */
export function padTo(image: Image, size: Size, inner: Box): Image {
  const shape = shapeOf(image);
  const out = zeros('float32', [shape.count, shape.channels, size.height, size.width]);
  const within = (i: number, n: number) => Math.min(n - 1, Math.max(0, i));
  const right = inner.left + shape.width;
  for (let p = 0; p < shape.count * shape.channels; p++) {
    for (let y = 0; y < size.height; y++) {
      const row = (p * shape.height + within(y - inner.top, shape.height)) * shape.width;
      const at = (p * size.height + y) * size.width;
      out.data.fill(image.data[row], at, at + inner.left);
      out.data.set(image.data.subarray(row, row + shape.width), at + inner.left);
      out.data.fill(image.data[row + shape.width - 1], at + right, at + size.width);
    }
  }
  return out;
}

/** 1 outside `inner`: the margins that `contain` leaves, which no picture fills. */
export function outsideOf(size: Size, inner: Box): Tensor<'float32'> {
  const mask = zeros('float32', [1, 1, size.height, size.width]);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const inside = y >= inner.top && y < inner.top + inner.height && x >= inner.left && x < inner.left + inner.width;
      mask.data[y * size.width + x] = inside ? 0 : 1;
    }
  }
  return mask;
}

/** The image at another size. */
export function resize(image: Image, size: Size, method: ResizeMethod = 'bilinear'): Image {
  const { count, channels, height, width } = shapeOf(image);
  if (height === size.height && width === size.width) return image;
  const planes = count * channels;
  const rows = resizeRows(image.data, planes * height, width, taps(width, size.width, method), size.width);
  const turned = transpose(rows, planes, height, size.width);
  const columns = resizeRows(turned, planes * size.width, height, taps(height, size.height, method), size.height);
  const data = transpose(columns, planes, size.width, size.height);
  return { type: 'float32', dims: [count, channels, size.height, size.width], data };
}

interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Which source samples make each target sample, weights summing to one. */
function taps(from: number, to: number, method: ResizeMethod): Taps[] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    if (method === 'nearest') return { first: Math.min(from - 1, Math.floor((i + 0.5) * step)), weights: [1] };
    const centre = (i + 0.5) * step;
    const reach = method === 'area' ? step / 2 : Math.max(1, step);
    const first = Math.max(0, Math.floor(centre - reach));
    const last = Math.min(from, Math.ceil(centre + reach));
    const weights = Array.from({ length: last - first }, (_, k) =>
      method === 'area'
        ? Math.max(0, Math.min(first + k + 1, centre + reach) - Math.max(first + k, centre - reach))
        : Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / reach),
    );
    const total = weights.reduce((sum, w) => sum + w, 0);
    return { first, weights: weights.map((w) => w / total) };
  });
}

function resizeRows(
  data: Float32Array,
  rows: number,
  from: number,
  filters: readonly Taps[],
  to: number,
): Float32Array {
  const out = new Float32Array(rows * to);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < to; x++) {
      const { first, weights } = filters[x];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * data[y * from + first + k];
      out[y * to + x] = sum;
    }
  }
  return out;
}

function transpose(data: Float32Array, planes: number, height: number, width: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let p = 0; p < planes; p++) {
    const base = p * height * width;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[base + x * height + y] = data[base + y * width + x];
    }
  }
  return out;
}

/** Each plane smoothed by a Gaussian of `sigma` pixels (cut at 4 sigma, mirrored at the border as scipy's `reflect`). */
export function gaussianBlur(image: Image, sigma: number): Image {
  const { count, channels, height, width } = shapeOf(image);
  if (sigma <= 0) return image;
  const planes = count * channels;
  const rows = blurRows(image.data, planes * height, width, sigma);
  const columns = blurRows(transpose(rows, planes, height, width), planes * width, height, sigma);
  return { ...image, data: transpose(columns, planes, width, height) };
}

function blurRows(data: Float32Array, rows: number, length: number, sigma: number): Float32Array {
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2));
  const total = kernel.reduce((sum, w) => sum + w, 0);
  const mirrored = (i: number) => {
    const m = ((i % (2 * length)) + 2 * length) % (2 * length);
    return m < length ? m : 2 * length - 1 - m;
  };
  const source = Int32Array.from({ length: length + 2 * radius }, (_, i) => mirrored(i - radius));
  const out = new Float32Array(data.length);
  const row = new Float64Array(source.length);
  for (let y = 0; y < rows; y++) {
    for (let i = 0; i < row.length; i++) row[i] = data[y * length + source[i]];
    for (let x = 0; x < length; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k] * row[x + k];
      out[y * length + x] = sum / total;
    }
  }
  return out;
}
