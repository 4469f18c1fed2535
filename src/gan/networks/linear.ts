/**
 * The linear generator in closed form: G(z) = mean + W z with z ~ N(0,I), W = eigenvectors times the roots of the
 * eigenvalues of the pictures' covariance (principal components). RGI on it is robust regression on a subspace.
 *
 * The components come from the Gram matrix of the centred pictures where they are few, else from the covariance in a
 * random subspace (Halko, Martinsson and Tropp 2011, with power iterations).
 */
import { choleskyFactor, solveLower } from '../../arrays/cholesky.ts';
import { RgiError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { symmetricEigen } from './eigen.ts';
import { BATCH } from './layers.ts';

export interface LinearModel {
  readonly generator: Graph;
  readonly encoder: Graph;
  /** G(z) = z weight + mean, [k, values] and [values]; z = x inverse + offset, [values, k] and [k]. */
  readonly weight: Tensor<'float32'>;
  readonly mean: Tensor<'float32'>;
  readonly inverse: Tensor<'float32'>;
  readonly offset: Tensor<'float32'>;
  /** Variance per value that the components leave out. */
  readonly residual: number;
  /** Variances along the components, falling. */
  readonly eigenvalues: readonly number[];
  /** The share of the pictures' variance that the components hold. */
  readonly explained: number;
}

/**
 * Components where nothing is said. More of them reach more of a picture, and their prior keeps them from what they should not
 * draw; of few pictures the last ones are noise.
 */
export function componentsFor(kind: 'object' | 'crops', pictures: number): number {
  return kind === 'crops' ? 128 : Math.max(1, Math.min(256, pictures >> 1));
}

/** Rows beyond the components wanted, and power iterations, of the random subspace. */
const OVERSAMPLING = 16;
const POWERS = 3;

/** Share of the largest eigenvalue below which one is rounding in single precision. */
const ROUNDING = 1e-9;

/** The linear generator of `latent` components from `images` [n,C,H,W] in [-1,1]; large products run on `runtime`. */
export async function fitLinear(images: Tensor, latent: number, runtime: Runtime, seed = 0): Promise<LinearModel> {
  const [n, channels, height, width] = images.dims;
  const values = channels * height * width;
  if (n < 2) throw new RgiError('input', `A linear generator needs at least two pictures, not ${n}.`);
  const k = Math.min(latent, n - 1, values);
  const x = float32Data(images);
  const mean = new Float64Array(values);
  for (let i = 0; i < n; i++) for (let j = 0; j < values; j++) mean[j] += x[i * values + j] / n;
  const centred = new Float32Array(n * values);
  let total = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < values; j++) {
      const v = x[i * values + j] - mean[j];
      centred[i * values + j] = v;
      total += v * v;
    }
  }
  const multiply = await products(runtime);
  try {
    const rank = Math.min(n, values, k + OVERSAMPLING);
    // Rows of `basis` [rank, values] span the directions of most variance; all of them if the pictures are few.
    const basis = n <= rank ? centred : await subspace(centred, n, values, rank, multiply, seed);
    const rows = basis.length / values;
    const scores = await multiply(centred, [n, values], basis, [rows, values], false, true);
    // In a random subspace the basis is orthonormal; of the pictures themselves, the Gram matrix takes its place.
    const gram = n <= rank ? scores : await multiply(scores, [n, rows], scores, [n, rows], true, false);
    const { values: eigen, vectors } = symmetricEigen(Float64Array.from(gram), rows);
    const coefficients = new Float32Array(k * rows);
    for (let c = 0; c < k; c++) {
      const scale = n <= rank ? 1 / Math.sqrt(Math.max(eigen[c], 1e-20)) : 1;
      for (let r = 0; r < rows; r++) coefficients[c * rows + r] = vectors[c * rows + r] * scale;
    }
    const components = await multiply(coefficients, [k, rows], basis, [rows, values], false, false);
    const variances = Array.from({ length: k }, (_, c) => (eigen[c] > ROUNDING * eigen[0] ? eigen[c] : 0) / (n - 1));
    const weight = new Float32Array(k * values);
    const inverse = new Float32Array(values * k);
    for (let c = 0; c < k; c++) {
      const deviation = Math.sqrt(variances[c]);
      for (let j = 0; j < values; j++) {
        weight[c * values + j] = components[c * values + j] * deviation;
        inverse[j * k + c] = deviation > 0 ? components[c * values + j] / deviation : 0;
      }
    }
    const bias = new Float32Array(k);
    for (let j = 0; j < values; j++) for (let c = 0; c < k; c++) bias[c] -= mean[j] * inverse[j * k + c];
    const inside = variances.reduce((a, v) => a + v, 0);
    const whole = Math.max(total / (n - 1), 1e-30);
    const parts = {
      weight: float32(weight, [k, values]),
      mean: float32(Float32Array.from(mean)),
      inverse: float32(inverse, [values, k]),
      offset: float32(bias),
    };
    const imageDims = [channels, height, width];
    return {
      ...parts,
      generator: affine('z', [k], 'image', imageDims, parts.weight, parts.mean),
      encoder: affine('image', imageDims, 'z', [k], parts.inverse, parts.offset),
      eigenvalues: variances,
      explained: inside / whole,
      residual: Math.max(0, whole - inside) / values,
    };
  } finally {
    await multiply.dispose();
  }
}

