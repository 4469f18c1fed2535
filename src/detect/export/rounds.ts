/**
 * What a policy in closed form says of its rounds, as numbers of the graph. The policy is asked by its fields: `rounds` is what tells it
 * from one that searches.
 */
import { choleskyFactor, choleskySolve } from '../../arrays/cholesky.ts';
import { RgiError } from '../../errors.ts';
import { type AffineMap, affineMapOf } from '../../inversion/generator/affine-map.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { ValueInfo } from '../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ProjectionRounds } from './projection.ts';

/** Inversion in closed form, as a policy stores it. */
export interface ClosedFormSettings {
  /** Residual (root mean square of the channels), in grey levels, at which a pixel is masked. */
  readonly thresholdGrey: number;
  /** Deviation of the residuals of good pixels, in grey levels: the weight of the prior. */
  readonly noiseGrey: number;
  /** Times that the mask is found. */
  readonly rounds: number;
}

/** Is it in closed form? */
export function isClosedForm(settings: object): settings is ClosedFormSettings {
  return 'rounds' in settings;
}

/** By how much a round goes beyond its own answer: the alternation alone is slow where much is masked. */
const RELAXATION = 1.6;

/** The generator as a matrix, and the rounds. Throws `model` where it is not affine in its latents. */
export async function closedForm(
  generator: Generator,
  { thresholdGrey, noiseGrey, rounds }: ClosedFormSettings,
  runtime: Runtime,
): Promise<{ readonly map: AffineMap; readonly made: ProjectionRounds }> {
  const map = await affineMapOf(generator, runtime);
  if (!map)
    throw new RgiError(
      'model',
      'The policy inverts its generator in closed form, and this generator is not affine in its latents; calibrate again.',
    );
  const shrinkage = shrinkageOf(await gramOf(map, runtime), map.unknowns, noiseGrey / 127.5);
  return { map, made: { shrinkage, limit: (thresholdGrey / 127.5) ** 2, rounds, relaxation: RELAXATION } };
}

/** A^T A, [unknowns, unknowns]. */
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

/** (A^T A + s^2 I)^-1; s no smaller than keeps the factorisation in single precision's reach of A^T A. */
function shrinkageOf(gram: Float32Array, n: number, deviation: number): Tensor<'float32'> {
  const a = Float64Array.from(gram);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i];
  const ridge = Math.max(deviation ** 2, (1e-6 * trace) / n);
  for (let i = 0; i < n; i++) a[i * n + i] += ridge;
  const factor = choleskyFactor(a, n)!;
  const inverse = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    const unit = new Float64Array(n);
    unit[i] = 1;
    inverse.set(choleskySolve(factor, n, unit), i * n);
  }
  return float32(inverse, [n, n]);
}
