/** The check itself: right gradients pass, by differences and by reference; wrong ones are caught. */
import { describe, expect, it } from 'vitest';
import { checkByDifferences, checkByReference } from '../../src/inspect/gradcheck.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { hasShared, sharedBytes, sharedJson, sharedNpz } from '../support/shared.ts';

const runtime = nodeRuntime();
const x = float32(randomFrom(2).normals(12), [3, 4]);

/** y = tanh(x w) */
function smooth() {
  const b = new GraphBuilder();
  b.initializer('w', float32(randomFrom(3).normals(20), [4, 5]));
  const y = b.Tanh(b.MatMul(b.reserve('x'), 'w'));
  return b.graph('g', [{ name: 'x', type: 'float32', dims: ['N', 4] }], [{ name: y, type: 'float32', dims: ['N', 5] }]);
}

describe('by differences', () => {
  it('a smooth network passes far below the tolerance, in its input and its weight', async () => {
    const result = await checkByDifferences(smooth(), runtime, { inputs: new Map([['x', x]]), wrt: ['x', 'w'] });
    expect(result.passed).toBe(true);
    expect(result.entries).toHaveLength(8);
    for (const { error } of result.entries) expect(error).toBeLessThan(2e-3);
  });

  it('a gradient that is zero where the function is not is caught', async () => {
    // Floor(100 x) / 100 follows x, but its derivative is zero.
    const b = new GraphBuilder();
    const y = b.Div(b.node('Floor', [b.Mul(b.reserve('x'), b.scalar(1000))])[0], b.scalar(1000));
    const graph = b.graph(
      'g',
      [{ name: 'x', type: 'float32', dims: ['N', 4] }],
      [{ name: y, type: 'float32', dims: [] }],
    );
    const result = await checkByDifferences(graph, runtime, { inputs: new Map([['x', x]]), directions: 1 });
    expect(result.passed).toBe(false);
  });

  it('names that are not there are refused', async () => {
    const inputs = new Map([['x', x]]);
    await expect(
      checkByDifferences(smooth(), runtime, { inputs, wrt: ['v'] }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The model has no input or float weight named 'v'. 'rgi inspect' lists the names.]`,
    );
    await expect(
      checkByDifferences(smooth(), runtime, { inputs, output: 'v' }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(`[RgiError: The model has no output 'v'; it has 'Tanh'.]`);
  });
});

describe.skipIf(!hasShared)('by reference', () => {
  interface Export {
    readonly initialisers: Readonly<Record<'early' | 'late', { readonly name: string; readonly key: string }>>;
  }
  const load = (network: string, name: string) => {
    const facts = sharedJson<Record<string, { exports: Record<string, Export> }>>(
      'fixtures',
      'generators',
      'generators.json',
    );
    const { early, late } = facts[network].exports[name].initialisers;
    return {
      graph: readModel(sharedBytes('fixtures', 'generators', `${network}.${name}.onnx`)).graph,
      reference: sharedNpz('fixtures', 'generators', `${network}.npz`),
      wrt: new Map([
        [early.name, early.key],
        [late.name, late.key],
      ]),
    };
  };

  it.each([
    ['mlp_pixelshuffle', 'dynamo'],
    ['discriminator', 'legacy17'],
  ])('%s.%s: output, input and two weights', async (network, name) => {
    const { graph, reference, wrt } = load(network, name);
    const result = await checkByReference(graph, runtime, { reference, wrt });
    expect(result.entries.map((entry) => entry.against)).toHaveLength(4);
    for (const { tensor, error } of result.entries) expect(error, tensor).toBeLessThan(1e-4);
    expect(result.passed).toBe(true);
  });

  it('a reference that differs by 1e-3 fails; one that lacks arrays is refused', async () => {
    const { graph, reference } = load('mlp_pixelshuffle', 'dynamo');
    const wrong = new Map(reference);
    const gradient = reference.get('grad_z')!;
    wrong.set(
      'grad_z',
      float32(
        Float32Array.from(gradient.data as Float32Array, (v) => v * 1.001),
        gradient.dims,
      ),
    );
    expect((await checkByReference(graph, runtime, { reference: wrong })).passed).toBe(false);
    const lacking = new Map([...reference].filter(([key]) => key === 'z' || key === 'grad_z'));
    await expect(checkByReference(graph, runtime, { reference: lacking })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The reference holds no array for the cotangent 'g'; it holds z, grad_z.]`,
    );
  });

  it('differences and references agree on an exported network', async () => {
    const { graph, reference } = load('mlp_pixelshuffle', 'legacy17');
    const result = await checkByDifferences(graph, runtime, {
      inputs: new Map([['z', reference.get('z')!]]),
      directions: 2,
    });
    expect(result.passed).toBe(true);
  });
});
