/** A model that draws noise becomes a function: the same in every run and session, one draw per image whatever the batch. */
import { describe, expect, it } from 'vitest';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, numbersOf } from '../../src/onnx/tensor.ts';
import { withFrozenDraws } from '../../src/passes/draws.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

const runtime = nodeRuntime({ threads: 1 });
const evaluate = evaluatorOf(runtime, encodeModel);

/** y = z + noise, noise ~ N(3, 0.5^2) of one channel, [N,2,40,40]. */
function noisy() {
  const b = new GraphBuilder();
  const image = b.Expand(b.reserve('z'), [1, 2, 40, 40]);
  const [noise] = b.node('RandomNormalLike', [b.Slice(image, [0], [1], [1])], {
    mean: { kind: 'float', value: 3 },
    scale: { kind: 'float', value: 0.5 },
  });
  b.node('Add', [image, noise], {}, ['y']);
  return b.graph(
    'noisy',
    [{ name: 'z', type: 'float32', dims: ['N', 2, 1, 1] }],
    [{ name: 'y', type: 'float32', dims: [] }],
  );
}
const z = (count: number) => new Map([['z', float32(new Float32Array(2 * count), [count, 2, 1, 1])]]);

describe('frozen draws', () => {
  it('are the same in every run, of the law that the node asks for', async () => {
    const frozen = await withFrozenDraws(noisy(), z(1), evaluate);
    const again = await withFrozenDraws(noisy(), z(1), evaluate);
    const [a, b] = [await evaluate(frozen, z(1), ['y']), await evaluate(again, z(1), ['y'])];
    const values = numbersOf(a.get('y')!).slice(0, 1600);
    expect(values).toEqual(numbersOf(b.get('y')!).slice(0, 1600));
    const mean = values.reduce((sum, v) => sum + v, 0) / 1600;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 1600);
    expect(Math.abs(mean - 3)).toBeLessThan(0.05);
    expect(Math.abs(deviation - 0.5)).toBeLessThan(0.05);
  });

  it('give each image of a batch the noise that it has alone', async () => {
    const { graph } = await openGenerator(noisy(), runtime);
    const alone = numbersOf((await evaluate(graph, z(1), ['y'])).get('y')!);
    const batch = numbersOf((await evaluate(graph, z(3), ['y'])).get('y')!);
    expect(batch).toEqual([...alone, ...alone, ...alone]);
  });

  it('a graph that draws nothing is left as it is', async () => {
    const b = new GraphBuilder();
    const y = b.Tanh(b.reserve('z'));
    const graph = b.graph('g', [{ name: 'z', type: 'float32', dims: ['N'] }], [{ name: y, type: 'float32', dims: [] }]);
    const feeds = new Map([['z', float32(randomFrom(1).normals(2))]]);
    expect(await withFrozenDraws(graph, feeds, evaluate)).toBe(graph);
  });
});
