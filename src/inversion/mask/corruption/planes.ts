/** What the model of corruption knows of a picture from the start: residuals, and what their scale may depend on. */
import { RgiError } from '../../../errors.ts';
import { type Image, type Mask, shapeOf } from '../../../images/image.ts';
import { type Lattice, latticeOf } from './lattice.ts';

/** A picture, its reconstruction and their residuals as planes of double precision, [C,H,W] and [H,W]. */
export interface Planes {
  readonly channels: number;
  /** Pixels of a plane. */
  readonly size: number;
  readonly lattice: Lattice;
  /** The picture, [C,H,W]. */
  readonly x: Float64Array;
  /** Picture minus reconstruction, [C,H,W]; 0 without data. */
  readonly residual: Float64Array;
  /** What the variance at each pixel is a weighted sum of, [H,W] each. */
  readonly features: readonly Float64Array[];
  /** A number for each pixel's value in 8 bits, and how many numbers there are. */
  readonly values: { readonly of: Int32Array; readonly count: number };
  /** 1 where there is data. */
  readonly seen: Uint8Array;
  /** 1 where the mask is to be found; elsewhere it is `given`. */
  readonly open: Uint8Array;
  /** 1 without data and where hidden, 0 where kept. */
  readonly given: Uint8Array;
}

/** Which terms the scale of noise has beside a constant. */
export interface ScaleTerms {
  /** The squared gradient of the reconstruction: an edge that is displaced by part of a pixel. */
  readonly displacement: boolean;
  /** The reconstruction's squared distance from black: what shines, varies. */
  readonly brightness: boolean;
}

/** What is known of the mask beforehand, each [1,1,H,W], 1 = yes. */
export interface KnownMask {
  /** There is no data: masked, and says nothing of the rest. Pixels that are not finite are missing, too. */
  readonly missing?: Mask;
  /** Known to be intact. */
  readonly keep?: Mask;
  /** Known to be corrupted. */
  readonly hide?: Mask;
}

/** Throws `input` where shapes differ, or a pixel is to be kept and hidden. */
export function planesOf(
  picture: Image,
  reconstruction: Image,
  known: KnownMask,
  terms: ScaleTerms,
  noise?: Image,
): Planes {
  const { channels, height, width } = shapeOf(picture);
  const size = height * width;
  checkShapes(picture, reconstruction, known, noise);
  const x = Float64Array.from(picture.data);
  const y = Float64Array.from(reconstruction.data);
  const { seen, open, given } = openPixels(x, channels, size, known);
  const residual = x.map((v, i) => (seen[i % size] === 1 ? v - y[i] : 0));
  const constant = noise ? meanSquare(noise, size) : new Float64Array(size).fill(1);
  const features = [constant, ...scaleFeatures(y, channels, height, width, terms)];
  const lattice = latticeOf(height, width);
  return { channels, size, lattice, x, residual, features, values: valuesOf(x, channels, size), seen, open, given };
}

function checkShapes(picture: Image, reconstruction: Image, { missing, keep, hide }: KnownMask, noise?: Image): void {
  const { count, channels, height, width } = shapeOf(picture);
  const expect = (image: Image | undefined, what: string, allowed: readonly number[]) => {
    if (!image || allowed.some((c) => image.dims.join() === [1, c, height, width].join())) return;
    const wanted = allowed.map((c) => `[1, ${c}, ${height}, ${width}]`).join(' or ');
    throw new RgiError(
      'input',
      `The ${what} is [${image.dims.join(', ')}]; it has to be ${wanted}, as the picture is.`,
    );
  };
  if (count !== 1) throw new RgiError('input', `Corruption is inferred of one picture at a time, not of ${count}.`);
  expect(reconstruction, 'reconstruction', [channels]);
  expect(missing, "mask 'missing'", [1]);
  expect(keep, "mask 'keep'", [1]);
  expect(hide, "mask 'hide'", [1]);
  expect(noise, 'noise', [1, channels]);
}

function openPixels(x: Float64Array, channels: number, size: number, { missing, keep, hide }: KnownMask) {
  const seen = new Uint8Array(size).fill(1);
  const open = new Uint8Array(size).fill(1);
  const given = new Uint8Array(size);
  const isIn = (mask: Mask | undefined, p: number) => mask !== undefined && mask.data[p] > 0.5;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < channels; c++) if (!Number.isFinite(x[c * size + p])) seen[p] = 0;
    if (isIn(missing, p)) seen[p] = 0;
    if (isIn(keep, p) && isIn(hide, p))
      throw new RgiError('input', 'A pixel is both to be kept and to be hidden: the two masks must not overlap.');
    if (seen[p] === 0 || isIn(hide, p)) given[p] = 1;
    if (given[p] === 1 || isIn(keep, p)) open[p] = 0;
  }
  return { seen, open, given };
}

function valuesOf(x: Float64Array, channels: number, size: number): Planes['values'] {
  const numbers = new Map<number, number>();
  const of = new Int32Array(size);
  for (let p = 0; p < size; p++) {
    let key = 0;
    // Eleven bits a channel: values beyond the range have their own.
    for (let c = 0; c < channels; c++) key = 2048 * key + Math.round(127.5 * x[c * size + p]) + 1024;
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
    }
    of[p] = number;
  }
  return { of, count: numbers.size };
}

/** Of standard deviations [1,1|C,H,W], the variance at each pixel. */
function meanSquare(noise: Image, size: number): Float64Array {
  const variance = new Float64Array(size);
  const channels = noise.data.length / size;
  noise.data.forEach((s, i) => {
    variance[i % size] += s ** 2 / channels;
  });
  return variance;
}

function scaleFeatures(
  y: Float64Array,
  channels: number,
  height: number,
  width: number,
  { displacement, brightness }: ScaleTerms,
): Float64Array[] {
  const size = height * width;
  const slope = new Float64Array(size);
  const bright = new Float64Array(size);
  for (let c = 0; c < channels; c++) {
    const plane = y.subarray(c * size, (c + 1) * size);
    for (let p = 0; p < size; p++) {
      const [row, column] = [Math.floor(p / width), p % width];
      const across = plane[column < width - 1 ? p + 1 : p] - plane[column > 0 ? p - 1 : p];
      const down = plane[row < height - 1 ? p + width : p] - plane[row > 0 ? p - width : p];
      slope[p] += (across ** 2 + down ** 2) / (4 * channels);
      bright[p] += (plane[p] + 1) ** 2 / channels;
    }
  }
  return [...(displacement ? [slope] : []), ...(brightness ? [bright] : [])];
}
