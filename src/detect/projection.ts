/**
 * Inversion of a generator that is affine in its latents, G(u) = A u + b with u ~ N(0,I), without a search: RGI's alternation in closed form.
 * For a given mask M the pixels it covers are replaced by G(u), and
 *     u = (A'A + s^2 I)^-1 A' (x' - b),    x' = M G(u) + (1 - M) x,
 * which is the posterior mean under noise of deviation s; for a given u the best exact mask is M = [RMS of the residual's channels > t].
 * A fixed number of such rounds (expectation maximisation on the masked pixels, over-relaxed) is two matrix products each. With no rounds
 * it is the projection on the components, shrunk by the prior.
 */

import { choleskyInverse } from '../arrays/cholesky.ts';
import { RgiError } from '../errors.ts';
import { clip, type Image } from '../images/image.ts';
import { type AffineMap, affineMapOf } from '../inversion/generator/affine-map.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { factored } from '../inversion/solve/exact/posterior.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import type { Runtime, Session } from '../runtime/runtime.ts';
import type { ProjectionSettings } from './policy.ts';

/** Inverts pictures by projection, with any settings. */
export interface Projection {
  /** G(u), clipped to [-1,1], of pictures [n,C,H,W] of the generator's size. */
  project(images: Image, settings: ProjectionSettings): Promise<Image>;
  /** Frees its sessions. */
  dispose(): Promise<void>;
}

/** Opens it; undefined where the generator is not affine in its latents, or its matrix would be too large. */
export async function openProjection(generator: Generator, runtime: Runtime): Promise<Projection | undefined> {
  const map = await affineMapOf(generator, runtime);
  if (!map) return undefined;
  const gram = await gramOf(map, runtime);
  const sessions = new Map<number, Promise<Session>>();
  const shrinkages = new Map<number, Tensor>();
  return {
    async project(images, { thresholdGrey, noiseGrey, rounds }) {
      const session = sessions.get(rounds) ?? runtime.session(encodeModel(projectionGraph(generator, map, rounds)));
      sessions.set(rounds, Promise.resolve(session));
      const shrinkage = shrinkages.get(noiseGrey) ?? shrinkageOf(gram, map.unknowns, noiseGrey / 127.5);
      shrinkages.set(noiseGrey, shrinkage);
      const feeds = new Map<string, Tensor>([
        ['image', images],
        ['shrinkage', shrinkage],
        ['limit', float32([maskLimit({ thresholdGrey })], [1, 1, 1])],
      ]);
      const made = (await (await session).run(feeds)).get('restored')!;
      return clip(float32(float32Data(made), images.dims));
    },
    async dispose() {
      for (const session of sessions.values()) await (await session).dispose();
    },
  };
}

/** What a policy in closed form is refused with where `openProjection` opens nothing. */
export function notAffine(): RgiError {
  return new RgiError(
    'model',
    'The policy inverts its generator in closed form, and this generator is not affine in its latents; calibrate again.',
  );
}

/** By how much a round goes beyond its own answer; 1: not at all. The alternation alone is slow where much is masked. */
const RELAXATION = 1.6;

/** `image` [N,C,H,W], `shrinkage` [k,k] and `limit`, a squared residual, to `restored`. */
function projectionGraph(generator: Generator, map: AffineMap, rounds: number): Graph {
  const { channels, height, width } = generator;
  const b = new GraphBuilder();
  for (const name of ['image', 'shrinkage', 'limit', 'restored']) b.reserve(name);
  const made = emitProjection(b, 'image', generator, map, { shrinkage: 'shrinkage', limit: 'limit', rounds });
  b.node('Identity', [made], {}, ['restored']);
  const info = (name: string, dims: ValueInfo['dims']): ValueInfo => ({ name, type: 'float32', dims });
  return b.graph(
    'projection',
    [
      info('image', ['N', channels, height, width]),
      info('shrinkage', [map.unknowns, map.unknowns]),
      info('limit', [1, 1, 1]),
    ],
    [info('restored', ['N', channels, height, width])],
  );
}

