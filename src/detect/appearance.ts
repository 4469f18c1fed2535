/**
 * A picture as a whole: brightness, contrast and sharpness of each channel, compared with those of good pictures by their Mahalanobis
 * distance. A generator of many components follows a black, a dimmed or a blurred picture as far as its maps can tell; these few numbers
 * do not.
 */
import { inverseCholesky } from '../features/gaussian.ts';
import { type Image, shapeOf } from '../images/image.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { float32 } from '../onnx/tensor.ts';
import { scoreThreshold } from './thresholds.ts';

/** What a policy stores of good pictures; D = 3 C numbers describe a picture of C channels. */
export interface Appearance {
  /** Mean of each number, [D]. */
  readonly mean: readonly number[];
  /** Standard deviation of each, [D]. */
  readonly deviation: readonly number[];
  /** Lower triangle, row by row, of a matrix that makes the standardised numbers white: [D(D+1)/2]. */
  readonly whitening: readonly number[];
  /** The score of a picture at distance 1, in the map's units. */
  readonly unit: number;
}

/** What `fitAppearance` finds. */
export interface FittedAppearance {
  readonly appearance: Appearance;
  /** The limit of a picture's score. */
  readonly limit: number;
  /** Of the unseen pictures. */
  readonly scores: readonly number[];
}

/** One grey level, of [-1,1]; of logarithms a percent. */
const MIN_DEVIATION = 1 / 127.5;

/** The share of the false alarms of pictures that their appearance may cause: a tenth, so that maps keep theirs. */
const SHARE = 0.1;

/**
 * Brightness (mean), then the logarithm of contrast (deviation), then that of sharpness (root mean square of horizontal differences, as a share
 * of the contrast), channel by channel.
 */
export function describe(image: Image): Float64Array {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const numbers = new Float64Array(3 * channels);
  for (let c = 0; c < channels; c++) {
    const values = image.data.subarray(c * plane, (c + 1) * plane);
    const mean = values.reduce((sum, v) => sum + v, 0) / plane;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / plane;
    let change = 0;
    for (let p = 0; p < plane; p++) if (p % width > 0) change += (values[p] - values[p - 1]) ** 2;
    numbers[c] = mean;
    numbers[channels + c] = logOf(variance);
    numbers[2 * channels + c] = logOf(change / Math.max(1, height * (width - 1))) - logOf(variance);
  }
  return numbers;
}

function logOf(square: number): number {
  return Math.log(Math.sqrt(square) + MIN_DEVIATION);
}

/**
 * How far a picture is from the good ones, in units of the map. It is the picture's score where it is above the limit of scores, and no part of
 * it otherwise: whether a scratch is odd does not depend on the light.
 */
export function appearanceScore(image: Image, appearance: Appearance): number {
  return appearance.unit * distanceOf(describe(image), appearance);
}

/** |W (d - m) / s| / sqrt(D). */
function distanceOf(numbers: Float64Array, { mean, deviation, whitening }: Omit<Appearance, 'unit'>): number {
  const standard = numbers.map((v, i) => (v - mean[i]) / deviation[i]);
  let [sum, at] = [0, 0];
  for (let i = 0; i < standard.length; i++) {
    let value = 0;
    for (let j = 0; j <= i; j++) value += whitening[at++] * standard[j];
    sum += value * value;
  }
  return Math.sqrt(sum / standard.length);
}

/**
 * The appearance of good pictures, and the limit of their scores, which `rate` of them exceeds: their maps' scores, `mapScores`, and appearances
 * together. `folds`: the part of each of `unseen`, whose distances are by statistics of the other parts.
 */
export function fitAppearance(
  unseen: readonly Image[],
  seen: readonly Image[],
  folds: readonly number[],
  { mapScores, rate }: { readonly mapScores: readonly number[]; readonly rate: number },
): FittedAppearance {
  const [own, others] = [unseen.map(describe), seen.map(describe)];
  const parts = Array.from({ length: Math.max(...folds) + 1 }, (_, fold) =>
    gaussianOf([...own.filter((_, i) => folds[i] !== fold), ...others]),
  );
  const distances = own.map((numbers, i) => distanceOf(numbers, parts[folds[i]]));
  const furthest = Math.max(scoreThreshold(distances, SHARE * rate), 1e-6);
  const scoresAt = (unit: number) =>
    mapScores.map((score, i) => (distances[i] > furthest ? Math.max(score, unit * distances[i]) : score));
  // Whatever the unit, those beyond their limit are beyond all others.
  const limit = scoreThreshold(scoresAt(Math.max(...mapScores) / furthest), rate);
  const unit = limit / furthest;
  return { appearance: { ...gaussianOf([...own, ...others]), unit }, limit, scores: scoresAt(unit) };
}

