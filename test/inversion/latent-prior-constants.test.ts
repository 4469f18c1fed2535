/** The weight of the latents' prior from counts of pixels, with more latents than a picture could ever tell. */
import { expect, it } from 'vitest';
import { latentEnergy, latentWeight } from '../../src/inversion/compile/latent-prior.ts';
import type { PixelCounts } from '../../src/inversion/compile/objective.ts';
import type { Generator } from '../../src/inversion/generator/generator.ts';
import { LAW_MOMENTS } from '../../src/inversion/generator/latent-law.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const LATENTS = 64;
const runtime = nodeRuntime({ threads: 1 });

/** The weighted energy of z = 1 with this noise, of a picture of which so many pixels are hidden and kept. */
async function energyOf(side: number, hidden: number, kept: number, measurements?: number): Promise<number> {
  const generator = {
    latents: [{ name: 'z', dims: [LATENTS] }],
    moments: new Map([['z', LAW_MOMENTS.normal]]),
    channels: 1,
    height: side,
    width: side,
  } as unknown as Generator;
  const b = new GraphBuilder();
  b.reserve('z');
  const counts = { hidden: b.floats([hidden], [1]), kept: b.floats([kept], [1]) };
  const prior = { kind: 'latent', weight: 1, ofHidden: true, measurements } as const;
  const weight = latentWeight(b, generator, prior, b.floats([1], [1]), counts as PixelCounts);
  b.node('Mul', [latentEnergy(b, generator, 1, prior), weight], {}, ['energy']);
  const graph = b.graph(
    'prior',
    [{ name: 'z', type: 'float32', dims: [1, LATENTS] }],
    [{ name: 'energy', type: 'float32', dims: [1] }],
  );
  const session = await runtime.session(encodeModel(graph));
  const made = await session.run(new Map([['z', float32(new Float32Array(LATENTS).fill(1), [1, LATENTS])]]));
  await session.dispose();
  return float32Data(made.get('energy')!)[0];
}

it('open latents count as hidden pixels, as many as a quarter of the picture at most', async () => {
  // 16 pixels: 4 of the 64 latents count, for 8 pixels that are kept.
  expect(await energyOf(4, 0, 8)).toBeCloseTo((LATENTS * 4) / 8, 3);
  expect(await energyOf(4, 2, 8)).toBeCloseTo((LATENTS * 6) / 8, 3);
});

it('no picture counts as hidden more than as kept', async () => {
  expect(await energyOf(4, 8, 8)).toBeCloseTo(LATENTS, 3);
});

it('a picture counts as 128 independent values', async () => {
  // 1024 pixels weigh as 8 times 128; all 64 latents count.
  expect(await energyOf(32, 0, 512)).toBeCloseTo((8 * LATENTS * 64) / 512, 2);
});

it('or as another number of them', async () => {
  expect(await energyOf(32, 0, 512, 256)).toBeCloseTo((4 * LATENTS * 64) / 512, 2);
});
