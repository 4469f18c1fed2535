/** How far an encoder's start trusts a pixel, and how often it encodes again, on a generator that shows z itself. */
import { expect, it } from 'vitest';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import type { EncodingRule } from '../../src/inversion/spec/start-rule.ts';
import { encodedStarts } from '../../src/inversion/start/encoded.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { identityGenerator } from '../support/problems.ts';

const SIDE = 4;
const PIXELS = SIDE * SIDE;
const runtime = nodeRuntime({ threads: 1 });

/** E(x) = x / 2. */
function halvingEncoder() {
  const b = new GraphBuilder();
  const half = b.Mul(b.reserve('image'), b.scalar(0.5));
  b.node('Reshape', [half, b.ints([-1, PIXELS])], {}, ['z']);
  return b.graph(
    'half',
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
    [{ name: 'z', type: 'float32', dims: ['N', PIXELS] }],
  );
}

/** z of a black picture, one pixel of which is so many grey levels brighter. */
async function encodedPixel(grey: number, rule?: Partial<EncodingRule>): Promise<number> {
  const generator = { ...(await openGenerator(identityGenerator(1, SIDE), runtime)), encoder: halvingEncoder() };
  const data = new Float32Array(PIXELS);
  data[5] = grey / 127.5;
  const z = (await encodedStarts(generator, float32(data, [1, 1, SIDE, SIDE]), runtime, {}, rule)).get('z')!;
  return 127.5 * float32Data(z)[5];
}

it('a residual of up to 25 grey levels is trusted, where the rest of the picture has none', async () => {
  // The encoder misses half of the pixel: 24.5 grey levels.
  expect(await encodedPixel(49)).toBeCloseTo(24.5, 4);
});

it('a larger one is replaced by what is made, and encoded again ten times', async () => {
  // 25.5 at first, more with each round: z is halved with each.
  expect(await encodedPixel(51)).toBeCloseTo(51 / 2 ** 11, 6);
});

it('how often it encodes again, and what it trusts, can be changed', async () => {
  expect(await encodedPixel(51, { rounds: 1 })).toBeCloseTo(51 / 4, 4);
  expect(await encodedPixel(51, { trustedGrey: 26 })).toBeCloseTo(25.5, 4);
});
