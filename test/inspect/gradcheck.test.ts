/** The check itself: right gradients pass, by differences and by reference; wrong ones are caught. */
import { describe, expect, it } from 'vitest';
import { checkByDifferences, checkByReference } from '../../src/inspect/gradcheck.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { hasShared, sharedBytes, sharedJson, sharedNpz, withShared } from '../support/shared.ts';

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

  it('a function of steps is named: its gradient is zero where the function is not', async () => {
    // Floor(1000 x) / 1000 follows x, but its derivative is zero.
    const b = new GraphBuilder();
    const y = b.Div(b.node('Floor', [b.Mul(b.reserve('x'), b.scalar(1000))])[0], b.scalar(1000));
    const graph = b.graph(
      'g',
      [{ name: 'x', type: 'float32', dims: ['N', 4] }],
      [{ name: y, type: 'float32', dims: [] }],
    );
    await expect(
      checkByDifferences(graph, runtime, { inputs: new Map([['x', x]]), directions: 1 }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Floor 'Floor': the derivative of Floor is zero everywhere, and no path from 'x' to 'Div' avoids it. Export the model without it.]`,
    );
  });

  it('the function is computed as it is written: weights of eight bits do not make products of eight bits', async () => {
    const b = new GraphBuilder();
    b.initializer(
      'w',
      tensorOf(
        'int8',
        Array.from(randomFrom(3).normals(20), (v) => Math.round(40 * v)),
        [4, 5],
      ),
    );
    const [weight] = b.node('DequantizeLinear', [
      'w',
      b.scalar(0.02),
      b.initializer('zero', tensorOf('int8', [0], [])),
    ]);
    const y = b.Tanh(b.MatMul(b.reserve('x'), weight));
    const info = { type: 'float32', dims: ['N', 4] } as const;
    const graph = b.graph('g', [{ name: 'x', ...info }], [{ name: y, type: 'float32', dims: ['N', 5] }]);
    const result = await checkByDifferences(graph, runtime, { inputs: new Map([['x', x]]) });
    for (const { error } of result.entries) expect(error).toBeLessThan(2e-3);
  });

  it('a network that draws noise is checked at one draw', async () => {
    const b = new GraphBuilder();
    const [noise] = b.node('RandomNormalLike', [b.reserve('x')]);
    const y = b.Tanh(b.Mul(b.Add('x', noise), noise));
    const info = { type: 'float32', dims: ['N', 4] } as const;
    const graph = b.graph('g', [{ name: 'x', ...info }], [{ name: y, ...info }]);
    const result = await checkByDifferences(graph, runtime, { inputs: new Map([['x', x]]), directions: 1 });
    for (const { error } of result.entries) expect(error).toBeLessThan(2e-3);
  });

  it('names that are not there are refused', async () => {
    const inputs = new Map([['x', x]]);
    await expect(
      checkByDifferences(smooth(), runtime, { inputs, wrt: ['v'] }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The model has no input, float weight or value named 'v'. 'rgi inspect' lists the names.]`,
    );
    await expect(
      checkByDifferences(smooth(), runtime, { inputs, output: 'v' }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(`[RgiError: The model has no output 'v'; it has 'Tanh'.]`);
  });
});

describe('by reference: what the arrays may be called and hold', () => {
  /** image = table[label] * z * scale, the scale in a Constant node; the label's input is named like the output's key. */
  function labelled() {
    const b = new GraphBuilder();
    b.initializer('table', float32([1, 2, 3, 4, 5, 6], [3, 2]));
    const [scale] = b.node('Constant', [], { value: { kind: 'tensor', value: float32([2, 0.5]) } }, ['scale']);
    const row = b.Gather('table', b.reserve('y'), 0);
    const hidden = b.node('Mul', [row, b.reserve('latent')], {}, ['hidden'])[0];
    const image = b.Mul(hidden, scale);
    return b.graph(
      'g',
      [
        { name: 'latent', type: 'float32', dims: ['N', 2] },
        { name: 'y', type: 'int64', dims: ['N'] },
      ],
      [{ name: image, type: 'float32', dims: ['N', 2] }],
    );
  }
  // Row 2 of the table is [5, 6]; L = <g, image>.
  const arrays: [string, Tensor][] = [
    ['z', tensorOf('float64', [1, -1], [1, 2])],
    ['y', tensorOf('float64', [10, -3], [1, 2])],
    ['g', tensorOf('float64', [1, 2], [1, 2])],
    ['grad_z', tensorOf('float64', [10, 6], [1, 2])],
    ['grad_table', tensorOf('float64', [0, 0, 0, 0, 2, -1], [3, 2])],
    ['grad_scale', tensorOf('float64', [5, -12])],
    ['grad_hidden', tensorOf('float64', [2, 1], [1, 2])],
  ];
  const wrt = new Map(['table', 'scale', 'hidden'].map((name) => [name, `grad_${name}`]));

  it.each(['in.y', 'input_y', 'labels'])('z is the only float input, the label is %s', async (key) => {
    const reference = new Map([...arrays, [key, tensorOf('int32', [2])] as const]);
    const result = await checkByReference(labelled(), runtime, { reference, wrt });
    expect(result.entries.map(({ tensor, passed }) => [tensor, passed])).toEqual([
      ['Mul', true],
      ['table', true],
      ['scale', true],
      ['hidden', true],
      ['latent', true],
    ]);
  });

  it('an input without an array is named, and a value that depends on nothing differentiable', async () => {
    const reference = new Map(arrays);
    await expect(checkByReference(labelled(), runtime, { reference })).rejects.toThrow(/value of the input 'y'/);
    const named = new Map([...arrays, ['in.y', tensorOf('int64', [2])] as const]);
    await expect(
      checkByReference(labelled(), runtime, { reference: named, wrt: new Map([['nowhere', 'grad_z']]) }),
    ).rejects.toThrow(/no input, float weight or value named 'nowhere'/);
  });
});

describe.skipIf(!hasShared)(withShared('by reference'), () => {
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
      `[RgiError: The reference has no array for the cotangent 'g'; it has z, grad_z.]`,
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
