/** Pixels without data are known before the search, unless the generator makes flat regions itself. */
import { describe, expect, it } from 'vitest';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { missingPixels } from '../../src/inversion/mask/missing.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { restoreImages } from '../../src/inversion/solve/restore.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const SIDE = 16;
const PLANE = SIDE * SIDE;
const runtime = nodeRuntime({ threads: 1 });
const smooth = await openGenerator(tinyGenerator(3, SIDE), runtime);

/** A generator of noise whose pictures are black where `isFlat`. */
function partlyFlat(isFlat: (p: number) => boolean) {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const image = b.reserve('image');
  const textured = randomFrom(2).normals(3 * PLANE);
  const weights = textured.map((v, i) => (isFlat(i % PLANE) ? 0 : v));
  const black = textured.map((_, i) => (isFlat(i % PLANE) ? -1 : 0));
  const scaled = b.Add(b.MatMul(z, b.floats(weights, [1, 3 * PLANE])), b.floats(black, [1, 3 * PLANE]));
  b.node('Reshape', [scaled, b.ints([-1, 3, SIDE, SIDE])], {}, [image]);
  return b.graph(
    'partly flat',
    [{ name: 'z', type: 'float32', dims: ['N', 1] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, SIDE, SIDE] }],
  );
}

const bar = (p: number) => Math.floor(p / SIDE) >= 2 && Math.floor(p / SIDE) < 5;

/** Two pictures of the generator, the first with a white bar of three rows. */
async function pictures() {
  const session = await runtime.session(encodeModel(smooth.graph));
  const made = float32Data((await session.run(await smooth.draw(2, randomFrom(4)))).get('image')!);
  await session.dispose();
  const truth = float32(made, [2, 3, SIDE, SIDE]);
  const data = made.map((v, i) => (i < 3 * PLANE && bar(i % PLANE) ? 1 : v));
  return { truth, images: float32(data, truth.dims) };
}

const expected = Float32Array.from({ length: 2 * PLANE }, (_, p) => (p < PLANE && bar(p) ? 1 : 0));

describe('missing pixels', () => {
  it('are those of a fill, in the picture that has one', async () => {
    const { images } = await pictures();
    expect((await missingPixels(smooth, images, runtime)).data).toEqual(expected);
  });

  it('are none for a generator whose pictures are flat themselves, which is asked once', async () => {
    const { images } = await pictures();
    const generator = await openGenerator(
      partlyFlat((p) => p >= PLANE / 2),
      runtime,
    );
    const shared = reuse();
    expect((await missingPixels(generator, images, runtime, { reuse: shared })).data).toEqual(expected.map(() => 0));
    const asked = await shared.flatness!;
    expect(asked[2 * SIDE]).toBe(0);
    expect(asked[PLANE - 1]).toBeCloseTo(1, 5);
    await missingPixels(generator, images, runtime, { reuse: shared });
    expect(await shared.flatness).toBe(asked);
  });

  it('are none at places that are flat in the pictures of a generator of textures', async () => {
    const { images } = await pictures();
    const isCorner = (p: number) => p % SIDE < 3 && p < 6 * SIDE;
    const generator = await openGenerator(partlyFlat(isCorner), runtime);
    const data = images.data.map((v, i) => (isCorner(i % PLANE) ? -1 : v));
    const missing = await missingPixels(generator, float32(data, images.dims), runtime);
    expect(missing.data).toEqual(expected.map((m, p) => (isCorner(p % PLANE) ? 0 : m)));
    // Another generator does not make it.
    const elsewhere = await missingPixels(smooth, float32(data, images.dims), runtime);
    expect(elsewhere.data).toEqual(expected.map((m, p) => (isCorner(p % PLANE) ? 1 : m)));
  });

  it('have no part in the search, and are in the mask that is found', async () => {
    const { truth, images } = await pictures();
    const method = rgi({ preset: 'fast', channels: 3, starts: 2, pool: 50 });
    const { image, missing, mask } = await runMethod(smooth, method, runtime, images);
    expect(missing!.data).toEqual(expected);
    expect(float32Data(mask!).subarray(0, PLANE)).toEqual(expected.subarray(0, PLANE));
    const error = float32Data(image).reduce((most, v, i) => Math.max(most, Math.abs(v - truth.data[i])), 0);
    expect(error).toBeLessThan(0.05);
  });

  it('are the margins, too, which the mask that is told leaves out', async () => {
    const { images } = await pictures();
    const data = images.data.map((v, i) => (i % SIDE < 3 ? 0.9 : v));
    const outside = float32(
      Float32Array.from({ length: 2 * PLANE }, (_, p) => (p % SIDE < 3 ? 1 : 0)),
      [2, 1, SIDE, SIDE],
    );
    const padded = float32(data, images.dims);
    const both = expected.map((m, p) => Math.max(m, outside.data[p]));
    expect((await missingPixels(smooth, padded, runtime, { outside })).data).toEqual(both);
    const method = rgi({ preset: 'fast', channels: 3, starts: 2, pool: 50 });
    const job = { generator: smooth, method, images: padded, outside, thresholdGrey: 25 };
    const masks: number[] = [];
    for await (const { mask, softMask, misfit } of restoreImages(job, runtime)) {
      masks.push(...mask.data);
      expect(softMask.data.every((m, p) => p % SIDE >= 3 || m === 0)).toBe(true);
      expect(misfit).toBeLessThan(2);
    }
    expect(masks).toEqual([...both.map((m, p) => m - outside.data[p])]);
  });

  it('are not looked for where the user chose a threshold, or gives the mask', async () => {
    const { images } = await pictures();
    const chosen = rgi({ preset: 'fast', channels: 3, starts: 1, pool: 25, steps: 10, thresholdGrey: 40 });
    expect((await runMethod(smooth, chosen, runtime, images)).missing).toBeUndefined();
    const told = rgi({ preset: 'fast', channels: 3, starts: 1, pool: 25, steps: 10, masked: true });
    const given = float32(expected, [2, 1, SIDE, SIDE]);
    expect((await runMethod(smooth, told, runtime, images, given)).missing).toBeUndefined();
  });

  it('are found again where a saved search goes on', async () => {
    const { images } = await pictures();
    const method = rgi({ preset: 'fast', channels: 3, starts: 2, pool: 50, steps: 40 });
    const solver = createSolver(smooth, method, runtime);
    await solver.init(images);
    await solver.step();
    const state = await solver.save();
    await solver.dispose();
    const resumed = await runMethod(smooth, method, runtime, images, undefined, { from: state });
    const whole = await runMethod(smooth, method, runtime, images);
    expect(resumed.missing!.data).toEqual(expected);
    expect(float32Data(resumed.image)).toEqual(float32Data(whole.image));
    const last = { ...state, stage: method.stages.length - 1 };
    await expect(runMethod(smooth, method, runtime, images, undefined, { from: last })).rejects.toThrow(
      'The saved state belongs to another run: it holds no mask.',
    );
  });
});
