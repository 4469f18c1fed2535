/** Graph forms that public generator code exports to, beyond the fixtures: each against differences of its own values. */
import { describe, it } from 'vitest';
import { float, type GraphBuilder } from '../../src/onnx/builder.ts';
import { expectDirectional, graphOf, noise } from '../support/directional.ts';
import type { Tensors } from '../support/gradients.ts';

const smooth = { step: 1 / 64, tolerance: 2e-3 };

/** Zero insertion as upfirdn2d exports it: reshape to [N C, 1, H, 1, W, 1], pad with the up factor, reshape back. */
function insertZeros(b: GraphBuilder, x: string, [n, c, h, w]: number[], up: number): string {
  const split = b.Reshape(x, [n * c, h, 1, w, 1, 1]);
  const padded = b.Pad(split, [0, 0, 0, 0, 0, 0, 0, 0, up - 1, 0, up - 1, 0]);
  return b.Reshape(padded, [n, c, h * up, w * up]);
}

const FIR = [1, 3, 3, 1].flatMap((p) => [1, 3, 3, 1].map((q) => (p * q) / 64));

describe('forms of public generators', () => {
  it('upfirdn2d: zero insertion, padding with a crop, one-channel FIR convolution', async () => {
    const feeds: Tensors = new Map([['x', noise([2, 3, 4, 5], 1)]]);
    const graph = graphOf(feeds, (b) => {
      const up = insertZeros(b, 'x', [2, 3, 4, 5], 2);
      const padded = b.Pad(up, [0, 0, 2, 2, 0, 0, 1, 1]);
      const blurred = b.Conv(b.Reshape(padded, [-1, 1, 11, 13]), b.floats(FIR, [1, 1, 4, 4]));
      const image = b.Reshape(blurred, [2, 3, 8, 10]);
      // Down by two, as a strided slice; and a depthwise form of the same filter.
      const down = b.Slice(image, [0, 0], [2 ** 31, 2 ** 31], [2, 3], [2, 2]);
      const depthwise = b.floats(Array.from({ length: 3 }, () => FIR).flat(), [3, 1, 4, 4]);
      return b.Conv(down, depthwise, undefined, { group: 3, pads: [2, 2, 1, 1] });
    });
    await expectDirectional(graph, feeds);
  });

  it('StyleGAN2: modulated, demodulated convolution with the batch in the groups', async () => {
    const [n, o, c] = [2, 4, 3];
    const feeds: Tensors = new Map([
      ['x', noise([n, c, 5, 5], 1)],
      ['style', noise([n, c], 2)],
      ['w', noise([o, c, 3, 3], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const modulated = b.Mul(b.Unsqueeze('w', [0]), b.Reshape(b.Add('style', b.scalar(2)), [n, 1, c, 1, 1]));
      const norm = b.Add(b.ReduceSumSquare(modulated, [2, 3, 4]), b.scalar(1e-8));
      const weights = b.Mul(modulated, b.Reciprocal(b.Sqrt(norm)));
      const x = b.Reshape('x', [1, n * c, 5, 5]);
      const y = b.Conv(x, b.Reshape(weights, [n * o, c, 3, 3]), undefined, { group: n, pads: [1, 1, 1, 1] });
      // Upsampling layer: the same weights, transposed within each group.
      const transposed = b.Reshape(b.Transpose(weights, [0, 2, 1, 3, 4]), [n * c, o, 3, 3]);
      const up = b.ConvTranspose(x, transposed, undefined, { group: n, strides: [2, 2] });
      return b.Concat([b.Reshape(y, [n, -1]), b.Reshape(up, [n, -1])], 1);
    });
    await expectDirectional(graph, feeds, ['x', 'style', 'w'], smooth);
  });

  it('Resize to sizes computed from shapes at run time', async () => {
    const feeds: Tensors = new Map([['x', noise([1, 2, 4, 6], 1)]]);
    const graph = graphOf(feeds, (b) => {
      const shape = b.node('Shape', ['x'])[0];
      const spatial = b.Cast(b.Slice(shape, [2], [4], [0]), 'float32');
      const doubled = b.Cast(b.node('Floor', [b.Mul(spatial, b.floats([2, 1.5]))])[0], 'int64');
      const sizes = b.Concat([b.Slice(shape, [0], [2], [0]), doubled], 0);
      const attributes = { mode: 'linear', coordinate_transformation_mode: 'align_corners' };
      const up = b.node('Resize', ['x', '', '', sizes], attributes)[0];
      return b.node('Resize', [up, '', b.floats([1, 1, 2, 2])], { mode: 'nearest', nearest_mode: 'floor' })[0];
    });
    await expectDirectional(graph, feeds);
  });

  it('group normalisation as InstanceNormalization of a reshape, self-attention by Einsum', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 4, 3, 3], 1)],
      ['qkv', noise([12, 4, 1, 1], 2)],
      ['gamma', noise([1, 4, 1, 1], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const groups = b.Reshape(
        'x',
        [0, 2, -1].map((d, i) => (i === 0 ? 2 : d)),
      );
      const normal = b.node('InstanceNormalization', [groups, b.floats([1, 1]), b.floats([0, 0])], {
        epsilon: float(1e-3),
      })[0];
      const scaled = b.Mul(b.Reshape(normal, [2, 4, 3, 3]), 'gamma');
      const [q, k, v] = b.Split(b.Reshape(b.Conv(scaled, 'qkv'), [2, 12, 9]), [4, 4, 4], 1);
      const scores = b.Mul(b.Einsum([q, k], 'bci,bcj->bij'), b.scalar(0.5));
      const weights = b.node('Softmax', [scores], { axis: -1 })[0];
      return b.Add('x', b.Reshape(b.Einsum([weights, v], 'bij,bcj->bci'), [2, 4, 3, 3]));
    });
    await expectDirectional(graph, feeds, ['x', 'qkv', 'gamma'], smooth);
  });

  it('PGGAN: pixel normalisation, equalised dense layer, upsampling by Expand', async () => {
    const feeds: Tensors = new Map([
      ['z', noise([2, 8], 1)],
      ['w', noise([12, 8], 2)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const norm = b.Sqrt(b.Add(b.ReduceMean(b.Pow('z', b.scalar(2)), [1]), b.scalar(1e-8)));
      const dense = b.Gemm(b.Div('z', norm), b.Mul('w', b.scalar(0.25)), undefined, { transB: true });
      const small = b.LeakyRelu(b.Add(b.Reshape(dense, [2, 3, 2, 2]), b.scalar(9)), 0.2);
      return b.Reshape(b.Expand(b.Reshape(small, [2, 3, 2, 1, 2, 1]), [2, 3, 2, 2, 2, 2]), [2, 3, 4, 4]);
    });
    await expectDirectional(graph, feeds, ['z', 'w'], smooth);
  });

  it('BigGAN: conditional batch normalisation from a one-hot class, pooled keys', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 3, 4, 4], 1)],
      ['class', noise([2, 5], 2)],
      ['gain', noise([3, 5], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const statistics = [b.floats([1, 2, 3]), b.floats([0, 1, -1]), b.floats([0.5, 0, 0.25]), b.floats([1, 2, 0.5])];
      const normal = b.node('BatchNormalization', ['x', ...statistics])[0];
      const gain = b.Add(b.scalar(1), b.Gemm('class', 'gain', undefined, { transB: true }));
      const y = b.Mul(normal, b.Unsqueeze(b.Unsqueeze(gain, [2]), [3]));
      const pooled = b.node('AveragePool', [y], { kernel_shape: [2, 2], strides: [2, 2] })[0];
      const back = b.node('Resize', [pooled, '', b.floats([1, 1, 2, 2])], {
        mode: 'cubic',
        coordinate_transformation_mode: 'pytorch_half_pixel',
      })[0];
      return b.Mul(b.Tanh(b.Add(back, y)), b.node('GlobalAveragePool', [y])[0]);
    });
    await expectDirectional(graph, feeds, ['x', 'class', 'gain'], smooth);
  });

  it("FastGAN: pooling to 4x4 by averages, gated linear unit, noise of the input's size", async () => {
    const feeds: Tensors = new Map([
      ['x', noise([1, 4, 8, 8], 1)],
      ['strength', noise([1], 2)],
      ['noise', noise([1, 1, 8, 8], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const noisy = b.Add('x', b.Mul('strength', 'noise'));
      const [a, gate] = b.node('Split', [noisy], { axis: 1, num_outputs: 2 }, 2);
      const glu = b.Mul(a, b.Sigmoid(gate));
      const pooled = b.node('AveragePool', [glu], { kernel_shape: [2, 2], strides: [2, 2], count_include_pad: 1 })[0];
      const squeezed = b.Sigmoid(
        b.Conv(
          pooled,
          b.floats(
            Array.from({ length: 64 }, (_, i) => ((i % 7) - 3) / 9),
            [2, 2, 4, 4],
          ),
        ),
      );
      return b.Mul(glu, squeezed);
    });
    await expectDirectional(graph, feeds, ['x', 'strength', 'noise'], smooth);
  });

  it('BatchNormalization exported in training mode: the statistics of the batch', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 3, 4, 5], 1)],
      ['scale', noise([3], 2)],
      ['shift', noise([3], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const running = [b.floats([0, 0, 0]), b.floats([1, 1, 1])];
      return b.node('BatchNormalization', ['x', 'scale', 'shift', ...running], { training_mode: 1 }, 3)[0];
    });
    await expectDirectional(graph, feeds, ['x', 'scale', 'shift'], smooth);
  });

  it('LRN, GroupNormalization and layer normalisation of channels', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 6, 3, 3], 1)],
      ['scale', noise([3], 2)],
      ['shift', noise([3], 3)],
    ]);
    const graph = graphOf(feeds, (b) => {
      const lrn = b.node('LRN', ['x'], { size: 5, alpha: float(0.5), beta: float(0.6), bias: float(1.5) })[0];
      const group = b.node('GroupNormalization', [lrn, 'scale', 'shift'], { num_groups: 3, epsilon: float(1e-2) })[0];
      const last = b.Transpose(group, [0, 2, 3, 1]);
      const ones = b.floats([1, 2, 3, 4, 5, 6]);
      return b.node('LayerNormalization', [last, ones], { epsilon: float(1e-2) })[0];
    });
    await expectDirectional(graph, feeds, ['x', 'scale', 'shift'], smooth);
  });
});
