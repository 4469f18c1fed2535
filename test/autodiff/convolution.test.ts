/** Conv and ConvTranspose are bilinear: a difference over any step is the derivative, whatever the geometry. */
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import { expectDirectional, graphOf, noise } from '../support/directional.ts';
import type { Tensors } from '../support/gradients.ts';

type Attributes = Parameters<GraphBuilder['node']>[2];

const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 3 }),
  end: fc.integer({ min: 0, max: 3 }),
  extra: fc.integer({ min: 0, max: 3 }),
});
const geometry = fc.record({
  axes: fc.integer({ min: 1, max: 3 }).chain((n) => fc.array(axis, { minLength: n, maxLength: n })),
  batch: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  outputs: fc.integer({ min: 1, max: 3 }),
  bias: fc.boolean(),
  pad: fc.constantFrom('NOTSET', 'NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
});
type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

const oneNode = (operator: string, feeds: Tensors, attributes: Attributes) =>
  graphOf(feeds, (b) => b.node(operator, [...feeds.keys()], attributes)[0]);

const attributesOf = ({ axes, group, pad }: Geometry): Attributes => ({
  strides: axes.map((a) => a.stride),
  dilations: axes.map((a) => a.dilation),
  group,
  ...(pad === 'NOTSET' ? { pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)] } : { auto_pad: pad }),
});

async function checkConv(g: Geometry): Promise<void> {
  // ONNX Runtime refuses dilation together with SAME padding.
  const axes = g.axes.map((a) => (g.pad.startsWith('SAME') ? { ...a, dilation: 1 } : a));
  const sizes = axes.map((a) => a.dilation * (a.kernel - 1) + 1 + a.extra);
  const feeds: Tensors = new Map([
    ['x', noise([g.batch, g.group * g.inputs, ...sizes], 1)],
    ['w', noise([g.group * g.outputs, g.inputs, ...axes.map((a) => a.kernel)], 2)],
  ]);
  if (g.bias) feeds.set('bias', noise([g.group * g.outputs], 3));
  await expectDirectional(oneNode('Conv', feeds, attributesOf({ ...g, axes })), feeds, [...feeds.keys()]);
}

async function checkConvTranspose(g: Geometry): Promise<void> {
  const pad = g.pad === 'VALID' ? 'NOTSET' : g.pad;
  const axes = g.axes.map((a) => ({
    ...a,
    dilation: pad === 'NOTSET' ? a.dilation : 1,
    begin: Math.min(a.begin, a.kernel - 1),
    end: Math.min(a.end, a.kernel - 1),
    kernel: pad === 'NOTSET' ? a.kernel : Math.max(a.kernel, a.stride),
  }));
  const feeds: Tensors = new Map([
    ['x', noise([g.batch, g.group * g.inputs, ...axes.map((a) => 2 + a.extra)], 1)],
    ['w', noise([g.group * g.inputs, g.outputs, ...axes.map((a) => a.kernel)], 2)],
  ]);
  if (g.bias) feeds.set('bias', noise([g.group * g.outputs], 3));
  const output_padding = axes.map((a) => (pad === 'NOTSET' ? Math.min(a.extra, a.stride - 1) : 0));
  const attributes = { ...attributesOf({ ...g, axes, pad }), output_padding };
  await expectDirectional(oneNode('ConvTranspose', feeds, attributes), feeds, [...feeds.keys()]);
}

describe('convolution rules, any geometry', () => {
  it('Conv', async () => {
    await fc.assert(fc.asyncProperty(geometry, checkConv), { numRuns: 50, seed: 11 });
  }, 30_000);

  it('ConvTranspose', async () => {
    await fc.assert(fc.asyncProperty(geometry, checkConvTranspose), { numRuns: 50, seed: 12 });
  }, 30_000);

  it.each(['NOTSET', 'SAME_UPPER', 'SAME_LOWER'])(
    'ConvTranspose of a given output shape, auto_pad %s',
    async (auto_pad) => {
      const feeds: Tensors = new Map([
        ['x', noise([1, 2, 3, 4], 1)],
        ['w', noise([2, 3, 4, 5], 2)],
      ]);
      const attributes = { strides: [2, 3], output_shape: [7, 11], auto_pad };
      await expectDirectional(oneNode('ConvTranspose', feeds, attributes), feeds, ['x', 'w']);
    },
  );

  it('Conv with a kernel of many taps', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 4, 14, 13], 1)],
      ['w', noise([6, 2, 7, 6], 2)],
    ]);
    const attributes = { strides: [2, 1], dilations: [1, 2], pads: [3, 2, 1, 0], group: 2 };
    await expectDirectional(oneNode('Conv', feeds, attributes), feeds, ['x', 'w']);
  });

  it('Conv whose padding is wider than its kernel', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([1, 2, 5, 5], 1)],
      ['w', noise([3, 2, 1, 2], 2)],
    ]);
    await expectDirectional(oneNode('Conv', feeds, { pads: [2, 3, 1, 2] }), feeds, ['x', 'w']);
  });
});
