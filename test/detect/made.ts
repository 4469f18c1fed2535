/** A tiny product: a generator of smooth patterns, good pictures of it with noise, and one with a dark square. */
import type { Image } from '../../src/images/image.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyGenerator } from '../support/tiny.ts';

export const SIDE = 16;

export const productGraph = () => tinyGenerator(1, SIDE, 3);

export async function goodPictures(runtime: Runtime, count: number, seed: number): Promise<Image[]> {
  const random = randomFrom(seed);
  const session = await runtime.session(encodeModel(productGraph()));
  const z = float32(random.normals(3 * count), [count, 3]);
  const made = float32Data((await session.run(new Map<string, Tensor>([['z', z]]))).get('image')!);
  await session.dispose();
  const size = SIDE * SIDE;
  return Array.from({ length: count }, (_, i) =>
    float32(
      Float32Array.from(made.subarray(i * size, (i + 1) * size), (v) => 0.8 * v + 0.02 * random.normal()),
      [1, 1, SIDE, SIDE],
    ),
  );
}

/** Rows 5 to 8, columns 6 to 9, darker by half the range. */
export function withSquare(image: Image): Image {
  const inside = (i: number) => {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE];
    return y >= 5 && y < 9 && x >= 6 && x < 10;
  };
  return { ...image, data: image.data.map((v, i) => (inside(i) ? (v > 0 ? v - 1 : v + 1) : v)) };
}
