/** How a generator sees a picture: which part of it, brought to the generator's size straight or turned. */
import { RgiError } from '../../errors.ts';
import { float32, zeros } from '../../onnx/tensor.ts';
import { type Box, type Image, type Mask, type Size, shapeOf, unionOf } from '../image.ts';
import { crop, type Fit, outsideOf, type Placement, padTo, placementOf, resize } from '../resize.ts';
import { type Frame, frameOf, sampleCubic, scaleOf } from './frame.ts';

/** A similarity: where the generator's picture lies in another picture. */
export interface Alignment {
  /** The point, in pixels of the picture, where the centre of the generator's picture lies. */
  readonly x: number;
  readonly y: number;
  /** Pixels of the picture along the side of one of the generator's. */
  readonly scale: number;
  /** By how much the generator's picture is turned, clockwise as it is seen. */
  readonly degrees: number;
}

/** Which part of a picture is looked at, and how it is brought to another size. */
export interface ViewOptions {
  /** Of a part of another shape; default: refused. */
  readonly fit?: Fit;
  /** Default: the whole picture. */
  readonly region?: Box;
  /** In place of both. */
  readonly alignment?: Alignment;
}

export interface View {
  readonly frame: Frame;
  /** What of the picture is read, and to which size it is reduced; where it is aligned, before it is turned. */
  readonly placement: Placement;
  readonly isAligned: boolean;
}

/** Throws `input` where the region or the alignment does not lie in the picture, or the size is another and no fit is chosen. */
export function viewOf(source: Size, size: Size, { fit = 'refuse', region, alignment }: ViewOptions): View {
  if (alignment) return alignedView(source, size, alignment);
  if (region) checkRegion(region, source);
  const part = region ?? { top: 0, left: 0, height: source.height, width: source.width };
  const { crop: box, inner } = placementOf(part, size, fit);
  const placement = { crop: { ...box, top: part.top + box.top, left: part.left + box.left }, inner };
  return { frame: frameOf(placement, size), placement, isAligned: false };
}

function checkRegion({ top, left, height, width }: Box, source: Size): void {
  if (left + width <= source.width && top + height <= source.height) return;
  throw new RgiError(
    'input',
    `The region ${left},${top},${width},${height} reaches beyond the picture of ${source.width} x ${source.height} pixels (width x height).`,
  );
}

/** What lies under the generator's picture is reduced to about its scale first. */
function alignedView(source: Size, size: Size, alignment: Alignment): View {
  const frame = alignedFrame(alignment, size);
  const scale = Math.max(1, alignment.scale);
  const box = boundsIn(frame, source, 2 * scale);
  if (!box) throw new RgiError('input', 'The alignment lies outside of the picture.');
  const inner = {
    top: 0,
    left: 0,
    height: Math.max(1, Math.round(box.height / scale)),
    width: Math.max(1, Math.round(box.width / scale)),
  };
  return { frame, placement: { crop: box, inner }, isAligned: true };
}

export function alignedFrame({ x, y, scale, degrees }: Alignment, { height, width }: Size): Frame {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180) / scale, Math.sin((degrees * Math.PI) / 180) / scale];
  const matrix = [cos, sin, width / 2 - cos * x - sin * y, -sin, cos, height / 2 + sin * x - cos * y] as const;
  return { size: { height, width }, inner: { top: 0, left: 0, height, width }, matrix };
}

/** [a, b, e, c, d, f] of the way back: from the generator to the picture. */
function inverse([a, b, e, c, d, f]: Frame['matrix']): Frame['matrix'] {
  const det = a * d - b * c;
  const [p, q, r, s] = [d / det, -b / det, -c / det, a / det];
  return [p, q, -p * e - q * f, r, s, -r * e - s * f];
}

/** The box of the picture that the frame covers, with some pixels more around it; undefined where there is none. */
function boundsIn({ size, matrix }: Frame, source: Size, more: number): Box | undefined {
  const [a, b, e, c, d, f] = inverse(matrix);
  const corners = [0, size.width].flatMap((u) => [0, size.height].map((v) => [a * u + b * v + e, c * u + d * v + f]));
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const left = Math.max(0, Math.floor(Math.min(...xs) - more));
  const top = Math.max(0, Math.floor(Math.min(...ys) - more));
  const width = Math.min(source.width, Math.ceil(Math.max(...xs) + more)) - left;
  const height = Math.min(source.height, Math.ceil(Math.max(...ys) + more)) - top;
  return width > 0 && height > 0 ? { top, left, width, height } : undefined;
}

