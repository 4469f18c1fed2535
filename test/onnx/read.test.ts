/** What the reader makes of floats of other widths, of files that are no models, of damaged and of hostile ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RgiError } from '../../src/errors.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, floatToHalf, numbersOf } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import {
  floats,
  graphAttribute,
  type Handmade,
  handmade,
  infos,
  intAttribute,
  longs,
  node,
} from '../support/protos.ts';

const utf8 = new TextEncoder();
const scaled: Handmade = { nodes: [node('Mul', 'x w', 'y')], initializers: [floats('w', [4], [1, 2, 3, 4])] };

/** The message, with the error's code in front. Anything but an `RgiError` fails. */
function refusal(bytes: Uint8Array): string {
  try {
    readModel(bytes);
  } catch (error) {
    if (error instanceof RgiError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('The model was read.');
}

describe('floats of other widths become float32', () => {
  const half = [1, -0.5, 65504, 6e-8].map(floatToHalf);
  const raw16 = new Uint8Array(Uint16Array.from(half).buffer);
  const doubles = new Uint8Array(Float64Array.from([0.1, 2, 3, 4]).buffer);
  const bfloats = new Uint8Array(Uint16Array.from([0x3f80, 0xc000, 0x4040, 0x3e80]).buffer);
  const dims = [4n];
  const cases = {
    'float16, raw': { name: 'w', dims, dataType: 10, rawData: raw16 },
    'float16, typed': { name: 'w', dims, dataType: 10, int32Data: half },
    'float64, raw': { name: 'w', dims, dataType: 11, rawData: doubles },
    'float64, typed': { name: 'w', dims, dataType: 11, doubleData: [0.1, 2, 3, 4] },
    'bfloat16, raw': { name: 'w', dims, dataType: 16, rawData: bfloats },
    'bfloat16, typed': { name: 'w', dims, dataType: 16, int32Data: [0x3f80, 0xc000, 0x4040, 0x3e80] },
  };
  for (const [name, tensor] of Object.entries(cases)) {
    it(`${name}: weights, declared types, casts and constants`, async () => {
      const type = tensor.dataType;
      const { graph, notes } = readModel(
        handmade({
          nodes: [
            node('Cast', 'x', 'c', [intAttribute('to', type)]),
            node('Constant', '', 'one', [{ name: 'value', type: 4, t: { ...tensor, name: '' } }]),
            node('Mul', 'c w', 'm'),
            node('Sub', 'm one', 'y'),
          ],
          inputs: { x: { type, dims: ['N', 4] } },
          outputs: { y: { type, dims: ['N', 4] } },
          initializers: [tensor],
        }),
      );
      expect(notes).toEqual([`Values of type ${name.split(',')[0]} are computed in float32.`]);
      expect([...graph.inputs, ...graph.outputs].map((info) => info.type)).toEqual(['float32', 'float32']);
      const session = await nodeRuntime().session(encodeModel(graph));
      const y = (await session.run(new Map([['x', float32([2, 2, 2, 2], [1, 4])]]))).get('y')!;
      await session.dispose();
      const w = { 10: [1, -0.5, 65504, 2 ** -24], 11: [Math.fround(0.1), 2, 3, 4], 16: [1, -2, 3, 0.25] }[type]!;
      expect(numbersOf(y)).toEqual(w);
    });
  }

  it('models of float32 have no note, and integers stay', () => {
    const { graph, notes } = readModel(
      handmade({ ...scaled, initializers: [...scaled.initializers!, longs('n', [1], [7])] }),
    );
    expect(notes).toEqual([]);
    expect(graph.initializers.get('n')!.type).toBe('int64');
  });
});

describe('files that are no models', () => {
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    text: utf8.encode('Dear all, the model is attached.\n'),
    JSON: utf8.encode('{"model": 1}'),
    'a web page': utf8.encode('<!DOCTYPE html><html></html>'),
    'a Git LFS pointer': utf8.encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'),
    PNG: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13),
    zip: Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0),
    npy: Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0),
    safetensors: Uint8Array.of(64, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22),
    'a pickle': Uint8Array.of(0x80, 2, 0x8a, 10),
    zeros: new Uint8Array(64),
    'other protobuf': Uint8Array.of(0x08, 1, 0x12, 3, 97, 98, 99),
  };
  it('are named for what they are', () => {
    expect(
      Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, refusal(bytes)])),
    ).toMatchInlineSnapshot(`
      {
        "JSON": "model: This is a JSON text, not an ONNX model.",
        "PNG": "model: This is a PNG picture, not an ONNX model.",
        "a Git LFS pointer": "model: This is a Git LFS pointer (fetch the file itself with git lfs pull), not an ONNX model.",
        "a pickle": "model: This is a Python pickle (a PyTorch checkpoint; export it with torch.onnx.export), not an ONNX model.",
        "a web page": "model: This is an HTML or XML text (was a web page downloaded instead of the model?), not an ONNX model.",
        "empty": "model: The file is empty.",
        "npy": "model: This is a .npy array, not an ONNX model.",
        "other protobuf": "model: This is not an ONNX model, or it is cut short: it holds no graph.",
        "safetensors": "model: This is a safetensors file (weights without a graph; export the network with torch.onnx.export), not an ONNX model.",
        "text": "model: This is not an ONNX model, or it is cut short: copy it again, whole.",
        "zeros": "model: This is not an ONNX model, or it is cut short: copy it again, whole.",
        "zip": "model: This is a zip archive (a PyTorch checkpoint, an .npz or a .keras file; export it with torch.onnx.export or tf2onnx), not an ONNX model.",
      }
    `);
  });
});

