/** The last stage of our default: the mask it has found is held fixed. */
import { expect, it } from 'vitest';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { misfitOf } from '../../src/inversion/mask/corruption/domain.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(tinyGenerator(), runtime);

it('frees z from corrupted values that are nearly right', async () => {
  const session = await runtime.session(encodeModel(generator.graph));
  const made = await session.run(await generator.draw(1, randomFrom(3)));
  await session.dispose();
  const truth = float32(float32Data(made.get(generator.output)!), [1, 3, 8, 8]);
  const data = truth.data.slice();
  // A column is wrong by 100 grey levels, which M masks in part only.
  for (let i = 3; i < data.length; i += 8) data[i] += data[i] > 0 ? -0.8 : 0.8;
  const images = float32(data, truth.dims);
  const method = rgi({ preset: 'fast', channels: 3, starts: 2, pool: 50 });
  const [refine, settle] = method.stages.slice(-2);
  const without: Method = { ...method, stages: [...method.stages.slice(0, -1), { ...refine, steps: settle.steps }] };
  const [settled, soft] = [
    await runMethod(generator, method, runtime, images),
    await runMethod(generator, without, runtime, images),
  ].map(({ image }) => {
    const made = float32(float32Data(image), truth.dims);
    return misfitOf(truth, made, zeros('float32', [1, 1, 8, 8])).grey;
  });
  expect(settled).toBeLessThan(0.5 * soft);
});
