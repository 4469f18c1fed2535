/** Where in a picture a generator's picture lies: found at several sizes, damaged; and none where there is none. */
import { describe, expect, it } from 'vitest';
import { type Image, imageAt } from '../../src/images/image.ts';
import { resize } from '../../src/images/resize.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { findAlignment } from '../../src/restore/align/align.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
const [LATENT, SIZE, HEIGHT, WIDTH] = [4, 16, 96, 128];

/** Two eyes and a mouth, each of random strength, on a pale ground: G(z) = W z + b, [N, 1, 16, 16]. */
async function faces() {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const spot = (p: number, row: number, column: number, wide: number) =>
    Math.exp(-(((Math.floor(p / SIZE) - row) / 1.8) ** 2) - (((p % SIZE) - column) / wide) ** 2);
  const parts = [
    (p: number) => spot(p, 5, 4, 1.8),
    (p: number) => spot(p, 5, 11, 1.8),
    (p: number) => spot(p, 11.5, 7.5, 4),
    (p: number) => spot(p, 1, 7.5, 7),
  ];
  const plane = Array.from({ length: SIZE ** 2 }, (_, p) => p);
  const weight = Float32Array.from(parts.flatMap((part) => plane.map((p) => 0.2 * part(p))));
  const bias = Float32Array.from(plane, (p) => 0.6 - parts.reduce((sum, part) => sum + 1.3 * part(p), 0));
  const flat = b.Gemm(z, b.floats(weight, [LATENT, SIZE ** 2]), b.floats(bias, [SIZE ** 2]));
  b.node('Identity', [b.Reshape(flat, [-1, 1, SIZE, SIZE])], {}, ['image']);
  const graph = b.graph(
    'faces',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIZE, SIZE] }],
  );
  return openGenerator(graph, runtime);
}

/** A slope with bars, discs and grain. */
function scene(): Image {
  const random = randomFrom(5);
  const data = Float32Array.from({ length: HEIGHT * WIDTH }, (_, p) => {
    const [y, x] = [Math.floor(p / WIDTH), p % WIDTH];
    const bar = x % 37 < 6 ? 0.5 : 0;
    const disc = Math.hypot(y - 70, x - 30) < 14 ? -0.6 : 0;
    return -0.4 + (0.6 * (x + y)) / (WIDTH + HEIGHT) + bar + disc + 0.03 * random.normal();
  });
  return float32(data, [1, 1, HEIGHT, WIDTH]);
}

const generator = await faces();

async function pasted(side: number, left: number, top: number): Promise<Image> {
  const session = await runtime.session(encodeModel(generator.graph));
  const made = (await session.run(await generator.draw(1, randomFrom(3)))).get(generator.output)!;
  await session.dispose();
  const own = resize(imageAt(float32(float32Data(made), made.dims), 0), { height: side, width: side });
  const picture = scene();
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const isDamaged = x > 0.7 * side && y > 0.7 * side;
      picture.data[(top + y) * WIDTH + left + x] = isDamaged ? -1 : own.data[y * side + x];
    }
  }
  return picture;
}

describe("the place of a generator's picture", () => {
  it.each([
    [30, 90, 8],
    [70, 20, 15],
  ])('is found within a tenth of its size, damaged: %d pixels at %d, %d', async (side, left, top) => {
    const found = await findAlignment(generator, await pasted(side, left, top), runtime);
    const { x, y, scale } = found!.alignment;
    expect(Math.abs(x - left - side / 2)).toBeLessThan(0.1 * side);
    expect(Math.abs(y - top - side / 2)).toBeLessThan(0.1 * side);
    expect(Math.abs((scale * SIZE) / side - 1)).toBeLessThan(0.1);
    expect(found!.score).toBeGreaterThan(0.5);
  });

  it('is none where nothing agrees with what it makes', async () => {
    expect(await findAlignment(generator, scene(), runtime)).toBeUndefined();
  });
});
