/** Local functions inlined on reading, against ONNX Runtime, which inlines them itself. */
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, numbersOf, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import {
  floatAttribute,
  floats,
  graphAttribute,
  type Handmade,
  handmade,
  infos,
  intsAttribute,
  Kind,
  node,
  referenceAttribute,
} from '../support/protos.ts';

const runtime = nodeRuntime();
const x = float32([-2, -0.5, 1, 3, 4, -6, 7, 8], [2, 4]);
const own = { domain: 'own' };
const standard = (version: number) => [{ domain: '', version: BigInt(version) }];

async function run(bytes: Uint8Array): Promise<Tensor> {
  const session = await runtime.session(bytes);
  const result = await session.run(new Map([['x', x]]));
  await session.dispose();
  return result.get('y')!;
}

/** slope and offset by attribute; `offset` has a default, `slope` has none. */
const leaky = {
  name: 'Leaky',
  domain: 'own',
  input: ['in'],
  output: ['out'],
  attribute: ['slope'],
  attributeProto: [floatAttribute('offset', 0.25)],
  opsetImport: standard(17),
  node: [
    node('LeakyRelu', 'in', 't', [referenceAttribute('alpha', 'slope', Kind.FLOAT)]),
    node('Constant', '', 'c', [referenceAttribute('value_float', 'offset', Kind.FLOAT)]),
    node('Add', 't c', 'out'),
  ],
};

const models: Record<string, Handmade> = {
  'a function called twice keeps its inner values apart': {
    nodes: [
      node('Leaky', 'x', 'a', [floatAttribute('slope', 0.5)], own),
      node('Leaky', 'a', 'y', [floatAttribute('slope', 0.1), floatAttribute('offset', -1)], own),
    ],
    functions: [leaky],
  },
  'nested calls hand attributes on': {
    nodes: [node('Outer', 'x', 'y', [floatAttribute('steep', 0.3)], own)],
    functions: [
      leaky,
      {
        name: 'Outer',
        domain: 'own',
        input: ['t'],
        output: ['c'],
        attribute: ['steep'],
        opsetImport: [...standard(17), { domain: 'own', version: 1n }],
        node: [node('Leaky', 't', 'u', [referenceAttribute('slope', 'steep', Kind.FLOAT)], own), node('Neg', 'u', 'c')],
      },
    ],
  },
  'names of the model that look like inlined ones': {
    nodes: [node('Neg', 'x', 'Leaky_y/t'), node('Leaky', 'Leaky_y/t', 'y', [floatAttribute('slope', 0.5)], own)],
    functions: [leaky],
  },
  'an If whose branches read the parameters': {
    nodes: [node('Choose', 'x', 'y', [floatAttribute('slope', 2)], own)],
    functions: [
      {
        name: 'Choose',
        domain: 'own',
        input: ['v'],
        output: ['r'],
        attribute: ['slope'],
        opsetImport: standard(17),
        node: [
          node('ReduceMax', 'v', 'top', [{ name: 'keepdims', type: Kind.INT, i: 0n }]),
          node('Constant', '', 'zero', [floatAttribute('value_float', 0)]),
          node('Greater', 'top zero', 'yes'),
          node('If', 'yes', 'r', [
            graphAttribute('then_branch', {
              name: 'then',
              node: [node('LeakyRelu', 'v', 'a', [referenceAttribute('alpha', 'slope', Kind.FLOAT)])],
              output: infos({ a: [] }),
            }),
            graphAttribute('else_branch', { name: 'else', node: [node('Neg', 'v', 'e')], output: infos({ e: [] }) }),
          ]),
        ],
      },
    ],
  },
};