function gaussianOf(rows: readonly Float64Array[]): Omit<Appearance, 'unit'> {
  const [count, size] = [rows.length, rows[0].length];
  const mean = Array.from(rows[0], (_, i) => rows.reduce((sum, row) => sum + row[i], 0) / count);
  const deviation = mean.map((m, i) =>
    Math.max(MIN_DEVIATION, Math.sqrt(rows.reduce((sum, row) => sum + (row[i] - m) ** 2, 0) / count)),
  );
  const correlation = new Float64Array((size * (size + 1)) / 2);
  for (let i = 0, at = 0; i < size; i++)
    for (let j = 0; j <= i; j++, at++)
      for (const row of rows)
        correlation[at] += (((row[i] - mean[i]) / deviation[i]) * ((row[j] - mean[j]) / deviation[j])) / count;
  // Of few pictures, or of numbers that go together, no direction is taken to be free of variance.
  for (let i = 0; i < size; i++) correlation[(i * (i + 3)) / 2] = 1 + size / count;
  return { mean, deviation, whitening: [...inverseCholesky(correlation, size)] };
}

const ASPECTS = [
  ['darker', 'brighter'],
  ['lower in contrast', 'higher in contrast'],
  ['less sharp', 'sharper'],
] as const;

/** Standard deviations from which on a difference is named. */
const NAMED = 4;

/** In words how the picture differs from the good ones as a whole: 'darker and lower in contrast'. */
export function appearanceInWords(image: Image, { mean, deviation }: Appearance): string {
  const standard = Array.from(describe(image), (v, i) => (v - mean[i]) / deviation[i]);
  const channels = standard.length / ASPECTS.length;
  const largest = ASPECTS.map((_, aspect) =>
    standard
      .slice(aspect * channels, (aspect + 1) * channels)
      .reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best)),
  );
  const least = Math.min(NAMED, Math.max(...largest.map(Math.abs)));
  const isNamed = largest.map((v) => Math.abs(v) >= least);
  // Noise alone decides how sharp a picture of little contrast looks.
  if (isNamed[1]) isNamed[2] = false;
  return largest.flatMap((v, aspect) => (isNamed[aspect] ? [ASPECTS[aspect][v > 0 ? 1 : 0]] : [])).join(' and ');
}

/** `appearanceScore` of pictures [N,C,H,W]: [N]. */
export function emitAppearanceScore(b: GraphBuilder, image: Value, channels: number, appearance: Appearance): Value {
  const { mean, deviation, whitening, unit } = appearance;
  const size = mean.length;
  const flat = (value: Value) => b.Reshape(value, [-1, channels]);
  const logOfSquare = (square: Value) => b.Log(b.Add(b.Sqrt(square), b.scalar(MIN_DEVIATION)));
  const brightness = b.ReduceMean(image, [2, 3]);
  const centred = b.Sub(image, brightness);
  const contrast = logOfSquare(b.ReduceMean(b.Mul(centred, centred), [2, 3]));
  const last = 2 ** 31 - 1;
  const change = b.Sub(b.Slice(image, [1], [last], [3]), b.Slice(image, [0], [-1], [3]));
  const sharpness = b.Sub(logOfSquare(b.ReduceMean(b.Mul(change, change), [2, 3])), contrast);
  const numbers = b.Concat([flat(brightness), flat(contrast), flat(sharpness)], 1);
  const full = new Float32Array(size * size);
  for (let i = 0, at = 0; i < size; i++)
    for (let j = 0; j <= i; j++) full[j * size + i] = whitening[at++] / deviation[j];
  const offset = b.Sub(numbers, b.constant(float32(mean, [1, size]), 'appearance'));
  const white = b.MatMul(offset, b.constant(float32(full, [size, size]), 'whitening'));
  const distance = b.Sqrt(b.ReduceMean(b.Mul(white, white), [1], false));
  return b.Mul(distance, b.scalar(unit));
}
