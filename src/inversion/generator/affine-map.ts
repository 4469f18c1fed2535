/**
 * A generator that is affine in its latents, as a matrix: G(z) = A u + b with z = mean + deviation u, so that the prior of u is N(0, I).
 * That it is affine is found in its graph (`passes/affine`) and confirmed by numbers; the matrix is what G makes of unit vectors.
 */
import { splitModel } from '../../onnx/encode.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { firstObstacle } from '../../passes/affine.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { Generator } from './generator.ts';

/** An affine generator as a matrix. */
export interface AffineMap {
  /** A, [values, unknowns] row-major; the values are those of one picture, [C,H,W]. */
  readonly matrix: Float32Array;
  /** b, [values]. */
  readonly offset: Float32Array;
  /** C * H * W. */
  readonly values: number;
  /** Numbers of all latents together. */
  readonly unknowns: number;
  /** The latents of u [unknowns], [1, ...dims] each, by input name. */
  latentsOf(u: Float64Array): Map<string, Tensor>;
}

/** A larger matrix (numbers) is not drawn out: 256 MiB. */
const MAX_NUMBERS = 2 ** 26;
/** More unknowns are not solved for at once: their factorisation would take seconds. */
const MAX_UNKNOWNS = 2048;

/** Unit vectors that go through G together. */
const TOGETHER = 32;

/** Largest relative deviation of G(p) + G(q) - G(0) from G(p + q): rounding of float32 through a few layers. */
const MAX_DEVIATION = 1e-4;

/** The generator as a matrix; undefined where it is not affine in its latents, or too large for it. */
export async function affineMapOf(generator: Generator, runtime: Runtime): Promise<AffineMap | undefined> {
  const { graph, output, latents, channels, height, width } = generator;
  const values = channels * height * width;
  const unknowns = latents.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  if (unknowns > MAX_UNKNOWNS || values * unknowns > MAX_NUMBERS) return undefined;
  const names = latents.map(({ name }) => name);
  if (firstObstacle(graph, names, output) !== undefined) return undefined;
  const session = await runtime.session(splitModel(graph));
  try {
    const made = (rows: readonly Float64Array[]) => run(generator, session, rows);
    if (!(await isAffine(made, unknowns, values))) return undefined;
    return { ...(await drawnOut(made, unknowns, values)), values, unknowns, latentsOf: (u) => latentsOf(generator, u) };
  } finally {
    await session.dispose();
  }
}

type Made = (rows: readonly Float64Array[]) => Promise<Float32Array>;

async function isAffine(made: Made, unknowns: number, values: number): Promise<boolean> {
  const random = randomFrom(0);
  const [p, q] = [0, 1].map(() => Float64Array.from(random.normals(unknowns)));
  const all = await made([new Float64Array(unknowns), p, q, p.map((v, i) => v + q[i])]);
  let [deviation, scale] = [0, 0];
  for (let i = 0; i < values; i++) {
    const [zero, first, second, sum] = [0, 1, 2, 3].map((row) => all[row * values + i]);
    deviation = Math.max(deviation, Math.abs(first + second - zero - sum));
    scale = Math.max(scale, Math.abs(zero), Math.abs(first), Math.abs(second));
  }
  return deviation <= MAX_DEVIATION * scale;
}

async function drawnOut(made: Made, unknowns: number, values: number): Promise<Pick<AffineMap, 'matrix' | 'offset'>> {
  const matrix = new Float32Array(values * unknowns);
  const offset = await made([new Float64Array(unknowns)]);
  for (let from = 0; from < unknowns; from += TOGETHER) {
    const count = Math.min(TOGETHER, unknowns - from);
    const rows = Array.from({ length: count }, (_, i) => {
      const unit = new Float64Array(unknowns);
      unit[from + i] = 1;
      return unit;
    });
    const all = await made(rows);
    for (let v = 0; v < values; v++) {
      for (let i = 0; i < count; i++) matrix[v * unknowns + from + i] = all[i * values + v] - offset[v];
    }
  }
  return { matrix, offset };
}

/** G of some u, [rows, values]; a fixed batch is filled up with the last of them. */
async function run(generator: Generator, session: Session, rows: readonly Float64Array[]): Promise<Float32Array> {
  const { batch, output, channels, height, width } = generator;
  const size = batch === 'any' ? rows.length : batch;
  const values = channels * height * width;
  const made = new Float32Array(rows.length * values);
  for (let from = 0; from < rows.length; from += size) {
    const part = Array.from({ length: size }, (_, i) => rows[Math.min(rows.length - 1, from + i)]);
    const parts = part.map((u) => latentsOf(generator, u));
    const feeds = generator.latents.map(({ name, dims }): [string, Tensor] => {
      const data = new Float32Array(size * sizeOf(dims));
      parts.forEach((one, i) => {
        data.set(float32Data(one.get(name)!), i * sizeOf(dims));
      });
      return [name, float32(data, [size, ...dims])];
    });
    const images = float32Data((await session.run(new Map(feeds), [output])).get(output)!);
    made.set(images.subarray(0, Math.min(images.length, made.length - from * values)), from * values);
  }
  return made;
}

/** z = mean + deviation u of each latent. */
function latentsOf({ latents, moments }: Generator, u: Float64Array): Map<string, Tensor> {
  let from = 0;
  return new Map(
    latents.map(({ name, dims }): [string, Tensor] => {
      const size = sizeOf(dims);
      const { mean, deviation } = moments.get(name)!;
      const at = (data: Float32Array, i: number) => data[data.length === 1 ? 0 : i];
      const data = Float32Array.from(
        { length: size },
        (_, i) => at(mean.data, i) + at(deviation.data, i) * u[from + i],
      );
      from += size;
      return [name, float32(data, [1, ...dims])];
    }),
  );
}
