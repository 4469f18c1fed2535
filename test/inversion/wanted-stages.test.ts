/** A stage that is of use for some images only. */
import { expect, it } from 'vitest';
import { openGenerator } from '../../src/inversion/generator.ts';
import type { Method } from '../../src/inversion/method.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { misfits } from '../../src/inversion/noise.ts';
import { runMethod } from '../../src/inversion/solver.ts';
import { rows } from '../../src/inversion/starts.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(tinyGenerator(), runtime);

/** The second picture is none of the generator's. */
async function pictures() {
  const session = await runtime.session(encodeModel(generator.graph));
  const made = await session.run(await generator.draw(2, randomFrom(3)));
  await session.dispose();
  const data = float32Data(made.get(generator.output)!).slice();
  data.set(
    randomFrom(4)
      .normals(192)
      .map((v) => 0.4 * v),
    192,
  );
  return float32(data, [2, 3, 8, 8]);
}

it('an almost exact fit is fitted further; an image that the generator cannot make stays as it was', async () => {
  const images = await pictures();
  const method = rgi({ preset: 'fast', channels: 3, steps: 200, starts: 1, pool: 50 });
  const without: Method = { ...method, stages: method.stages.slice(0, -1) };
  const [whole, shorter] = [
    await runMethod(generator, method, runtime, images),
    await runMethod(generator, without, runtime, images),
  ];
  const rest = rows(shorter.image, [1]);
  expect(rows(whole.image, [1]).data).toEqual(rest.data);
  expect(rows(whole.mask!, [1]).data).toEqual(rows(shorter.mask!, [1]).data);
  expect(whole.codes[1]).toBe(shorter.codes[1]);
  const [fitted, refined] = [whole, shorter].map(({ image, mask }) => misfits(images, image, mask!)[0]);
  expect(refined).toBeLessThan(4);
  expect(fitted).toBeLessThan(refined);
});

it('a stage that no image wants is left out', async () => {
  const images = rows(await pictures(), [1]);
  const method = rgi({ preset: 'fast', channels: 3, steps: 40, starts: 1, pool: 50 });
  const { steps, codes, state } = await runMethod(generator, method, runtime, images);
  expect(steps[0]).toBeLessThanOrEqual(method.stages[0].steps + method.stages[1].steps);
  expect(codes).not.toContain('interrupted');
  expect(state).toBeUndefined();
});

it('misfits are the root mean square of what a mask keeps, in grey levels', () => {
  const x = float32([0.1, 0.2, 0.3, 0.4, 1, 1, 1, 1], [2, 2, 1, 2]);
  const y = zeros('float32', [2, 2, 1, 2]);
  // Of the first image the second pixel is masked; of the second all is.
  const [first, second] = misfits(x, y, float32([0, 1, 1, 1], [2, 1, 1, 2]));
  expect(first).toBeCloseTo(127.5 * Math.sqrt((0.1 ** 2 + 0.3 ** 2) / 2), 4);
  expect(second).toBe(0);
});
