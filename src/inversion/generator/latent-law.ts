/** The laws that latents are drawn from, and their moments. */
import { float32, float32Data, scalar, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import type { Random } from '../../random.ts';

/** normal: N(0,1); uniform: U(-1,1); unit: U[0,1), as the reference's pool of starts. */
export type LatentLaw = 'normal' | 'uniform' | 'unit';

/** Of each number of a latent: one value for all, or [1, ...dims]. */
export interface Moments {
  readonly mean: Tensor<'float32'>;
  readonly deviation: Tensor<'float32'>;
}

export const LAW_MOMENTS: Readonly<Record<LatentLaw, Moments>> = {
  normal: { mean: scalar(0), deviation: scalar(1) },
  uniform: { mean: scalar(0), deviation: scalar(Math.sqrt(1 / 3)) },
  unit: { mean: scalar(0.5), deviation: scalar(Math.sqrt(1 / 12)) },
};

/** Mean and deviation of each number over the rows of `values`; the deviation is at least a tenth of the usual one. */
export function momentsOf(values: Tensor): Moments {
  const [count, ...dims] = values.dims;
  const size = sizeOf(dims);
  const data = float32Data(values);
  const mean = new Float32Array(size);
  const deviation = new Float32Array(size);
  for (let i = 0; i < data.length; i++) mean[i % size] += data[i] / count;
  for (let i = 0; i < data.length; i++) deviation[i % size] += (data[i] - mean[i % size]) ** 2 / (count - 1);
  const usual = Math.sqrt(deviation.reduce((a, v) => a + v, 0) / size);
  return {
    mean: float32(mean, [1, ...dims]),
    deviation: float32(
      deviation.map((v) => Math.max(Math.sqrt(v), usual / 10, 1e-6)),
      [1, ...dims],
    ),
  };
}

export function drawLatent(dims: readonly number[], law: LatentLaw, random: Random): Tensor {
  const size = sizeOf(dims);
  const draws: Record<LatentLaw, () => number> = {
    normal: random.normal,
    uniform: () => 2 * random.uniform() - 1,
    unit: random.uniform,
  };
  return float32(Float32Array.from({ length: size }, draws[law]), dims);
}
