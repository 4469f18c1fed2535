/** Which initialisers R-RGI tunes: by role, on graphs as exporters leave them and on small ones made for the rule. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, isFloat } from '../../src/onnx/tensor.ts';
import { trainableWeights } from '../../src/passes/trainable.ts';
import { randomFrom } from '../../src/random.ts';
import { hasShared, sharedBytes, withShared } from '../support/shared.ts';

const random = randomFrom(5);
const weight = (...dims: number[]) => float32(random.normals(dims.reduce((a, d) => a * d, 1)), dims);

function graphOf(emit: (b: GraphBuilder, x: string) => string): Graph {
  const b = new GraphBuilder();
  const y = emit(b, b.reserve('x'));
  return b.graph('g', [{ name: 'x', type: 'float32', dims: ['N', 4, 8, 8] }], [{ name: y, type: 'float32', dims: [] }]);
}

describe('weights by role', () => {
  it('through Transpose, Reshape and a gain', () => {
    const graph = graphOf((b, x) => {
      const w = b.initializer('w', weight(4, 36));
      const scaled = b.Mul(w, b.initializer('gain', float32([0.1], [])));
      return b.Conv(x, b.Reshape(scaled, [4, 4, 3, 3]), b.initializer('bias', weight(4)));
    });
    expect(trainableWeights(graph)).toEqual(['w', 'bias']);
    expect(trainableWeights(graph, { minimumRank: 2 })).toEqual(['w']);
  });

  it('not: noise images, blur kernels, means that are subtracted, statistics, bounds', () => {
    const graph = graphOf((b, x) => {
      const blur = Float32Array.from([1, 3, 3, 1].flatMap((r) => [1, 3, 3, 1].map((c) => (r * c) / 64)));
      const kernel = b.initializer(
        'blur',
        float32(
          Float32Array.from({ length: 64 }, (_, i) => blur[i % 16]),
          [4, 1, 4, 4],
        ),
      );
      const smooth = b.Conv(x, kernel, undefined, { group: 4 });
      const single = b.Conv(b.ReduceMean(x, [1]), b.initializer('blur1', float32(blur, [1, 1, 4, 4])));
      const noisy = b.Add(b.Add(smooth, single), b.initializer('noise', weight(1, 1, 5, 5)));
      const centred = b.Sub(noisy, b.initializer('mean_w', weight(1, 4, 1, 1)));
      const [normal] = b.node('BatchNormalization', [
        centred,
        ...['scale', 'bias', 'running_mean', 'running_var'].map((name) => b.initializer(name, weight(4))),
      ]);
      return b.Clip(normal, b.initializer('low', float32([-1], [])), b.initializer('high', float32([1], [])));
    });
    expect(trainableWeights(graph)).toEqual(['scale', 'bias']);
  });

  it('the affine part of a GroupNorm written out, not the ones and zeros of its inner node', () => {
    const graph = graphOf((b, x) => {
      const [ones, zeros] = [b.initializer('ones', float32([1, 1])), b.initializer('zeros', float32([0, 0]))];
      const [normal] = b.node('InstanceNormalization', [b.Reshape(x, [2, 2, 128]), ones, zeros]);
      const back = b.Reshape(normal, [2, 4, 8, 8]);
      return b.Add(b.Mul(back, b.initializer('s', weight(4, 1, 1))), b.initializer('b', weight(4, 1, 1)));
    });
    expect(trainableWeights(graph)).toEqual(['s', 'b']);
  });

  it('single numbers only where their name is a parameter', () => {
    const graph = graphOf((b, x) => {
      const gamma = b.initializer('attention.gamma', float32([0.5], []));
      return b.Mul(b.Mul(x, gamma), b.initializer('val_7', float32([1.4], [])));
    });
    expect(trainableWeights(graph)).toEqual(['attention.gamma']);
  });
});

describe.skipIf(!hasShared)(withShared('weights of exported generators'), () => {
  const leftOut = (file: string): string[] => {
    const { graph } = readModel(sharedBytes('fixtures', 'generators', file));
    const weights = new Set(trainableWeights(graph));
    return [...graph.initializers]
      .filter(([name, tensor]) => isFloat(tensor.type) && tensor.data.length > 1 && !weights.has(name))
      .map(([name, tensor]) => `${name.replace(/[.\d]+/g, '*')} ${tensor.dims.length}`);
  };
  const distinct = (names: string[]) => [...new Set(names)].sort();

  it.each(['pggan.legacy17', 'pggan.dynamo', 'dcgan.dynamo', 'mlp_pixelshuffle.legacy17', 'discriminator.dynamo'])(
    '%s: every float tensor',
    (name) => {
      expect(leftOut(`${name}.onnx`)).toEqual([]);
    },
  );
  it('biggan: all but running statistics and the scales of Resize', () => {
    expect(distinct(leftOut('biggan.dynamo.onnx'))).toEqual([
      'blocks*norm*norm*running_mean 1',
      'blocks*norm*norm*running_var 1',
      'norm*running_mean 1',
      'norm*running_var 1',
      'val_* 1',
    ]);
  });
  it('stylegan2: all but noise images, blur kernels and the mean of w', () => {
    const names = leftOut('stylegan2_unfused.dynamo.onnx');
    expect(distinct(names)).toEqual(['mean_w 1', 'mul_* 4', 'repeat 4', 'repeat_* 4']);
    // One noise image per styled convolution, two blur kernels per doubling.
    expect(names.filter((name) => name === 'mul_* 4')).toHaveLength(9);
    expect(distinct(leftOut('stylegan2_fused.legacy17.onnx'))).toEqual([
      'mean_w 1',
      'onnx::Add_* 4',
      'onnx::Expand_* 4',
    ]);
  });
});
