/** Lists of tensors, as exporters write unbind, split and stack: run as written, and run as read (no list left). */
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import { type Handmade, handmade, intAttribute, longs, node } from '../support/protos.ts';

const runtime = nodeRuntime({ threads: 1 });
const x = float32(randomFrom(5).normals(2 * 6 * 3), [2, 6, 3]);

async function run(bytes: Uint8Array) {
  const session = await runtime.session(bytes);
  try {
    return await session.run(new Map<string, Tensor>([['x', x]]));
  } finally {
    await session.dispose();
  }
}

const axis1 = intAttribute('axis', 1);
const at = (list: string, i: number, y: string) => node('SequenceAt', `${list} at${i}`, y);
const indices = [-2, -1, 0, 1, 2, 3].map((i) => longs(`at${i}`, [], [i]));
const shapeArithmetic = [
  node('Shape', 'x', 'shape'),
  node('Gather', 'shape at1', 'channels'),
  node('Div', 'channels at2', 'half'),
  node('Unsqueeze', 'half zero', 'halves'),
  node('Concat', 'halves one two', 'sizes', [intAttribute('axis', 0)]),
];
const vectors = [longs('zero', [1], [0]), longs('one', [1], [1]), longs('two', [1], [2])];

const forms: Record<string, Handmade> = {
  'unbind, its parts multiplied': {
    nodes: [
      node('SplitToSequence', 'x', 'list', [axis1, intAttribute('keepdims', 0)]),
      at('list', 0, 'a'),
      at('list', -1, 'b'),
      node('Mul', 'a b', 'y'),
    ],
  },
  'parts of one that keep the axis': {
    nodes: [node('SplitToSequence', 'x', 'list', [axis1]), at('list', 2, 'y')],
  },
  'parts of equal size, the last shorter': {
    nodes: [node('SplitToSequence', 'x four', 'list', [axis1]), at('list', 1, 'y'), at('list', -2, 'z')],
    outputs: { y: [], z: [] },
  },
  'parts of given sizes': {
    nodes: [node('SplitToSequence', 'x sizes', 'list', [axis1]), at('list', 1, 'y'), at('list', -1, 'z')],
    initializers: [longs('sizes', [3], [1, 2, 3])],
    outputs: { y: [], z: [] },
  },
  'a size computed from the shape': {
    nodes: [
      ...shapeArithmetic.slice(0, 3),
      node('SplitToSequence', 'x half', 'list', [axis1]),
      at('list', 1, 'y'),
      at('list', -2, 'z'),
    ],
    outputs: { y: [], z: [] },
  },
  'sizes computed from the shape': {
    nodes: [
      ...shapeArithmetic,
      node('SplitToSequence', 'x sizes', 'list', [axis1]),
      at('list', 0, 'y'),
      at('list', 2, 'z'),
      at('list', -2, 'u'),
    ],
    outputs: { y: [], z: [], u: [] },
  },
  'stack and concatenation of a list': {
    nodes: [
      node('Neg', 'x', 'n'),
      node('SequenceConstruct', 'x n', 'list'),
      node('ConcatFromSequence', 'list', 'y', [intAttribute('axis', -1), intAttribute('new_axis', 1)]),
      node('ConcatFromSequence', 'list', 'z', [axis1]),
    ],
    outputs: { y: [], z: [] },
  },
  'a list grown and shrunk': {
    nodes: [
      node('Neg', 'x', 'n'),
      node('Exp', 'x', 'e'),
      node('SequenceEmpty', '', 'l0'),
      node('SequenceInsert', 'l0 x', 'l1'),
      node('SequenceInsert', 'l1 n at0', 'l2'),
      node('SequenceInsert', 'l2 e at-1', 'l3'),
      node('Identity', 'l3', 'l4'),
      node('SequenceErase', 'l4 at0', 'l5'),
      node('ConcatFromSequence', 'l5', 'y', [axis1]),
      node('SequenceLength', 'l4', 'length'),
      node('CastLike', 'length x', 'z'),
    ],
    outputs: { y: [], z: [] },
  },
  'split and joined again, and counted': {
    nodes: [
      node('SplitToSequence', 'x four', 'list', [axis1]),
      node('ConcatFromSequence', 'list', 'y', [axis1]),
      node('SequenceLength', 'list', 'length'),
      node('CastLike', 'length x', 'z'),
    ],
    outputs: { y: [], z: [] },
  },
};

describe('lists of tensors', () => {
  for (const [name, form] of Object.entries(forms)) {
    it(name, async () => {
      const four = longs('four', [], [4]);
      const initializers = [...indices, ...vectors, four, ...(form.initializers ?? [])];
      const bytes = handmade({ inputs: { x: ['N', 'C', 3] }, ...form, initializers });
      const { graph } = readModel(bytes);
      expect(graph.nodes.filter((made) => /Sequence/.test(made.operator))).toEqual([]);
      const [expected, actual] = [await run(bytes), await run(encodeModel(graph))];
      for (const [output, value] of expected) {
        expectClose(actual.get(output)!, value, 1e-6, output);
      }
    });
  }

  it('refuses a list that stays one, naming the node', () => {
    const list = node('SplitToSequence', 'x', 'list', [axis1]);
    const read = (nodes: Handmade['nodes']) => () => readModel(handmade({ nodes, initializers: indices }));
    expect(read([list, node('SequenceMap', 'list', 'y')])).toThrow(/SequenceMap 'SequenceMap_y' works on a list/);
    expect(read([list, node('SequenceAt', 'list x', 'y')])).toThrow(/position is not a constant/);
    expect(read([node('SequenceConstruct', 'x', 'l'), at('l', 2, 'y')])).toThrow(/1 tensors and no number 2/);
  });
});