/** What a generator sees. */
export interface Seen {
  /** [N,C,H,W] at the generator's size. */
  readonly image: Image;
  /** [1,1,H,W], 1 where there is no picture; absent where there is one everywhere. */
  readonly outside?: Mask;
}

/** `part`: what `placement` reads of a picture, at the size of its `inner`; `transparent` of that size says where it shows nothing. */
export function seenThrough(view: View, part: Image, source: Size, transparent?: Mask): Seen {
  if (view.isAligned) return turned(view, part, source, transparent);
  const { inner } = view.placement;
  const { size } = view.frame;
  const hasMargins = inner.height !== size.height || inner.width !== size.width;
  const image = padTo(part, size, inner);
  const margins = hasMargins ? outsideOf(size, inner) : undefined;
  const hidden = transparent && padTo(transparent, size, inner);
  const outside = hidden ? unionOf(hidden, margins) : margins;
  return outside ? { image, outside } : { image };
}

function turned({ frame, placement }: View, part: Image, source: Size, transparent: Mask | undefined): Seen {
  const { height, width } = frame.size;
  const { crop: box, inner } = placement;
  const [a, b, e, c, d, f] = inverse(frame.matrix);
  const [across, down] = [inner.width / box.width, inner.height / box.height];
  const toPart = [across * a, across * b, across * (e - box.left), down * c, down * d, down * (f - box.top)] as const;
  const whole = { top: 0, left: 0, height, width };
  const through = (image: Image): Image => {
    const map = { image, frame: { size: inner, inner, matrix: toPart } };
    const { count, channels } = shapeOf(image);
    const planes = Array.from({ length: count }, (_, n) => {
      const size = channels * inner.height * inner.width;
      const one = { ...image, dims: [1, ...image.dims.slice(1)], data: image.data.subarray(n * size, (n + 1) * size) };
      return sampleCubic({ ...map, image: one }, whole).data;
    });
    const out = zeros('float32', [count, channels, height, width]);
    planes.forEach((plane, n) => {
      out.data.set(plane, n * plane.length);
    });
    return out;
  };
  const hidden = transparent && through(transparent);
  const outside = zeros('float32', [1, 1, height, width]);
  for (let i = 0; i < outside.data.length; i++) {
    const [u, v] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
    const [x, y] = [a * u + b * v + e, c * u + d * v + f];
    const isBeyond = x < 0 || y < 0 || x > source.width || y > source.height;
    if (isBeyond || (hidden && hidden.data[i] > 0.5)) outside.data[i] = 1;
  }
  return outside.data.includes(1) ? { image: through(part), outside } : { image: through(part) };
}

/** Points along the side of a generator's pixel at which a mask is asked. */
const POINTS = 4;

/** A mask [N,1,h,w] of the picture's size as the generator sees it: the share of each pixel that is masked; 0 outside of the picture. */
export function maskThrough({ frame, placement, isAligned }: View, mask: Mask): Mask {
  if (!isAligned)
    return padTo(resize(crop(mask, placement.crop), placement.inner, 'area'), frame.size, placement.inner);
  const shape = shapeOf(mask);
  const { height, width } = frame.size;
  const [a, b, e, c, d, f] = inverse(frame.matrix);
  const out = float32(new Float32Array(shape.count * height * width), [shape.count, 1, height, width]);
  for (let i = 0; i < out.data.length; i++) {
    const [n, p] = [Math.floor(i / (height * width)), i % (height * width)];
    for (let k = 0; k < POINTS ** 2; k++) {
      const u = (p % width) + ((k % POINTS) + 0.5) / POINTS;
      const v = Math.floor(p / width) + (Math.floor(k / POINTS) + 0.5) / POINTS;
      const [x, y] = [Math.floor(a * u + b * v + e), Math.floor(c * u + d * v + f)];
      if (x < 0 || y < 0 || x >= shape.width || y >= shape.height) continue;
      out.data[i] += mask.data[(n * shape.height + y) * shape.width + x] / POINTS ** 2;
    }
  }
  return out;
}

/** The share of the picture that the generator does not see. */
export function unseenShare({ frame, placement, isAligned }: View, source: Size): number {
  const area = source.height * source.width;
  if (!isAligned) return 1 - (placement.crop.height * placement.crop.width) / area;
  const covered = frame.size.height * frame.size.width * scaleOf(frame) ** 2;
  return Math.max(0, 1 - covered / area);
}
