import { expect, it } from 'vitest';
import type { Image } from '../../src/images/image.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { encodedStarts, encoderFits } from '../../src/inversion/start/encoded.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
const SIDE = 8;
const VALUES = SIDE * SIDE;

/** Two orthonormal directions of pictures: a slope from top to bottom, and one from left to right. */
const directions = [(y: number) => y, (_: number, x: number) => x].map((slope) => {
  const row = Float32Array.from({ length: VALUES }, (_, i) => slope(Math.floor(i / SIDE), i % SIDE) - (SIDE - 1) / 2);
  const norm = Math.hypot(...row);
  return row.map((v) => v / norm);
});

/** x W + 0, reshaped: G(z) = sum of z_i d_i, E(x) = the products x d_i. */
function product(input: string, from: readonly number[], output: string, to: readonly number[], w: Tensor): Graph {
  const b = new GraphBuilder();
  b.reserve(input);
  const flat = from.length > 1 ? b.Reshape(input, [-1, w.dims[0]]) : input;
  const y = b.MatMul(flat, b.initializer('w', w));
  b.node('Identity', [to.length > 1 ? b.Reshape(y, [-1, ...to]) : y], {}, [output]);
  const info = (name: string, dims: readonly number[]) => ({ name, type: 'float32' as const, dims: ['N', ...dims] });
  return b.graph('linear', [info(input, from)], [info(output, to)]);
}

const image = [1, SIDE, SIDE];
const rows = float32(Float32Array.from(directions.flatMap((d) => [...d])), [2, VALUES]);
const columns = float32(
  Float32Array.from({ length: 2 * VALUES }, (_, i) => directions[i % 2][Math.floor(i / 2)]),
  [VALUES, 2],
);
const encoder = product('image', image, 'z', [2], columns);
const generator = async (): Promise<Generator> => ({
  ...(await openGenerator(product('z', [2], 'image', image, rows), runtime)),
  encoder,
});

const TRUTH = [2, -1.2];

/** G of the truth with its first `count` pixels replaced by noise, which are no bright or dark constant. */
function corrupted(count: number): { x: Image; visibility: Tensor } {
  const random = randomFrom(2);
  const clean = directions[0].map((v, i) => TRUTH[0] * v + TRUTH[1] * directions[1][i]);
  const data = clean.map((v, i) => (i < count ? random.normal() - 1 : v));
  const visibility = Float32Array.from({ length: VALUES }, (_, i) => (i < count ? 0 : 1));
  return { x: float32(data, [1, ...image]), visibility: float32(visibility, [1, 1, SIDE, SIDE]) };
}

it('nears the least-squares latent of the pixels to be trusted, told which', async () => {
  const { x, visibility } = corrupted(8);
  const z = (await encodedStarts(await generator(), x, runtime, { visibility })).get('z')!;
  TRUTH.forEach((v, i) => {
    expect(float32Data(z)[i]).toBeCloseTo(v, 1);
  });
});

it('not told which, comes nearer to the truth than the encoder at once', async () => {
  const { x } = corrupted(5);
  const z = float32Data((await encodedStarts(await generator(), x, runtime)).get('z')!);
  const atOnce = directions.map((d) => x.data.reduce((sum, v, i) => sum + Math.max(-1, Math.min(1, v)) * d[i], 0));
  const distance = (own: ArrayLike<number>) => Math.hypot(own[0] - TRUTH[0], own[1] - TRUTH[1]);
  expect(distance(z)).toBeLessThan(0.5 * distance(atOnce));
});

it('is one of several starts: a search that cannot move ends at it where the drawn ones are worse', async () => {
  const { x, visibility } = corrupted(8);
  const mask = float32(
    float32Data(visibility).map((k) => 1 - k),
    visibility.dims,
  );
  const still = rgi({ preset: 'fast', channels: 1, masked: true, starts: 2, pool: 2, steps: 4, latentRate: 1e-9 });
  const own = await generator();
  const [expected] = [(await encodedStarts(own, x, runtime, { visibility })).get('z')!];
  const reached = await runMethod(own, still, runtime, x, mask);
  float32Data(reached.latents.get('z')!).forEach((v, i) => {
    expect(v).toBeCloseTo(float32Data(expected)[i], 4);
  });
});

it('an encoder fits the generator whose pictures it takes and whose latent it gives', async () => {
  const own = await generator();
  expect(encoderFits(own, encoder)).toBe(true);
  expect(encoderFits({ ...own, channels: 3 }, encoder)).toBe(false);
  expect(encoderFits({ ...own, latents: [{ name: 'z', dims: [3] }] }, encoder)).toBe(false);
});
