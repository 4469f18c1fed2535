/** A linear generator small enough for whole experiments in a second: z of four, smooth waves of 12 x 12 pixels. */
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { findInvariance } from '../../src/theory/measure.ts';
import { prepareSetting, type Setting } from '../../src/theory/setting.ts';

export const SIDE = 12;
const LATENT = 4;

/** G(z) = W z, or W z/||z||: of which only z's direction counts. */
export function linearGenerator(normalised = false): Graph {
  const b = new GraphBuilder();
  const weights = Float32Array.from({ length: LATENT * SIDE * SIDE }, (_, i) => {
    const [k, y, x] = [Math.floor(i / SIDE ** 2), Math.floor(i / SIDE) % SIDE, i % SIDE];
    return 0.3 * Math.cos(0.4 * (k + 1) * x + 0.9 * k * y + k);
  });
  const z = b.reserve('z');
  const weight = b.initializer('layer.weight', float32(weights, [LATENT, SIDE * SIDE]));
  const length = b.Sqrt(b.ReduceSum(b.Mul(z, z), [1], true));
  const flat = b.MatMul(normalised ? b.Div(z, length) : z, weight);
  b.node('Reshape', [flat, b.ints([-1, 1, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'linear',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
  );
}

export async function linearSetting(runtime: Runtime, count: number, steps = 100): Promise<Setting> {
  const generator = await openGenerator(linearGenerator(), runtime);
  const invariance = await findInvariance(generator, runtime, 1);
  return prepareSetting({ generator, invariance, seed: 7, steps, starts: 2, pool: 100 }, count, runtime);
}
