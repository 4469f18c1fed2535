/**
 * What a generator's pictures look like at thumbnail size: a Gaussian that is fitted to samples of it, so that thousands of frames of a picture can
 * be compared with it (the two distances of Moghaddam and Pentland 1997: within the space of the samples, and from it).
 */
import { choleskyFactor, choleskyInverse, choleskySolve } from '../../arrays/cholesky.ts';
import { dot, quadraticForm } from '../../arrays/vectors.ts';
import { imageAt } from '../../images/image.ts';
import { resize } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Shorter side of a thumbnail, in pixels. */
export const THUMBNAIL = 16;

/** Samples that the Gaussian is fitted to, and directions of it that are kept. */
const SAMPLES = 384;
const DIRECTIONS = 40;
/** Samples that go through G together. */
const TOGETHER = 16;
/** Rounds of the subspace iteration that finds the directions. */
const ITERATIONS = 4;
/** The smallest standard deviation beside the directions: six grey levels, of sensors and of resampling. */
const MIN_DEVIATION = 6 / 127.5;

export interface Sketch {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** [C,H,W] */
  readonly mean: Float64Array;
  readonly directions: number;
  /** Orthonormal columns, [values, directions]. */
  readonly basis: Float64Array;
  /** Inverse covariance of the coefficients, [directions, directions]. */
  readonly precision: Float64Array;
  /** Variance beside the directions. */
  readonly variance: number;
}

export async function sketchOf(generator: Generator, runtime: Runtime): Promise<Sketch> {
  const shorter = Math.min(generator.height, generator.width);
  const [height, width] = [generator.height, generator.width].map((side) => Math.round((side * THUMBNAIL) / shorter));
  const rows = await thumbnails(generator, runtime, { height, width });
  const values = rows[0].length;
  const mean = new Float64Array(values);
  for (const row of rows) for (let i = 0; i < values; i++) mean[i] += row[i] / rows.length;
  for (const row of rows) for (let i = 0; i < values; i++) row[i] -= mean[i];
  const basis = leadingDirections(rows, Math.min(DIRECTIONS, values, rows.length));
  const k = basis.length;
  const covariance = new Float64Array(k * k);
  let left = 0;
  for (const row of rows) {
    const c = Float64Array.from(basis, (direction) => dot(direction, row));
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) covariance[i * k + j] += (c[i] * c[j]) / rows.length;
    left += Math.max(0, dot(row, row) - dot(c, c)) / (rows.length * Math.max(1, values - k));
  }
  const variance = Math.max(left, MIN_DEVIATION ** 2);
  for (let i = 0; i < k; i++) covariance[i * k + i] += variance;
  const columns = columnsOf(basis);
  return {
    channels: generator.channels,
    height,
    width,
    mean,
    directions: k,
    basis: columns,
    precision: choleskyInverse(choleskyFactor(covariance, k)!, k),
    variance,
  };
}

/** What a thumbnail without any structure is: a quadratic surface for each channel. */
export function smoothSketch({ channels, height, width, variance }: Sketch): Sketch {
  const plane = height * width;
  const surfaces = [0, 1, 2].flatMap((a) => [0, 1, 2].filter((b) => a + b <= 2).map((b) => [a, b]));
  const basis = Array.from({ length: channels }, (_, c) =>
    orthonormal(
      surfaces.map(([a, b]) => {
        const surface = new Float64Array(channels * plane);
        for (let p = 0; p < plane; p++)
          surface[c * plane + p] = (Math.floor(p / width) / height - 0.5) ** a * ((p % width) / width - 0.5) ** b;
        return surface;
      }),
    ),
  ).flat();
  const mean = new Float64Array(channels * plane);
  const directions = basis.length;
  const precision = new Float64Array(directions ** 2);
  return { channels, height, width, mean, directions, basis: columnsOf(basis), precision, variance };
}

async function thumbnails(generator: Generator, runtime: Runtime, size: { height: number; width: number }) {
  const session = await runtime.session(encodeModel(generator.graph));
  const random = randomFrom(0);
  const rows: Float64Array[] = [];
  try {
    while (rows.length < SAMPLES) {
      const count = generator.batch === 'any' ? TOGETHER : generator.batch;
      const made = (await session.run(await generator.draw(count, random), [generator.output])).get(generator.output)!;
      const images = float32(float32Data(made), made.dims);
      for (let i = 0; i < made.dims[0]; i++) rows.push(Float64Array.from(resize(imageAt(images, i), size).data));
    }
  } finally {
    await session.dispose();
  }
  return rows;
}

