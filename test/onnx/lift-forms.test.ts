/** Old forms that the fixtures do not hold: a one-node file, run as written and run lifted. */
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, numbersOf, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import {
  floatAttribute,
  floats,
  floatsAttribute,
  graphAttribute,
  type Handmade,
  handmade,
  infos,
  intAttribute,
  intsAttribute,
  longs,
  node,
  stringAttribute,
} from '../support/protos.ts';

const runtime = nodeRuntime();

async function run(bytes: Uint8Array, feeds: Map<string, Tensor>) {
  const session = await runtime.session(bytes);
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

const x = float32(randomFrom(3).normals(2 * 4 * 6 * 5), [2, 4, 6, 5]);
const INT64_MAX = 9223372036854775807n;

/** Forms that ONNX Runtime still runs as written. */
const forms: Record<string, Handmade> = {
  'Slice 9 to the end (INT64_MAX)': {
    opset: 9,
    nodes: [
      node('Slice', 'x', 'y', [
        intsAttribute('starts', [1]),
        intsAttribute('ends', [INT64_MAX]),
        intsAttribute('axes', [2]),
      ]),
    ],
  },
  'Slice 9 without axes': {
    opset: 9,
    nodes: [node('Slice', 'x', 'y', [intsAttribute('starts', [0, 1]), intsAttribute('ends', [2, -1])])],
  },
  'Split 11 into equal parts': {
    opset: 11,
    nodes: [node('Split', 'x', 'y z', [intAttribute('axis', 1)])],
    outputs: { y: [], z: [] },
  },
  'Split 13 into equal parts': {
    opset: 13,
    nodes: [node('Split', 'x', 'y z', [intAttribute('axis', 1)])],
    outputs: { y: [], z: [] },
  },
  'Split 13 by an input': {
    opset: 13,
    nodes: [node('Split', 'x sizes', 'y z', [intAttribute('axis', 1)])],
    outputs: { y: [], z: [] },
    initializers: [longs('sizes', [2], [1, 3])],
  },
  'Softmax 11, default axis': { opset: 11, nodes: [node('Softmax', 'x', 'y')] },
  'Softmax 9, axis 2': { opset: 9, nodes: [node('Softmax', 'x', 'y', [intAttribute('axis', 2)])] },
  'Softmax 12, last axis': { opset: 12, nodes: [node('Softmax', 'x', 'y', [intAttribute('axis', -1)])] },
  'Hardmax 11': { opset: 11, nodes: [node('Hardmax', 'x', 'y')] },
  'LogSoftmax 11, axis 3': { opset: 11, nodes: [node('LogSoftmax', 'x', 'y', [intAttribute('axis', 3)])] },
  'Clip 6, one bound': { opset: 10, nodes: [node('Clip', 'x', 'y', [floatAttribute('min', -0.25)])] },
  'Clip 6, no bounds': { opset: 9, nodes: [node('Clip', 'x', 'y')] },
  'Pad 2, reflect': {
    opset: 10,
    nodes: [
      node('Pad', 'x', 'y', [stringAttribute('mode', 'reflect'), intsAttribute('pads', [0, 0, 1, 2, 0, 0, 2, 1])]),
    ],
  },
  'Dropout 9, mask unused': { opset: 9, nodes: [node('Dropout', 'x', 'y', [floatAttribute('ratio', 0.3)])] },
  'Dropout 10 with its mask': {
    opset: 10,
    nodes: [
      node('Dropout', 'x', 'y m', [floatAttribute('ratio', 0.3)]),
      node('Cast', 'm', 'z', [intAttribute('to', 1)]),
    ],
    outputs: { y: [], z: [] },
  },
  'Dropout 13, ratio and training_mode as inputs': {
    opset: 13,
    nodes: [
      node('Constant', '', 'training', [{ name: 'value', type: 4, t: { dims: [], dataType: 9, int32Data: [0] } }]),
      node('Dropout', 'x ratio training', 'y'),
    ],
    initializers: [floats('ratio', [], [0.5])],
  },
  'TopK 9': { opset: 9, nodes: [node('TopK', 'x', 'y i', [intAttribute('k', 2), intAttribute('axis', 1)])] },
  'Scatter 9': {
    opset: 9,
    nodes: [node('Scatter', 'x i u', 'y', [intAttribute('axis', 0)])],
    initializers: [longs('i', [1, 1, 1, 2], [1, 0]), floats('u', [1, 1, 1, 2], [7, 8])],
  },
  'Upsample 9, nearest': {
    opset: 9,
    nodes: [node('Upsample', 'x s', 'y')],
    initializers: [floats('s', [4], [1, 1, 2, 3])],
  },
  'Resize 10, nearest, up and down': {
    opset: 10,
    nodes: [node('Resize', 'x s', 'y')],
    initializers: [floats('s', [4], [1, 1, 2, 0.6])],
  },
  'Resize 10, nearest, down': {
    opset: 10,
    nodes: [node('Resize', 'x s', 'y')],
    initializers: [floats('s', [4], [1, 1, 0.5, 0.6])],
  },
  'Resize 11, empty scales and sizes': {
    opset: 11,
    nodes: [node('Resize', 'x roi scales sizes', 'y', [stringAttribute('mode', 'nearest')])],
    initializers: [floats('roi', [0], []), floats('scales', [0], []), longs('sizes', [4], [2, 4, 12, 10])],
  },
  'Resize 11, tf_half_pixel_for_nn': {
    opset: 11,
    nodes: [
      node('Resize', 'x roi scales', 'y', [
        stringAttribute('mode', 'nearest'),
        stringAttribute('coordinate_transformation_mode', 'tf_half_pixel_for_nn'),
        stringAttribute('nearest_mode', 'floor'),
      ]),
    ],
    initializers: [floats('roi', [0], []), floats('scales', [4], [1, 1, 1.5, 0.8])],
  },
  'Resize 11, tf_half_pixel_for_nn, default rounding': {
    opset: 11,
    nodes: [
      node('Resize', 'x roi scales', 'y', [
        stringAttribute('mode', 'nearest'),
        stringAttribute('coordinate_transformation_mode', 'tf_half_pixel_for_nn'),
      ]),
    ],
    initializers: [floats('roi', [0], []), floats('scales', [4], [1, 1, 0.5, 0.8])],
  },
  'a Loop whose body declares scalars': {
    opset: 11,
    nodes: [
      node('Loop', 'trips _ x', 'y', [
        graphAttribute('body', {
          name: 'body',
          node: [node('Cast', 'i', 'f', [intAttribute('to', 1)]), node('Add', 'v f', 'w'), node('Identity', 'c', 'd')],
          input: infos({ i: { type: 7, dims: [] }, c: { type: 9, dims: [] }, v: [2, 4, 6, 5] }),
          output: [{ name: 'd' }, { name: 'w' }],
        }),
      ]),
    ],
    initializers: [longs('trips', [], [3])],
  },
  'ReduceMax 12 over all axes': { opset: 12, nodes: [node('ReduceMax', 'x', 'y', [intAttribute('keepdims', 0)])] },
  'Squeeze 11 without axes': {
    opset: 11,
    nodes: [node('ReduceMean', 'x', 'm', [intsAttribute('axes', [1, 2])]), node('Squeeze', 'm', 'y')],
  },
  'Gemm 9 with a row as C': {
    opset: 9,
    nodes: [node('Flatten', 'x', 'f'), node('Gemm', 'f w c', 'y', [floatAttribute('beta', 0.5)])],
    initializers: [
      floats(
        'w',
        [120, 2],
        Array.from({ length: 240 }, (_, i) => Math.sin(i)),
      ),
      floats('c', [2], [1, 2]),
    ],
  },
  'BatchNormalization 9': {
    opset: 9,
    nodes: [
      node('BatchNormalization', 'x s b m v', 'y', [floatAttribute('epsilon', 1e-3), floatAttribute('momentum', 0.9)]),
    ],
    initializers: ['s', 'b', 'm', 'v'].map((name, i) => floats(name, [4], [0.5 + i, 1, 2, 3])),
  },
  'Constants of every form': {
    opset: 13,
    nodes: [
      node('Constant', '', 'a', [floatAttribute('value_float', 1.5)]),
      node('Constant', '', 'b', [floatsAttribute('value_floats', [1, 2, 3, 4, 5])]),
      node('Constant', '', 'c', [intAttribute('value_int', 3)]),
      node('Constant', '', 'd', [intsAttribute('value_ints', [0, -1])]),
      node('Mul', 'x a', 'xa'),
      node('Add', 'xa b', 'xb'),
      node('Cast', 'c', 'cf', [intAttribute('to', 1)]),
      node('Add', 'xb cf', 'xc'),
      node('Reshape', 'xc d', 'y'),
    ],
  },
  'old forms inside the branches of an If': {
    opset: 11,
    nodes: [
      node('ReduceSum', 'x', 'sum', [intAttribute('keepdims', 0)]),
      node('Constant', '', 'zero', [{ name: 'value', type: 4, t: { dims: [], dataType: 1, floatData: [0] } }]),
      node('Greater', 'sum zero', 'positive'),
      node('If', 'positive', 'y', [
        graphAttribute('then_branch', {
          name: 'then',
          node: [node('Unsqueeze', 'x', 'a', [intsAttribute('axes', [0])])],
          output: infos({ a: [] }),
        }),
        graphAttribute('else_branch', {
          name: 'else',
          node: [node('Neg', 'x', 'n'), node('Unsqueeze', 'n', 'e', [intsAttribute('axes', [0])])],
          output: infos({ e: [] }),
        }),
      ]),
    ],
  },
};

describe('old forms', () => {
  for (const [name, form] of Object.entries(forms)) {
    it(name, async () => {
      const bytes = handmade({ ...form, inputs: { x: ['N', 4, 6, 5] } });
      const { graph } = readModel(bytes);
      const feeds = new Map([['x', x]]);
      const reference = await run(bytes, feeds);
      const lifted = await run(encodeModel(graph), feeds);
      for (const [output, value] of reference) expectClose(lifted.get(output)!, value, 1e-6, output);
    });
  }

  it('GroupNormalization 21 scales by channel, 18 by group; both by instance normalisation', async () => {
    const channels = [floats('s', [4], [1, 2, 3, 4]), floats('b', [4], [0.1, 0.2, 0.3, 0.4])];
    const groups = [floats('s', [2], [1, 3]), floats('b', [2], [0.1, 0.4])];
    const results = await Promise.all(
      [21, 18].map(async (opset) => {
        const bytes = handmade({
          opset,
          nodes: [node('GroupNormalization', 'x s b', 'y', [intAttribute('num_groups', 2)])],
          inputs: { x: ['N', 4, 6, 5] },
          initializers: opset === 21 ? channels : groups,
        });
        return (await run(encodeModel(readModel(bytes).graph), new Map([['x', x]]))).get('y')!;
      }),
    );
    const [byChannel, byGroup] = results.map(numbersOf);
    const values = numbersOf(x);
    // Closed form: mean and population variance over the two channels of a group.
    for (let n = 0; n < 2; n++) {
      for (let group = 0; group < 2; group++) {
        const start = (n * 4 + group * 2) * 30;
        const own = values.slice(start, start + 60);
        const mean = own.reduce((a, v) => a + v, 0) / 60;
        const deviation = Math.sqrt(own.reduce((a, v) => a + (v - mean) ** 2, 0) / 60 + 1e-5);
        own.forEach((v, i) => {
          const channel = 2 * group + Math.floor(i / 30);
          const normal = (v - mean) / deviation;
          expect(byChannel[start + i]).toBeCloseTo(normal * (channel + 1) + 0.1 * (channel + 1), 4);
          expect(byGroup[start + i]).toBeCloseTo(normal * [1, 3][group] + [0.1, 0.4][group], 4);
        });
      }
    }
  });

  it('training forms become inference, or stay and are noted', () => {
    const statistics = ['s', 'b', 'm', 'v'].map((name) => floats(name, [4], [1, 1, 1, 1]));
    const exported = readModel(
      handmade({ opset: 9, nodes: [node('BatchNormalization', 'x s b m v', 'y a b2 c d')], initializers: statistics }),
    );
    expect(exported.graph.nodes[0].outputs).toEqual(['y']);
    expect(exported.notes).toMatchInlineSnapshot(`
      [
        "BatchNormalization 'BatchNormalization_y a b2 c d' was exported with training outputs; its inference form is computed.",
      ]
    `);
    const training = readModel(
      handmade({
        opset: 15,
        nodes: [node('BatchNormalization', 'x s b m v', 'y a c', [intAttribute('training_mode', 1)])],
        initializers: statistics,
      }),
    );
    expect(training.graph.nodes[0].outputs).toEqual(['y', 'a', 'c']);
    expect(training.notes).toMatchInlineSnapshot(`
      [
        "BatchNormalization 'BatchNormalization_y a c' is in training mode: export the model after model.eval().",
      ]
    `);
  });

  it('inputs left out at the end are cut: ONNX Runtime crashes on a LayerNormalization whose bias is named ""', async () => {
    const { graph } = readModel(
      handmade({
        nodes: [node('LayerNormalization', 'x s _', 'y', [intAttribute('axis', -1)])],
        inputs: { x: ['N', 2] },
        initializers: [floats('s', [2], [1, 3])],
      }),
    );
    expect(graph.nodes[0].inputs).toEqual(['x', 's']);
    const result = await run(encodeModel(graph), new Map([['x', float32([1, 5], [1, 2])]]));
    expect(numbersOf(result.get('y')!).map((v) => Math.round(v * 1e3) / 1e3)).toEqual([-1, 3]);
  });

  it('nodes of other domains pass untouched, and the written file imports their domain', async () => {
    const bytes = handmade({
      nodes: [node('FusedMatMul', 'x w', 'y', [intAttribute('transB', 1)], { domain: 'com.microsoft' })],
      inputs: { x: ['N', 3] },
      initializers: [floats('w', [2, 3], [1, 2, 3, 4, 5, 6])],
      more: {
        opsetImport: [
          { domain: '', version: 17n },
          { domain: 'com.microsoft', version: 1n },
        ],
      },
    });
    const result = await run(encodeModel(readModel(bytes).graph), new Map([['x', float32([1, 1, 1], [1, 3])]]));
    expect(numbersOf(result.get('y')!)).toEqual([6, 15]);
  });
});
