/** Copies that exporters make of one weight: found, and made one initialiser again without changing a value. */
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { retie, tiedWeights } from '../../src/passes/tied.ts';
import { randomFrom } from '../../src/random.ts';
import { expectClose } from '../support/close.ts';
import { evaluate } from '../support/gradients.ts';
import { hasShared, sharedBytes, sharedNpz, withShared } from '../support/shared.ts';

const graphWith = (tensors: Record<string, Tensor>): Graph => ({
  name: 'g',
  inputs: [],
  outputs: [],
  nodes: [],
  initializers: new Map(Object.entries(tensors)),
});

/** [a, b, c] stored as [c, a, b] with a 1 between. */
function moved(tensor: Tensor): Tensor {
  const [a, b, c] = tensor.dims;
  const result = zeros('float32', [c, a, 1, b]);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++) result.data[(k * a + i) * b + j] = tensor.data[(i * b + j) * c + k] as number;
  return result;
}

describe('tied weights', () => {
  const w = float32(randomFrom(1).normals(60), [3, 4, 5]);

  it('are found reshaped and transposed', () => {
    const flat = { ...w, dims: [12, 5] };
    expect(tiedWeights(graphWith({ flat, w, moved: moved(w) }))).toEqual([
      {
        original: 'w',
        copies: [
          { name: 'flat', permutation: [0, 1, 2] },
          { name: 'moved', permutation: [2, 0, 1] },
        ],
      },
    ]);
  });

  it('are not what is equal by chance, or holds the same values in no order of the axes', () => {
    const reversed = float32(Float32Array.from(w.data as Float32Array).reverse(), w.dims);
    expect(
      tiedWeights(graphWith({ w, reversed, zeros: zeros('float32', [64]), zeros2: zeros('float32', [64]) })),
    ).toEqual([]);
  });

  describe.skipIf(!hasShared)(withShared('of StyleGAN2 with its modulated weights in two places'), () => {
    it.each([
      ['legacy17', 9],
      ['dynamo', 4],
    ] as const)('%s', async (name, count) => {
      const { graph } = readModel(sharedBytes('fixtures', 'generators', `stylegan2_unfused.${name}.onnx`));
      const feeds = new Map([['z', sharedNpz('fixtures', 'generators', 'stylegan2_unfused.npz').get('z')!]]);
      const output = graph.outputs[0].name;
      const run = async (g: Graph) => (await evaluate(g, feeds, [output])).get(output)!;
      const tied = retie(graph);
      expect(tied.groups).toHaveLength(count);
      expect(tied.graph.initializers.size).toBeLessThanOrEqual(graph.initializers.size);
      expectClose(await run(tied.graph), await run(graph), 1e-6, 'y');

      // A step in the one weight is a step in both copies.
      const stepped = (g: Graph, names: readonly string[]): Graph => {
        const initializers = new Map(g.initializers);
        for (const each of names) {
          const tensor = g.initializers.get(each)!;
          initializers.set(
            each,
            float32(
              Float32Array.from(tensor.data as Float32Array, (v) => v + 0.3 * Math.sin(17 * v)),
              tensor.dims,
            ),
          );
        }
        return { ...g, initializers };
      };
      const originals = tied.groups.map((group) => group.original);
      const both = tied.groups.flatMap((group) => [group.original, ...group.copies.map((copy) => copy.name)]);
      expectClose(await run(stepped(tied.graph, originals)), await run(stepped(graph, both)), 1e-6, 'y after a step');
    });
  });
});