/** An orthonormal basis of the directions in which rows vary most, by subspace iteration. */
function leadingDirections(rows: readonly Float64Array[], count: number): Float64Array[] {
  const random = randomFrom(1);
  let basis = orthonormal(Array.from({ length: count }, () => Float64Array.from(random.normals(rows[0].length))));
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    basis = orthonormal(
      basis.map((direction) => {
        const next = new Float64Array(direction.length);
        for (const row of rows) {
          const factor = dot(row, direction);
          for (let i = 0; i < next.length; i++) next[i] += factor * row[i];
        }
        return next;
      }),
    );
  }
  return basis;
}

/** Gram and Schmidt, in place. */
function orthonormal(vectors: Float64Array[]): Float64Array[] {
  vectors.forEach((vector, k) => {
    for (let pass = 0; pass < 2; pass++) {
      for (const before of vectors.slice(0, k)) {
        const factor = dot(before, vector);
        for (let i = 0; i < vector.length; i++) vector[i] -= factor * before[i];
      }
    }
    const length = Math.max(Math.sqrt(dot(vector, vector)), 1e-12);
    for (let i = 0; i < vector.length; i++) vector[i] /= length;
  });
  return vectors;
}

/** Vectors as the columns of a matrix, row by row. */
function columnsOf(vectors: readonly Float64Array[]): Float64Array {
  const k = vectors.length;
  return Float64Array.from({ length: k * vectors[0].length }, (_, i) => vectors[i % k][Math.floor(i / k)]);
}

/** Squared distance of a thumbnail [C,H,W] from the Gaussian, for each of its values: about 1 for a sample. */
export function distanceOf({ mean, basis, directions, precision, variance }: Sketch, thumbnail: Float64Array): number {
  const c = new Float64Array(directions);
  let square = 0;
  for (let i = 0, at = 0; i < thumbnail.length; i++, at += directions) {
    const d = thumbnail[i] - mean[i];
    square += d * d;
    for (let a = 0; a < directions; a++) c[a] += d * basis[at + a];
  }
  const beside = Math.max(0, square - dot(c, c)) / variance;
  return (quadraticForm(precision, c) + beside) / thumbnail.length;
}

/** Squared deviations from which on a pixel counts as damage, and what it then costs. */
const DAMAGE = 9;
const ROUNDS = 6;

/** The same where pixels may be damaged: each costs `DAMAGE` at most. Reweighted least squares with truncated costs. */
export function robustDistanceOf(sketch: Sketch, thumbnail: Float64Array): number {
  const { channels, mean, basis, directions: k, precision, variance } = sketch;
  const plane = mean.length / channels;
  const d = thumbnail.map((v, i) => v - mean[i]);
  let weights = new Float64Array(plane).fill(1);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const matrix = precision.slice();
    const right = new Float64Array(k);
    for (let i = 0, at = 0; i < d.length; i++, at += k) {
      const w = weights[i % plane] / variance;
      if (w === 0) continue;
      for (let a = 0; a < k; a++) {
        const wa = w * basis[at + a];
        right[a] += wa * d[i];
        for (let b = 0; b <= a; b++) matrix[a * k + b] += wa * basis[at + b];
      }
    }
    const factor = choleskyFactor(matrix, k);
    if (!factor) return best;
    const c = choleskySolve(factor, k, right);
    const costs = new Float64Array(plane);
    for (let i = 0, at = 0; i < d.length; i++, at += k) {
      let r = d[i];
      for (let a = 0; a < k; a++) r -= c[a] * basis[at + a];
      costs[i % plane] += r ** 2 / (variance * channels);
    }
    let sum = quadraticForm(precision, c) / channels;
    for (let p = 0; p < plane; p++) sum += Math.min(costs[p], DAMAGE);
    best = Math.min(best, sum / plane);
    // From a soft weight to the truncated one.
    const width = DAMAGE * 2 ** (ROUNDS - 2 - round);
    weights = costs.map((cost) => (round < ROUNDS - 2 ? 1 / (1 + cost / width) ** 2 : Number(cost < DAMAGE)));
  }
  return best;
}
