/**
 * The noise model of a linear generator, from good pictures that it has not learnt from: what is left of them where their best latents are
 * taken, place by place, and how much their likelihood has to be tempered so that hidden parts are filled best.
 */
import { choleskySolve } from '../arrays/cholesky.ts';
import { corrupt, FILLS } from '../images/corruptions.ts';
import { type Image, type Mask, visibilityOf } from '../images/image.ts';
import type { Region } from '../images/regions.ts';
import { type AffineMap, affineMapOf } from '../inversion/generator/affine-map.ts';
import { openGenerator } from '../inversion/generator/generator.ts';
import { NOISE_SHRINKAGE, type NoiseModel } from '../inversion/generator/noise-model.ts';
import {
  equationsAt,
  type GramProduct,
  gramProduct,
  wholeEquations,
} from '../inversion/solve/exact/normal-equations.ts';
import { dataTerms, factored, posteriorOf } from '../inversion/solve/exact/posterior.ts';
import type { Graph } from '../onnx/graph.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';

export interface NoiseOptions {
  /** Do all places look alike (crops of a texture), so that they share one deviation? */
  readonly isUniform: boolean;
}

/** Temperatures that are tried. */
const GRID = [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32];

/** Pictures that the temperature is chosen on at most. */
const JUDGED = 32;

/** No deviation is below an eighth of a grey level's rounding. */
const MIN_VARIANCE = (1 / 127.5 / 8) ** 2;

/** As little of a prior as leaves a picture to its projection. */
const PROJECTION = 1e-6;

/** Of the linear generator `graph` and pictures [n,C,H,W] that it has not learnt from; undefined where the graph is not affine. */
export async function measureNoise(
  graph: Graph,
  held: Image,
  runtime: Runtime,
  { isUniform }: NoiseOptions,
): Promise<NoiseModel | undefined> {
  const map = await affineMapOf(await openGenerator(graph, runtime), runtime);
  if (!map) return undefined;
  const product = await gramProduct(map, runtime);
  try {
    const flat = await wholeEquations(product, new Float64Array(map.values).fill(1));
    const variances = new Float64Array(map.values);
    const pictures = picturesOf(held, map);
    const latents = pictures.map(
      (x) => posteriorOf(map, flat, dataTerms(map, flat.weights, x), PROJECTION, MIN_VARIANCE).u,
    );
    const projected = await picturesAt(map, product, latents);
    pictures.forEach((x, n) => {
      x.forEach((value, i) => {
        variances[i] += (value - projected[n][i]) ** 2 / pictures.length;
      });
    });
    const shrunk = shrunkTo(variances, isUniform ? 1 : NOISE_SHRINKAGE);
    const whole = await wholeEquations(
      product,
      shrunk.map((v) => 1 / v),
    );
    const best = async (region: Region) => {
      const { mask } = corrupt(float32(held.data.subarray(0, map.values), [1, ...held.dims.slice(1)]), {
        region,
        fill: FILLS.constant,
      });
      const visibility = visibilityOf(mask).data;
      const weights = whole.weights.map((w, i) => w * visibility[i % visibility.length]);
      const { gram } = await equationsAt(product, [whole], weights);
      const shown = pictures.slice(0, JUDGED);
      const sides = shown.map((x) => dataTerms(map, weights, x).right);
      const errorAt = async (eta: number) => {
        const factor = factored(gram, map.unknowns, eta);
        const made = await picturesAt(
          map,
          product,
          sides.map((right) => choleskySolve(factor, map.unknowns, right)),
        );
        return shown.reduce((sum, x, i) => sum + logErrorIn(mask, x, made[i]), 0);
      };
      return bestOf(GRID, errorAt);
    };
    return {
      deviation: float32(Float32Array.from(shrunk, Math.sqrt), [1, ...held.dims.slice(1)]),
      temperature: {
        scattered: await best({ kind: 'random', share: 0.3 }),
        region: await best({ kind: 'block', share: 0.25 }),
      },
    };
  } finally {
    await product.dispose();
  }
}

function picturesOf(held: Image, { values }: AffineMap): Float32Array[] {
  return Array.from({ length: held.dims[0] }, (_, i) => held.data.subarray(i * values, (i + 1) * values));
}

/** A variance of few pictures is uncertain: drawn to the mean of all places by `share`. */
function shrunkTo(variances: Float64Array, share: number): Float64Array {
  const mean = variances.reduce((sum, v) => sum + v, 0) / variances.length;
  return variances.map((v) => Math.max(MIN_VARIANCE, share * mean + (1 - share) * v));
}

/** Logarithm of the square error in the mask. */
function logErrorIn({ data }: Mask, x: Float32Array, y: Float32Array): number {
  let error = 1e-12;
  for (let i = 0; i < x.length; i++) error += data[i % data.length] * (x[i] - y[i]) ** 2;
  return Math.log(error);
}

/** A u + b of several u, [values] each. */
async function picturesAt(
  { offset, values, unknowns }: AffineMap,
  product: GramProduct,
  latents: readonly Float64Array[],
): Promise<Float32Array[]> {
  const columns = latents.length;
  const v = new Float32Array(unknowns * columns);
  latents.forEach((u, n) => {
    u.forEach((value, i) => {
      v[i * columns + n] = value;
    });
  });
  const made = await product.picturesOf(v, columns);
  const pictures = latents.map(() => new Float32Array(values));
  for (let i = 0, at = 0; i < values; i++)
    for (let n = 0; n < columns; n++, at++) pictures[n][i] = offset[i] + made[at];
  return pictures;
}

async function bestOf(candidates: readonly number[], errorAt: (candidate: number) => Promise<number>): Promise<number> {
  const errors: number[] = [];
  for (const candidate of candidates) errors.push(await errorAt(candidate));
  return candidates[errors.indexOf(Math.min(...errors))];
}