describe('damaged and hostile models', () => {
  const models: Record<string, Handmade> = {
    'opset too old': { ...scaled, opset: 8 },
    'opset too new': { ...scaled, opset: 23 },
    'no standard domain': { ...scaled, more: { opsetImport: [{ domain: 'com.microsoft', version: 1n }] } },
    'no outputs': { ...scaled, outputs: {} },
    'negative size': { ...scaled, initializers: [floats('w', [-4], [1, 2, 3, 4])] },
    'huge size without data': { ...scaled, initializers: [floats('w', [2 ** 31, 2 ** 31, 2], [])] },
    'large size without data': { ...scaled, initializers: [floats('w', [2 ** 20, 2 ** 20], [])] },
    'too few values': { ...scaled, initializers: [floats('w', [2, 4], [1, 2, 3, 4])] },
    'raw data of another length': {
      ...scaled,
      initializers: [{ name: 'w', dims: [4n], dataType: 1, rawData: new Uint8Array(15) }],
    },
    strings: { ...scaled, initializers: [{ name: 'w', dims: [1n], dataType: 8, stringData: [utf8.encode('a')] }] },
    'an element type of the future': { ...scaled, initializers: [{ name: 'w', dims: [1n], dataType: 99 }] },
    'a string input': { ...scaled, inputs: { x: { type: 8, dims: [1] } } },
    'weights in another file': {
      ...scaled,
      initializers: [
        { name: 'w', dims: [4n], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] },
      ],
    },
    'a value made twice': { nodes: [node('Neg', 'x', 'y'), node('Abs', 'x', 'y')] },
    'a value that is an input, too': { nodes: [node('Neg', 'x', 'x'), node('Abs', 'x', 'y')] },
    'a value never made': { nodes: [node('Mul', 'x gain', 'y')] },
    'an output never made': { nodes: [node('Neg', 'x', 'z')] },
    'a value never made, in a branch': {
      nodes: [
        node('If', 'x', 'y', [
          graphAttribute('then_branch', { node: [node('Neg', 'nothing', 'a')], output: infos({ a: [] }) }),
          graphAttribute('else_branch', { node: [node('Neg', 'x', 'e')], output: infos({ e: [] }) }),
        ]),
      ],
    },
    'a circle': { nodes: [node('Add', 'x b', 'a'), node('Neg', 'a', 'b'), node('Neg', 'b', 'y')] },
    'a constant of strings': {
      nodes: [node('Constant', '', 'y', [{ name: 'value_string', type: 3, s: utf8.encode('a') }])],
    },
    'a sparse constant': { nodes: [node('Constant', '', 'y', [{ name: 'sparse_value', type: 11 }])] },
  };
  it('are refused in one sentence each', () => {
    expect(
      Object.fromEntries(Object.entries(models).map(([name, model]) => [name, refusal(handmade(model))])),
    ).toMatchInlineSnapshot(`
      {
        "a circle": "model: The model runs in a circle: Add 'Add_a' needs a value that is made from its own result.",
        "a constant of strings": "model: Constant 'Constant_y' holds value_string; constants are numbers or tensors of numbers.",
        "a sparse constant": "model: Attribute 'sparse_value' is of a kind that is not supported (SPARSE_TENSOR).",
        "a string input": "model: 'x' has element type string, which is not supported.",
        "a value made twice": "model: The value 'y' is made twice in the model: it is damaged.",
        "a value never made": "model: Mul 'Mul_y' names the value 'gain', which nothing in the model makes.",
        "a value never made, in a branch": "model: Neg 'Neg_a' names the value 'nothing', which nothing in the model makes.",
        "a value that is an input, too": "model: The value 'x' is made twice in the model: it is damaged.",
        "an element type of the future": "model: Initialiser 'w' has element type number 99, which is not supported.",
        "an output never made": "model: The model's list of outputs names the value 'y', which nothing in the model makes.",
        "huge size without data": "model: Initialiser 'w' declares the impossible shape [2147483648, 2147483648, 2].",
        "large size without data": "model: Initialiser 'w' of shape [1048576, 1048576] needs 1099511627776 values but the file holds 0: the model is damaged.",
        "negative size": "model: Initialiser 'w' declares the impossible shape [-4].",
        "no outputs": "model: The model has no outputs.",
        "no standard domain": "model: The model imports no standard operator set (ai.onnx), only com.microsoft.",
        "opset too new": "model: The model uses opset 23; opsets 9 to 22 are read. Export it again with opset_version=17.",
        "opset too old": "model: The model uses opset 8; opsets 9 to 22 are read. Export it again with opset_version=17.",
        "raw data of another length": "model: Initialiser 'w' of shape [4] needs 16 bytes of float32 but the file holds 15: the model is damaged.",
        "strings": "model: Initialiser 'w' has element type string, which is not supported.",
        "too few values": "model: Initialiser 'w' of shape [2, 4] needs 8 values but the file holds 4: the model is damaged.",
        "weights in another file": "model: The weights of 'w' are in another file ('w.bin'): open the model by its path, so that the file beside it is found.",
      }
    `);
  });

  it('every prefix of a model is refused, or read', () => {
    const bytes = handmade({ ...scaled, more: { metadataProps: [{ key: 'rgi.role', value: '"generator"' }] } });
    for (let length = 0; length < bytes.length; length++) {
      try {
        readModel(bytes.subarray(0, length));
      } catch (error) {
        expect(error, `first ${length} bytes`).toBeInstanceOf(RgiError);
      }
    }
  });

  it('every model with some bytes changed is refused, or read', () => {
    const bytes = handmade(scaled);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const changed = bytes.slice();
          for (const [at, to] of changes) changed[at] = to;
          try {
            readModel(changed);
          } catch (error) {
            expect(error).toBeInstanceOf(RgiError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('nodes out of order are put in order, in branches too', () => {
    const { graph } = readModel(
      handmade({
        nodes: [
          node('If', 'c', 'y', [
            graphAttribute('then_branch', {
              node: [node('Neg', 'a', 'b'), node('Neg', 'x', 'a')],
              output: infos({ b: [] }),
            }),
            graphAttribute('else_branch', { node: [node('Neg', 'x', 'e')], output: infos({ e: [] }) }),
          ]),
          node('Cast', 's', 'c', [intAttribute('to', 9)]),
          node('ReduceSum', 'x', 's'),
        ],
      }),
    );
    expect(graph.nodes.map((n) => n.operator)).toEqual(['ReduceSum', 'Cast', 'If']);
    const branch = graph.nodes[2].attributes.then_branch;
    expect(branch.kind === 'graph' && branch.value.nodes.map((n) => n.outputs[0])).toEqual(['a', 'b']);
  });
});
