/** W and W+ found by meaning, and searched in coordinates of unit covariance. */
import { afterAll, describe, expect, test } from 'vitest';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { inStyleSpace, styleSpaceOf } from '../../src/inversion/generator/style-space.ts';
import { openGeneratorModel } from '../../src/models/generator.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { trainableWeights } from '../../src/passes/trainable.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import { tinyGenerator, tinyStyled } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

async function made(graph: Graph, feeds: ReadonlyMap<string, Tensor>, name: string): Promise<Tensor> {
  const session = await runtime.session(encodeModel(graph, undefined, [name]));
  try {
    return (await session.run(feeds)).get(name)!;
  } finally {
    await session.dispose();
  }
}

const pictures = ({ graph, output }: Generator, feeds: ReadonlyMap<string, Tensor>) => made(graph, feeds, output);

describe.each([
  ['layers that read w', false],
  ['layers that read rows of a repeated w', true],
])('a mapping with %s', (_, broadcast) => {
  const graph = tinyStyled(8, 6, broadcast);

  test('w: one per image; its draws give the pictures of the same draws of z, and the file has the mapping’s own w', async () => {
    const base = await openGenerator(graph, runtime);
    const styled = await inStyleSpace(base, 'w', runtime);
    expect(styled.latents).toEqual([{ name: 'w', dims: [6] }]);
    const [z, v] = [await base.draw(5, randomFrom(3)), await styled.draw(5, randomFrom(3))];
    expectClose(await pictures(styled, v), await pictures(base, z), 1e-4, 'pictures');
    expectClose(styled.exported!(v).get('w')!, await made(graph, z, 'mapped'), 1e-4, 'w');
  });

  test('w+: one for each layer; equal ones give the picture of w, and the last alone changes what the last layer makes', async () => {
    const base = await openGenerator(graph, runtime);
    const [w, plus] = [await inStyleSpace(base, 'w', runtime), await inStyleSpace(base, 'w+', runtime)];
    expect(plus.latents).toEqual([{ name: 'w+', dims: [4, 6] }]);
    const same = await plus.draw(2, randomFrom(1));
    expectClose(await pictures(plus, same), await pictures(w, await w.draw(2, randomFrom(1))), 1e-4, 'pictures');
    const moved = float32(
      float32Data(same.get('w+')!).map((value, i) => (i % 24 >= 18 ? value + 1 : value)),
      [2, 4, 6],
    );
    const before = float32Data(await pictures(plus, same));
    const after = float32Data(await pictures(plus, new Map([['w+', moved]])));
    expect(Math.max(...after.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(0.1);
  });

  test('the coordinates have mean 0 and unit covariance, and no weight of theirs can be tuned', async () => {
    const styled = await inStyleSpace(await openGenerator(graph, runtime), 'w', runtime);
    const count = 4000;
    const data = float32Data((await styled.draw(count, randomFrom(9))).get('w')!);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        let [mean, product] = [0, 0];
        for (let n = 0; n < count; n++) {
          mean += data[n * 6 + i] / count;
          product += (data[n * 6 + i] * data[n * 6 + j]) / count;
        }
        expect(Math.abs(mean)).toBeLessThan(0.15);
        expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(0.2);
      }
    }
    expect(trainableWeights(styled.graph)).toEqual([0, 1, 2, 3].map((layer) => `layer.${layer}.weight`));
  });
});

test('the prior of w+ is the mean over the layers of what it would be for w', async () => {
  const base = await openGenerator(tinyStyled(), runtime);
  const deviation = async (space: 'w' | 'w+') => {
    const { moments } = await inStyleSpace(base, space, runtime);
    return moments.get(space)!.deviation.data[0];
  };
  expect(await deviation('w')).toBe(1);
  expect(await deviation('w+')).toBe(2); // the root of 4 layers
});

test('a value that is called w is that value', () => {
  expect(styleSpaceOf(tinyStyled(), ['w'])).toBe('w');
  expect(styleSpaceOf(tinyStyled(), ['w+'])).toBe('w+');
  expect(styleSpaceOf(tinyStyled(), ['z'])).toBeUndefined();
  expect(styleSpaceOf(tinyStyled(), undefined)).toBeUndefined();
  const graph = tinyStyled();
  const renamed = { ...graph, inputs: [{ ...graph.inputs[0], name: 'w' }] };
  expect(styleSpaceOf(renamed, ['w'])).toBeUndefined();
});

test('opened by a model’s bytes as any other latent', async () => {
  const { generator, facts } = await openGeneratorModel(readModel(encodeModel(tinyStyled())), runtime, {
    latents: ['w+'],
    range: '-1..1',
  });
  expect(facts.latent!.name).toBe('z');
  expect(generator.latents).toEqual([{ name: 'w+', dims: [4, 6] }]);
});

test('a generator without a mapping is refused, and the sentence says what can be done', async () => {
  const base = await openGenerator(tinyGenerator(), runtime);
  await expect(inStyleSpace(base, 'w', runtime)).rejects.toThrow(
    "--latent w: no mapping network is found in the generator: no inner value of one row per image is read by 3 layers or more. Leave --latent out, or name an inner value ('rgi inspect' lists them).",
  );
});