interface Products {
  /** a b, each transposed first if said so; shapes as stored. */
  (
    a: Float32Array,
    aDims: readonly number[],
    b: Float32Array,
    bDims: readonly number[],
    transA: boolean,
    transB: boolean,
  ): Promise<Float32Array>;
  dispose(): Promise<void>;
}

async function products(runtime: Runtime): Promise<Products> {
  const sessions = new Map<string, Awaited<ReturnType<Runtime['session']>>>();
  const multiply = async (
    a: Float32Array,
    aDims: readonly number[],
    b: Float32Array,
    bDims: readonly number[],
    transA: boolean,
    transB: boolean,
  ) => {
    const key = `${transA}${transB}`;
    let session = sessions.get(key);
    if (!session) {
      const g = new GraphBuilder();
      const info = (name: string): ValueInfo => ({ name, type: 'float32', dims: [`${name}0`, `${name}1`] });
      for (const name of ['a', 'b']) g.reserve(name);
      g.node('Identity', [g.Gemm('a', 'b', undefined, { transA, transB })], {}, ['ab']);
      session = await runtime.session(encodeModel(g.graph('product', [info('a'), info('b')], [info('ab')])));
      sessions.set(key, session);
    }
    const feeds = new Map([
      ['a', float32(a, aDims)],
      ['b', float32(b, bDims)],
    ]);
    return float32Data((await session.run(feeds)).get('ab')!);
  };
  const dispose = async () => {
    for (const session of sessions.values()) await session.dispose();
  };
  return Object.assign(multiply, { dispose });
}

/** An orthonormal basis [rank, values] of about the leading directions: random ones, multiplied by the covariance. */
async function subspace(
  x: Float32Array,
  n: number,
  values: number,
  rank: number,
  multiply: Products,
  seed: number,
): Promise<Float32Array> {
  let basis = await multiply(randomFrom(seed).normals(rank * n), [rank, n], x, [n, values], false, false);
  basis = await orthonormal(basis, rank, values, multiply);
  for (let i = 0; i < POWERS; i++) {
    const scores = await multiply(basis, [rank, values], x, [n, values], false, true);
    basis = await multiply(scores, [rank, n], x, [n, values], false, false);
    basis = await orthonormal(basis, rank, values, multiply);
  }
  return basis;
}

/** Added to a Gram matrix of unit rows: above its rounding in single precision, which for rows that hardly differ is larger. */
const SHIFTS = [1e-6, 1e-5, 1e-4, 1e-3];

/** Each pass divides by the shift's root, 1000 for the smallest one, what rows are nearly dependent by. */
const PASSES = 4;

/**
 * An orthonormal basis of the span of rows [count, length], by Cholesky factors of their Gram matrix, shifted and repeated (Fukaya et al. 2020,
 * shifted CholeskyQR): all that is long is a matrix product. Rows of zeros stay zeros.
 */
async function orthonormal(
  rows: Float32Array,
  count: number,
  length: number,
  multiply: Products,
): Promise<Float32Array> {
  let basis = rows;
  for (let pass = 0; pass < PASSES; pass++) {
    const gram = await multiply(basis, [count, length], basis, [count, length], false, true);
    const scale = Float64Array.from({ length: count }, (_, i) => {
      const square = gram[i * count + i];
      return square > 0 ? 1 / Math.sqrt(square) : 0;
    });
    const unit = Float64Array.from(gram, (v, at) => v * scale[Math.floor(at / count)] * scale[at % count]);
    const factor = shiftedFactor(unit, count);
    if (!factor) throw new RgiError('input', 'The pictures hold values that are not finite.');
    const inverse = new Float32Array(count * count);
    for (let c = 0; c < count; c++) {
      const column = new Float64Array(count);
      column[c] = scale[c];
      solveLower(factor, count, column);
      for (let r = 0; r < count; r++) inverse[r * count + c] = column[r];
    }
    basis = await multiply(inverse, [count, count], basis, [count, length], false, false);
  }
  return basis;
}

/** The Cholesky factor of a matrix shifted by as little as gives one; undefined where its values are not finite. */
function shiftedFactor(matrix: Float64Array, count: number): Float64Array | undefined {
  for (const shift of SHIFTS) {
    const shifted = Float64Array.from(matrix);
    for (let i = 0; i < count; i++) shifted[i * count + i] += shift;
    const factor = choleskyFactor(shifted, count);
    if (factor) return factor;
  }
  return undefined;
}

function affine(
  input: string,
  inputDims: readonly number[],
  output: string,
  outputDims: readonly number[],
  weight: Tensor<'float32'>,
  bias: Tensor<'float32'>,
): Graph {
  const b = new GraphBuilder();
  b.reserve(input);
  const w = b.initializer('linear.weight', weight);
  const c = b.initializer('linear.bias', bias);
  const flat = inputDims.length > 1 ? b.Reshape(input, [-1, weight.dims[0]]) : input;
  const y = b.Gemm(flat, w, c);
  const shaped = outputDims.length > 1 ? b.Reshape(y, [-1, ...outputDims]) : y;
  b.node('Identity', [shaped], {}, [output]);
  const info = (name: string, dims: readonly number[]): ValueInfo => ({
    name,
    type: 'float32',
    dims: [BATCH, ...dims],
  });
  return b.graph('linear', [info(input, inputDims)], [info(output, outputDims)]);
}
