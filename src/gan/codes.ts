/** One free latent per training picture (Bojanowski et al. 2018), moved by Adam on the rows that a step used. */
import { mixed } from '../datasets/dataset.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';

export interface Codes {
  /** The latents of pictures `indices`, [n, latent]. */
  rows(indices: Uint32Array): Tensor<'float32'>;
  /** Lowers the loss whose gradient in these rows is given. */
  move(indices: Uint32Array, gradient: Tensor): void;
  state(): Map<string, Tensor>;
  restore(state: ReadonlyMap<string, Tensor>): void;
}

const RATE = 0.05;
const [BETA1, BETA2] = [0.5, 0.99];

/** A tenth of the law's spread to begin with: near the mean all codes can go anywhere. */
const START = 0.1;

export function codesFor(count: number, latent: number, seed: number): Codes {
  const random = randomFrom(mixed(seed, 3));
  const z = random.normals(count * latent).map((v) => v * START);
  const m = new Float32Array(count * latent);
  const v = new Float32Array(count * latent);
  /** Updates of each row: for the bias corrections. */
  const updates = new Float32Array(count);
  const arrays: Record<string, Float32Array> = { z, m, v, updates };
  return {
    rows(indices) {
      const data = new Float32Array(indices.length * latent);
      indices.forEach((index, i) => {
        data.set(z.subarray(index * latent, (index + 1) * latent), i * latent);
      });
      return float32(data, [indices.length, latent]);
    },
    move(indices, gradient) {
      const g = float32Data(gradient);
      indices.forEach((index, i) => {
        const t = ++updates[index];
        for (let j = 0; j < latent; j++) {
          const at = index * latent + j;
          const slope = g[i * latent + j];
          m[at] += (1 - BETA1) * (slope - m[at]);
          v[at] += (1 - BETA2) * (slope * slope - v[at]);
          z[at] -= (RATE * (m[at] / (1 - BETA1 ** t))) / (Math.sqrt(v[at] / (1 - BETA2 ** t)) + 1e-8);
        }
      });
    },
    state: () =>
      new Map(
        Object.entries(arrays).map(([name, data]) => [
          `codes/${name}`,
          float32(data.slice(), name === 'updates' ? [count] : [count, latent]),
        ]),
      ),
    restore(state) {
      for (const [name, data] of Object.entries(arrays)) data.set(float32Data(state.get(`codes/${name}`)!));
    },
  };
}