/** What the rounds are made with, as values of the graph. */
export interface ProjectionValues {
  /** (A'A + s^2 I)^-1, [unknowns, unknowns]. */
  readonly shrinkage: Value;
  /** t^2: the mean square of a pixel's channels above which it is masked; broadcasts to [N,1,H W]. */
  readonly limit: Value;
  readonly rounds: number;
}

/** G(u) of pictures [N,C,H,W], not clipped. */
export function emitProjection(
  b: GraphBuilder,
  image: Value,
  { channels, height, width }: Pick<Generator, 'channels' | 'height' | 'width'>,
  { matrix, offset, values, unknowns }: Pick<AffineMap, 'matrix' | 'offset' | 'values' | 'unknowns'>,
  { shrinkage, limit, rounds }: ProjectionValues,
): Value {
  const a = b.constant(float32(matrix, [values, unknowns]), 'matrix');
  const base = b.constant(float32(offset, [1, values]), 'offset');
  const planes = (x: Value) => b.Reshape(x, [-1, channels, height * width]);
  const fitted = (x: Value) => b.Gemm(b.MatMul(b.MatMul(x, a), shrinkage), a, undefined, { transB: true });
  const centred = b.Sub(b.Reshape(image, [-1, values]), base);
  let made = fitted(centred);
  for (let round = 0; round < rounds; round++) {
    const residual = planes(b.Sub(centred, made));
    const masked = b.Greater(b.ReduceMean(b.Mul(residual, residual), [1]), limit);
    const next = fitted(b.Reshape(b.Where(masked, planes(made), planes(centred)), [-1, values]));
    made = b.Add(made, b.Mul(b.scalar(RELAXATION), b.Sub(next, made)));
  }
  return b.Reshape(b.Add(made, base), [-1, channels, height, width]);
}

/** The matrix of a projection with these settings. */
export async function projectionShrinkage(
  map: AffineMap,
  { noiseGrey }: Pick<ProjectionSettings, 'noiseGrey'>,
  runtime: Runtime,
): Promise<Tensor> {
  return shrinkageOf(await gramOf(map, runtime), map.unknowns, noiseGrey / 127.5);
}

/** The square of a policy's threshold, in units of [-1,1]. */
export function maskLimit({ thresholdGrey }: Pick<ProjectionSettings, 'thresholdGrey'>): number {
  return (thresholdGrey / 127.5) ** 2;
}

/** A'A, [unknowns, unknowns]. */
async function gramOf({ matrix, values, unknowns }: AffineMap, runtime: Runtime): Promise<Float32Array> {
  const b = new GraphBuilder();
  for (const name of ['a', 'gram']) b.reserve(name);
  b.node('Identity', [b.Gemm('a', 'a', undefined, { transA: true })], {}, ['gram']);
  const input: ValueInfo = { name: 'a', type: 'float32', dims: [values, unknowns] };
  const output: ValueInfo = { name: 'gram', type: 'float32', dims: [unknowns, unknowns] };
  const session = await runtime.session(encodeModel(b.graph('gram', [input], [output])));
  try {
    return float32Data((await session.run(new Map([['a', float32(matrix, [values, unknowns])]]))).get('gram')!);
  } finally {
    await session.dispose();
  }
}

/** (A'A + s^2 I)^-1; s no smaller than keeps the factorisation in single precision's reach of A'A. */
function shrinkageOf(gram: Float32Array, n: number, deviation: number): Tensor {
  const a = Float64Array.from(gram);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i];
  const ridge = Math.max(deviation ** 2, (1e-6 * trace) / n);
  return float32(Float32Array.from(choleskyInverse(factored(a, n, ridge), n)), [n, n]);
}

/** Pictures that are projected together. */
export const PROJECTED_TOGETHER = 16;