describe('local functions', () => {
  for (const [name, model] of Object.entries(models)) {
    it(name, async () => {
      const bytes = handmade(model);
      const { graph } = readModel(bytes);
      expect(graph.nodes.every((n) => n.domain === '')).toBe(true);
      expectClose(await run(encodeModel(graph)), await run(bytes), 1e-6, 'y');
    });
  }

  it('a body written for another opset is lifted from its own', async () => {
    // Unsqueeze with its axes as attribute (11) in a model of opset 17.
    const { graph } = readModel(
      handmade({
        nodes: [node('Column', 'x', 'y', [], own)],
        functions: [
          {
            name: 'Column',
            domain: 'own',
            input: ['v'],
            output: ['c'],
            opsetImport: standard(11),
            node: [node('Unsqueeze', 'v', 'c', [intsAttribute('axes', [-1])])],
          },
        ],
      }),
    );
    expect((await run(encodeModel(graph))).dims).toEqual([2, 4, 1]);
  });

  it('an input left out and an output not asked for are left out inside, too', async () => {
    const { graph } = readModel(
      handmade({
        nodes: [node('Limited', 'x _ high', 'y', [], own)],
        initializers: [floats('high', [], [2])],
        functions: [
          {
            name: 'Limited',
            domain: 'own',
            input: ['v', 'lo', 'hi'],
            output: ['limited', 'count'],
            opsetImport: standard(17),
            node: [node('Clip', 'v lo hi', 'limited'), node('Size', 'v', 'count')],
          },
        ],
      }),
    );
    expect(graph.nodes[0].inputs).toEqual(['x', '', 'high']);
    expect(numbersOf(await run(encodeModel(graph)))).toEqual([-2, -0.5, 1, 2, 2, -6, 2, 2]);
  });

  it('overloads are different functions', async () => {
    const twice = { domain: 'own', input: ['v'], output: ['c'], opsetImport: standard(17), name: 'F' };
    const { graph } = readModel(
      handmade({
        nodes: [
          node('F', 'x', 'a', [], { ...own, overload: 'neg' }),
          node('F', 'a', 'y', [], { ...own, overload: 'abs' }),
        ],
        functions: [
          { ...twice, overload: 'abs', node: [node('Abs', 'v', 'c')] },
          { ...twice, overload: 'neg', node: [node('Neg', 'v', 'c')] },
        ],
      }),
    );
    expect(graph.nodes.map((n) => n.operator)).toEqual(['Neg', 'Abs']);
    expect(numbersOf(await run(encodeModel(graph)))[0]).toBe(2);
  });

  const calling = (name: string, calls: string[]) => ({
    name,
    domain: 'own',
    input: ['v'],
    output: [`o${calls.length}`],
    opsetImport: [...standard(17), { domain: 'own', version: 1n }],
    node: calls.map((called, i) => node(called, i === 0 ? 'v' : `o${i}`, `o${i + 1}`, [], own)),
  });

  it('a function that calls itself is refused', () => {
    const bytes = handmade({
      nodes: [node('A', 'x', 'y', [], own)],
      functions: [calling('A', ['B']), calling('B', ['A'])],
    });
    expect(() => readModel(bytes)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The model's function 'A' calls itself; it cannot be inlined.]`,
    );
  });

  it('functions that multiply without bound are refused in time', () => {
    const levels = Array.from({ length: 30 }, (_, i) => calling(`F${i}`, [`F${i + 1}`, `F${i + 1}`, `F${i + 1}`]));
    const bytes = handmade({
      nodes: [node('F0', 'x', 'y', [], own)],
      functions: [...levels, { ...calling('F30', []), output: ['v'] }],
    });
    expect(() => readModel(bytes)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The model's function 'F19' stands for more than 200000 nodes; it cannot be inlined.]`,
    );
  });

  it('a call with too many inputs is refused', () => {
    const bytes = handmade({ nodes: [node('Leaky', 'x x', 'y', [], own)], functions: [leaky] });
    expect(() => readModel(bytes)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: 'Leaky_y' calls the function 'Leaky' with 2 inputs and 1 outputs; it has 1 and 1.]`,
    );
  });
});
