/** Sizes that a file declares are refused before anything of that size is made. */
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { readModel } from '../../src/onnx/read.ts';
import {
  floats,
  graphAttribute,
  type Handmade,
  handmade,
  infos,
  intAttribute,
  intsAttribute,
  longs,
  node,
} from '../support/protos.ts';

const refusal = (model: Handmade) => {
  const started = performance.now();
  try {
    readModel(handmade(model));
    return 'read';
  } catch (error) {
    expect(performance.now() - started).toBeLessThan(200);
    return messageOf(error);
  }
};

const relu = [node('Relu', 'x', 'y')];
const HUGE = 2 ** 31;

describe('sizes of inputs', () => {
  const damaged = 'The file is damaged, or made to exhaust the memory.';
  it.each([
    [
      ['N', HUGE],
      `The input 'x' declares [N, 2147483648], 2147483648 values for each picture; at most 16777216 are accepted. ${damaged}`,
    ],
    [
      ['N', 1e12],
      `The input 'x' declares [N, 1000000000000], 1000000000000 values for each picture; at most 16777216 are accepted. ${damaged}`,
    ],
    [['N', 2 ** 60], "'x' declares a dimension of 1152921504606846976, which no tensor has: the model is damaged."],
    [
      ['N', 3, 65536, 65536],
      `The input 'x' declares [N, 3, 65536, 65536], 12884901888 values for each picture; at most 16777216 are accepted. ${damaged}`,
    ],
    [
      [HUGE, 4],
      `The input 'x' declares [2147483648, 4], 8589934592 values; at most 134217728 are accepted. ${damaged}`,
    ],
  ])('%j', (dims, sentence) => {
    expect(refusal({ inputs: { x: dims }, nodes: relu })).toBe(sentence);
  });

  it('of usual models pass', () => {
    expect(refusal({ inputs: { x: ['N', 3, 1024, 1024] }, nodes: relu })).toBe('read');
    expect(refusal({ inputs: { x: [64, 3, 512, 512] }, nodes: relu })).toBe('read');
  });
});

describe('sizes of what operators make', () => {
  const cases: Record<string, Omit<Handmade, 'inputs'>> = {
    ConstantOfShape: { nodes: [node('ConstantOfShape', 's', 'y')], initializers: [longs('s', [2], [HUGE, 4])] },
    Expand: { nodes: [node('Expand', 'x s', 'y')], initializers: [longs('s', [3], [1e6, 1e6, 4])] },
    Tile: { nodes: [node('Tile', 'x s', 'y')], initializers: [longs('s', [2], [1, HUGE])] },
    Pad: { nodes: [node('Pad', 'x p', 'y')], initializers: [longs('p', [4], [0, 1e7, 0, 1e10])] },
    Resize: { nodes: [node('Resize', 'x _ s', 'y')], initializers: [floats('s', [2], [1e6, 1e6])] },
    'Resize to a size': { nodes: [node('Resize', 'x _ _ s', 'y')], initializers: [longs('s', [2], [HUGE, HUGE])] },
    Range: {
      nodes: [node('Range', 'a b c', 'y')],
      initializers: [longs('a', [], [0]), longs('b', [], [2 ** 40]), longs('c', [], [1])],
    },
    RandomNormal: { nodes: [node('RandomNormal', '', 'y', [intsAttribute('shape', [HUGE, 2])])] },
    Conv: {
      nodes: [node('Conv', 'x w', 'y', [intsAttribute('pads', [1e5, 1e5, 1e5, 1e5])])],
      initializers: [floats('w', [1, 1, 1, 1], [1])],
    },
  };
  it('are told by the operator', () => {
    const said = Object.fromEntries(Object.entries(cases).map(([name, model]) => [name, refusal(model)]));
    expect(said).toMatchInlineSnapshot(`
      {
        "ConstantOfShape": "ConstantOfShape 'ConstantOfShape_y' makes 8589934592 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Conv": "Conv 'Conv_y' makes 40000000000 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Expand": "Expand 'Expand_y' makes 4000000000000 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Pad": "Pad 'Pad_y' makes 10010000000 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "RandomNormal": "RandomNormal 'RandomNormal_y' makes 4294967296 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Range": "Range 'Range_y' makes 1099511627776 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Resize": "Resize 'Resize_y' makes 1000000000000 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Resize to a size": "Resize 'Resize_y' makes 4611686018427388000 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
        "Tile": "Tile 'Tile_y' makes 2147483648 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
      }
    `);
  });

  it('inside of subgraphs and by Constant nodes too, and small ones pass', () => {
    const made = (name: string) => ({
      name,
      node: [
        node('Constant', '', 's', [intsAttribute('value_ints', [HUGE])]),
        node('ConstantOfShape', 's', `${name}_y`),
      ],
      output: infos({ [`${name}_y`]: [] }),
    });
    const branches: Handmade = {
      inputs: { c: { type: 9, dims: [] } },
      nodes: [
        node('If', 'c', 'y', [graphAttribute('then_branch', made('a')), graphAttribute('else_branch', made('b'))]),
      ],
    };
    expect(refusal(branches)).toBe(
      "ConstantOfShape 'ConstantOfShape_a_y' makes 2147483648 values or more; at most 1073741824 are accepted. The file is damaged, or made to exhaust the memory.",
    );
    const small: Handmade = { nodes: [node('Expand', 'x s', 'y')], initializers: [longs('s', [2], [8, 4])] };
    expect(refusal(small)).toBe('read');
  });
});

it('groups of a normalisation are not believed: 203 bytes asked for 6 GiB', () => {
  const grouped = (groups: number, channels?: number): Handmade => ({
    opset: 21,
    inputs: { x: ['N', 4, 8, 8], ...(channels ? {} : { s: [4], b: [4] }) },
    initializers: channels ? [floats('s', [4], [1, 1, 1, 1]), floats('b', [4], [0, 0, 0, 0])] : [],
    nodes: [node('GroupNormalization', 'x s b', 'y', [intAttribute('num_groups', groups)])],
  });
  expect(refusal(grouped(HUGE, 4))).toBe(
    "GroupNormalization 'GroupNormalization_y' has 2147483648 groups for 4 channels: the model is damaged.",
  );
  expect(refusal(grouped(HUGE))).toBe(
    "GroupNormalization 'GroupNormalization_y' has 2147483648 groups; at most 65536 are accepted. The model is damaged.",
  );
  expect(refusal(grouped(0, 4))).toBe(
    "GroupNormalization 'GroupNormalization_y' has 0 groups for 4 channels: the model is damaged.",
  );
  expect(refusal(grouped(2, 4))).toBe('read');
});

it('a tensor of impossible dimensions is refused, also where one of them is 0', () => {
  const model = (dims: bigint[]): Handmade => ({
    nodes: [node('Add', 'x w', 'y')],
    initializers: [{ name: 'w', dataType: 1, dims, rawData: new Uint8Array() }],
  });
  expect(refusal(model([2n ** 40n]))).toBe(
    "Initialiser 'w' of shape [1099511627776] needs 1099511627776 values but the file holds 0: the model is damaged.",
  );
  expect(refusal(model([0n, 2n ** 60n]))).toBe(
    "Initialiser 'w' declares the impossible shape [0, 1152921504606847000].",
  );
});
