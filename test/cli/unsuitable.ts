/** Models that are refused, by the name of their file: what each lacks is told by the table of wrong uses. */
import { GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { ValueInfo } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { handmade, intAttribute, longs, node } from '../support/protos.ts';

const SIDE = 8;
const z: ValueInfo = { name: 'z', type: 'float32', dims: ['N', 4] };

/** A linear generator of pictures 3 x 8 x 8, ended by `end`. */
function linear(end: (b: GraphBuilder, pictures: Value) => Value, inputs = [z], nan = 0): Uint8Array {
  const b = new GraphBuilder();
  for (const input of inputs) b.reserve(input.name);
  const weights = randomFrom(5)
    .normals(4 * 192)
    .fill(Number.NaN, 0, nan);
  const flat = b.MatMul('z', b.initializer('layer.weight', float32(weights, [4, 192])));
  const image = end(b, b.Reshape(flat, [-1, 3, SIDE, SIDE]));
  b.node('Identity', [image], {}, ['image']);
  return encodeModel(b.graph('g', inputs, [{ name: 'image', type: 'float32', dims: [] }]));
}

export function unsuitableModels(): Record<string, Uint8Array> {
  const noise: ValueInfo = { name: 'noise', type: 'float32', dims: ['N', 1, SIDE, SIDE] };
  return {
    'noisy.onnx': linear((b, x) => b.Tanh(b.Add(x, 'noise')), [z, noise]),
    'logits.onnx': linear((b, x) => b.Mul(b.Tanh(b.Mul(x, b.scalar(100))), b.scalar(15))),
    'rounded.onnx': linear((b, x) => b.Tanh(b.node('Round', [x], {}, ['rounded'])[0])),
    'nan.onnx': linear((b, x) => b.Tanh(x), [z], 2),
    'open.onnx': linear((b, x) => b.Tanh(x), [{ ...z, dims: ['N', 'size'] }]),
    'rows.onnx': linear((b, x) => b.Tanh(b.Reshape(x, [-1, 192]))),
    'denoiser.onnx': handmade({
      inputs: { photo: ['N', 3, SIDE, SIDE] },
      nodes: [node('Tanh', 'photo', 'image')],
      outputs: { image: [] },
    }),
    'large-input.onnx': handmade({ inputs: { z: ['N', 1e12] }, nodes: [node('Relu', 'z', 'y')] }),
    'large-value.onnx': handmade({
      nodes: [node('Expand', 'x size', 'y')],
      initializers: [longs('size', [2], [2 ** 31, 4])],
    }),
    'groups.onnx': handmade({
      opset: 21,
      inputs: { x: ['N', 4, 8, 8], s: [4], b: [4] },
      nodes: [node('GroupNormalization', 'x s b', 'y', [intAttribute('num_groups', 2 ** 31)])],
    }),
  };
}
