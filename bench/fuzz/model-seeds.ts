/** Small valid ONNX files that between them pass through every part of the reader: old opsets, functions, subgraphs, sequences. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
} from 'onnx-buf';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type Attribute = MessageInitShape<typeof AttributeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

const int = (name: string, i: number): Attribute => ({ name, type: 2, i: BigInt(i) });
const ints = (name: string, values: number[]): Attribute => ({ name, type: 7, ints: values.map(BigInt) });
const float = (name: string, f: number): Attribute => ({ name, type: 1, f });
const text = (name: string, s: string): Attribute => ({ name, type: 3, s: new TextEncoder().encode(s) });
const node = (opType: string, input: string[], output: string[], attribute: Attribute[] = []): NodeInit => ({
  opType,
  name: `${opType}_${output[0]}`,
  input,
  output,
  attribute,
});
const floats = (name: string, values: number[], dims = [values.length]): TensorInit => ({
  name,
  dataType: 1,
  dims: dims.map(BigInt),
  floatData: values,
});
const longs = (name: string, values: number[]): TensorInit => ({
  name,
  dataType: 7,
  dims: [BigInt(values.length)],
  int64Data: values.map(BigInt),
});

function model(opset: number, nodes: NodeInit[], initializer: TensorInit[] = [], more: object = {}): Uint8Array {
  const info = (name: string, dims: (number | string)[]) => ({
    name,
    type: {
      value: {
        case: 'tensorType' as const,
        value: {
          elemType: 1,
          shape: {
            dim: dims.map((dim) => ({
              value:
                typeof dim === 'number'
                  ? { case: 'dimValue' as const, value: BigInt(dim) }
                  : { case: 'dimParam' as const, value: dim },
            })),
          },
        },
      },
    },
  });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      producerName: 'seed',
      opsetImport: [{ domain: '', version: BigInt(opset) }],
      metadataProps: [
        { key: 'rgi.latent', value: '{"input":"x","law":"normal"}' },
        { key: 'rgi.training', value: '{"tool":"rgi train","source":{"kind":"object","scale":1,"seen":"00"}}' },
        { key: 'rgi.policies', value: '{"default":{"format":1}}' },
      ],
      graph: { name: 'seed', node: nodes, input: [info('x', ['N', 4])], output: [info('y', ['N', 4])], initializer },
      ...more,
    }),
  );
}

export function modelSeeds(): Uint8Array[] {
  const branch: MessageInitShape<typeof GraphProtoSchema> = {
    name: 'then',
    output: [{ name: 'inner' }],
    node: [node('Mul', ['x', 'x'], ['inner'])],
  };
  const functions = [
    {
      name: 'twice',
      domain: 'own',
      input: ['a'],
      output: ['b'],
      attribute: ['alpha'],
      opsetImport: [{ domain: '', version: 17n }],
      node: [
        { ...node('LeakyRelu', ['a'], ['h']), attribute: [{ name: 'alpha', refAttrName: 'alpha', type: 1 }] },
        node('Add', ['h', 'a'], ['b']),
      ],
    },
  ];
  return [
    encodeModel(pictureGraph(3, 5), new Map([['rgi.image', '{"range":"-1..1"}']])),
    model(
      9,
      [
        node('Upsample', ['x', 's'], ['u'], [text('mode', 'nearest')]),
        node('Pad', ['u'], ['p'], [ints('pads', [0, 1, 0, 1]), float('value', 2)]),
        node('Slice', ['p'], ['c'], [ints('starts', [0]), ints('ends', [4]), ints('axes', [1])]),
        node('Clip', ['c'], ['d'], [float('min', -1), float('max', 1)]),
        node('TopK', ['d'], ['t', 'i'], [int('k', 2)]),
        node('Softmax', ['t'], ['y'], [int('axis', 1)]),
      ],
      [floats('s', [1, 2])],
    ),
    model(
      10,
      [
        node('Resize', ['x', 's'], ['r'], [text('mode', 'nearest')]),
        node('Dropout', ['r'], ['d', 'm'], [float('ratio', 0.5)]),
        node('ReduceMean', ['d'], ['y'], [ints('axes', [1]), int('keepdims', 1)]),
      ],
      [floats('s', [0.5, 2])],
    ),
    model(
      12,
      [
        node('BatchNormalization', ['x', 'g', 'b', 'm', 'v'], ['n'], [float('epsilon', 1e-5)]),
        node('Split', ['n'], ['p', 'q'], [int('axis', 1), ints('split', [2, 2])]),
        node('Unsqueeze', ['p'], ['w'], [ints('axes', [0])]),
        node('Squeeze', ['w'], ['v1'], [ints('axes', [0])]),
        node('Concat', ['v1', 'q'], ['y'], [int('axis', 1)]),
      ],
      ['g', 'b', 'm', 'v'].map((name) => floats(name, [1, 1, 1, 1])),
    ),
    model(
      17,
      [
        { ...node('twice', ['x'], ['h'], [float('alpha', 0.1)]), domain: 'own' },
        node('Constant', [], ['c'], [{ name: 'value', type: 4, t: floats('', [1, 2, 3, 4]) }]),
        node('Add', ['h', 'c'], ['y']),
      ],
      [],
      {
        functions,
        opsetImport: [
          { domain: '', version: 17n },
          { domain: 'own', version: 1n },
        ],
      },
    ),
    model(17, [
      node('Constant', [], ['flag'], [{ name: 'value', type: 4, t: { dataType: 9, int32Data: [1] } }]),
      node(
        'If',
        ['flag'],
        ['y'],
        ['then_branch', 'else_branch'].map((name) => ({ name, type: 5, g: branch })),
      ),
    ]),
    model(
      17,
      [
        node('SplitToSequence', ['x', 'size'], ['list'], [int('axis', 1)]),
        node('SequenceAt', ['list', 'at'], ['part']),
        node('SequenceConstruct', ['part', 'x'], ['other']),
        node('SequenceInsert', ['other', 'x', 'at'], ['longer']),
        node('ConcatFromSequence', ['longer'], ['y'], [int('axis', 1)]),
      ],
      [
        { ...longs('size', [2]), dims: [] },
        { ...longs('at', [1]), dims: [] },
      ],
    ),
    model(
      18,
      [node('GroupNormalization', ['x', 'g', 'b'], ['y'], [int('num_groups', 2), float('epsilon', 1e-5)])],
      [floats('g', [1, 1]), floats('b', [0, 0])],
    ),
    model(
      21,
      [node('Add', ['x', 'w'], ['h']), node('Add', ['h', 'v'], ['i']), node('Add', ['i', 'u'], ['y'])],
      [
        { name: 'w', dataType: 16, dims: [4n], rawData: new Uint8Array(8) },
        { name: 'v', dataType: 10, dims: [4n], int32Data: [1, 2, 3, 4] },
        {
          name: 'u',
          dataType: 1,
          dims: [4n],
          dataLocation: 1,
          externalData: [
            { key: 'location', value: 'weights.bin' },
            { key: 'offset', value: '0' },
            { key: 'length', value: '16' },
          ],
        },
      ],
    ),
  ];
}

/** As the product writes one: a small network that makes pictures [N, channels, side, side] of 4 numbers. */
export function pictureGraph(channels: number, side: number): Graph {
  const b = new GraphBuilder();
  const values = channels * side * side;
  const weight = b.initializer('weight', float32(new Float32Array(4 * values).fill(0.1), [4, values]));
  const flat = b.Tanh(b.MatMul(b.reserve('z'), weight));
  b.node('Reshape', [flat, b.ints([-1, channels, side, side])], {}, ['image']);
  return b.graph(
    'tiny',
    [{ name: 'z', type: 'float32', dims: ['N', 4] }],
    [{ name: 'image', type: 'float32', dims: ['N', channels, side, side] }],
  );
}
