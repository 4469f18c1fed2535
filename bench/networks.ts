/**
 * The generators of the step benchmark, the same as those of its PyTorch peer: dense 4x4 from z, then per resolution
 * nearest 2x upsampling and two 3x3 convolutions, LeakyReLU 0.2 and pixel norm after each, 1x1 to RGB at the end.
 */
import { GraphBuilder, type Value } from '../src/onnx/builder.ts';
import type { Graph } from '../src/onnx/graph.ts';
import { float32, sizeOf } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';

export interface Network {
  readonly z: number;
  readonly channels: readonly number[];
}

export const NETWORKS = {
  small64: { z: 128, channels: [128, 128, 128, 64, 32] },
  pggan128: { z: 512, channels: [512, 512, 512, 512, 256, 128] },
} satisfies Record<string, Network>;

/** Side of the images. */
export function imageSize(network: Network): number {
  return 4 * 2 ** (network.channels.length - 1);
}

/** Nominal operations of one image's forward pass: convolutions and the dense layer of the unmodified network. */
export function forwardFlops({ z, channels }: Network): number {
  let size = 4;
  let total = 2 * z * channels[0] * 16 + 2 * 9 * channels[0] ** 2 * 16;
  for (let i = 1; i < channels.length; i++) {
    size *= 2;
    total += 2 * 9 * size * size * (channels[i - 1] * channels[i] + channels[i] ** 2);
  }
  return total + 2 * 3 * channels[channels.length - 1] * size * size;
}

/** Input `z` [N,z,1,1], output `image` [N,3,H,W]; weights drawn as PyTorch's layers draw theirs. */
export function generatorGraph({ z, channels }: Network): Graph {
  const b = new GraphBuilder();
  const random = randomFrom(0);
  const weight = (name: string, dims: readonly number[], fanIn: number): Value => {
    const bound = 1 / Math.sqrt(fanIn);
    const values = Float32Array.from({ length: sizeOf(dims) }, () => bound * (2 * random.uniform() - 1));
    return b.initializer(name, float32(values, dims));
  };
  const conv = (x: Value, name: string, from: number, to: number, kernel: number): Value => {
    const fanIn = from * kernel * kernel;
    const w = weight(`${name}.weight`, [to, from, kernel, kernel], fanIn);
    const pad = (kernel - 1) / 2;
    return b.Conv(x, w, weight(`${name}.bias`, [to], fanIn), { pads: [pad, pad, pad, pad] });
  };
  const activated = (x: Value): Value => {
    const y = b.LeakyRelu(x, 0.2);
    const power = b.Add(b.ReduceMean(b.Mul(y, y), [1]), b.scalar(1e-8));
    return b.Mul(y, b.Reciprocal(b.Sqrt(power)));
  };
  const input = b.reserve('z');
  const fanIn = channels[0] * 16;
  const dense = weight('dense.weight', [z, channels[0], 4, 4], fanIn);
  let x = activated(b.ConvTranspose(input, dense, weight('dense.bias', [channels[0]], fanIn)));
  x = activated(conv(x, 'conv4', channels[0], channels[0], 3));
  for (let i = 1; i < channels.length; i++) {
    const size = 4 * 2 ** i;
    const upsampled = b.Resize(x, [1, 1, 2, 2], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    x = activated(conv(upsampled, `up${size}`, channels[i - 1], channels[i], 3));
    x = activated(conv(x, `conv${size}`, channels[i], channels[i], 3));
  }
  const rgb = conv(x, 'rgb', channels[channels.length - 1], 3, 1);
  b.node('Identity', [rgb], {}, ['image']);
  const size = imageSize({ z, channels });
  return b.graph(
    'generator',
    [{ name: 'z', type: 'float32', dims: ['N', z, 1, 1] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, size, size] }],
  );
}
