/** Resize and pools of any geometry: (piecewise) linear, so that a difference of any (small) step is the derivative. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float } from '../../src/onnx/builder.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { expectDirectional, graphOf, noise } from '../support/directional.ts';
import { gradientsOf, type Tensors } from '../support/gradients.ts';

const size = fc.integer({ min: 2, max: 7 });

const resize = fc.record({
  input: fc.tuple(size, size),
  output: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
  mode: fc.constantFrom('nearest', 'linear', 'cubic'),
  coordinates: fc.constantFrom(
    'half_pixel',
    'half_pixel_symmetric',
    'pytorch_half_pixel',
    'align_corners',
    'asymmetric',
    'tf_crop_and_resize',
  ),
  nearest: fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
  exclude: fc.boolean(),
  antialias: fc.boolean(),
  form: fc.constantFrom('sizes', 'scales', 'axes', 'not_larger', 'not_smaller'),
  a: fc.constantFrom(-0.75, -0.5),
});
type Resize = typeof resize extends fc.Arbitrary<infer T> ? T : never;

async function checkResize(r: Resize): Promise<void> {
  // Keeping the aspect ratio may leave nothing of an axis.
  const ratio = Math.min(...r.output.map((n, i) => n / r.input[i]));
  fc.pre(r.form !== 'not_larger' || r.input.every((n) => Math.round(n * ratio) > 0));
  const cropped = r.coordinates === 'tf_crop_and_resize';
  const antialias = r.antialias && r.mode !== 'nearest' && !cropped;
  const feeds: Tensors = new Map([['x', noise([2, 3, ...r.input], 1)]]);
  const attributes = {
    mode: r.mode,
    coordinate_transformation_mode: r.coordinates,
    nearest_mode: r.nearest,
    cubic_coeff_a: float(r.a),
    exclude_outside: r.exclude && r.mode === 'cubic' ? 1 : 0,
    antialias: antialias ? 1 : 0,
    axes: r.form === 'scales' || r.form === 'sizes' ? undefined : [2, 3],
    keep_aspect_ratio_policy: r.form.startsWith('not') && !cropped ? r.form : 'stretch',
  };
  const graph = graphOf(feeds, (b) => {
    const lead = attributes.axes ? [] : [1, 1];
    const roi = cropped ? b.floats([...lead.map(() => 0), 0.1, -0.2, ...lead.map(() => 1), 0.8, 1.1]) : '';
    if (r.form === 'scales') {
      // Scales a little above output / input, so that the output's size survives the rounding down.
      const scales = r.output.map((n, i) => (n + 0.3) / r.input[i]);
      return b.node('Resize', ['x', roi, b.floats([...lead, ...scales])], attributes)[0];
    }
    return b.node('Resize', ['x', roi, '', b.ints([...(lead.length ? [2, 3] : []), ...r.output])], attributes)[0];
  });
  await expectDirectional(graph, feeds);
}

const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 3 }),
  end: fc.integer({ min: 0, max: 3 }),
  extra: fc.integer({ min: 0, max: 5 }),
});
const pool = fc.record({
  axes: fc.integer({ min: 1, max: 3 }).chain((n) => fc.array(axis, { minLength: n, maxLength: n })),
  pad: fc.constantFrom('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  ceil: fc.boolean(),
  countPadding: fc.boolean(),
});
type Pool = typeof pool extends fc.Arbitrary<infer T> ? T : never;

async function checkPool(operator: 'AveragePool' | 'MaxPool', p: Pool): Promise<void> {
  const same = p.pad.startsWith('SAME');
  const dilations = p.axes.map((a) => (same ? 1 : a.dilation));
  const begins = p.axes.map((a) => Math.min(a.begin, a.kernel - 1));
  const ends = p.axes.map((a) => Math.min(a.end, a.kernel - 1));
  const sizes = p.axes.map((a, i) => dilations[i] * (a.kernel - 1) + 1 + a.extra);
  const dims = [2, 2, ...sizes];
  // Distinct whole numbers: no step of the test changes which one is the largest.
  const values = Array.from({ length: sizeOf(dims) }, (_, i) => (i * 7919) % 10007);
  const feeds: Tensors = new Map([['x', operator === 'MaxPool' ? float32(values, dims) : noise(dims, 1)]]);
  const attributes = {
    kernel_shape: p.axes.map((a) => a.kernel),
    // A stride beyond the kernel makes ONNX Runtime compute a negative SAME padding, and refuse it.
    strides: p.axes.map((a) => (same ? Math.min(a.stride, a.kernel) : a.stride)),
    dilations,
    ceil_mode: p.ceil ? 1 : 0,
    ...(p.pad === 'NOTSET' ? { pads: [...begins, ...ends] } : { auto_pad: p.pad }),
    ...(operator === 'AveragePool' ? { count_include_pad: p.countPadding ? 1 : 0 } : {}),
  };
  const graph = graphOf(feeds, (b) => b.node(operator, ['x'], attributes)[0]);
  await expectDirectional(graph, feeds, ['x'], operator === 'MaxPool' ? { step: 0.25, tolerance: 1e-3 } : {});
}

describe('resampling rules, any geometry', () => {
  it('Resize', async () => {
    await fc.assert(fc.asyncProperty(resize, checkResize), { numRuns: 70, seed: 21 });
  }, 30_000);

  it('AveragePool', async () => {
    await fc.assert(
      fc.asyncProperty(pool, (p) => checkPool('AveragePool', p)),
      { numRuns: 40, seed: 22 },
    );
  }, 30_000);

  it('MaxPool', async () => {
    await fc.assert(
      fc.asyncProperty(pool, (p) => checkPool('MaxPool', p)),
      { numRuns: 25, seed: 23 },
    );
  }, 30_000);

  it.each([
    [
      [2, 3, 4, 96],
      [1, 1, 3, 2],
    ],
    [
      [2, 130],
      [2, 1],
    ],
    [
      [3, 2, 5, 2, 200],
      [1, 1, 1, 2, 1],
    ],
    [
      [2, 3, 4, 5],
      [2, 1, 1, 3],
    ],
  ])('Resize to the nearest of %j by %j, wide rows and other ranks', async (dims, scales) => {
    const feeds: Tensors = new Map([['x', noise(dims, 1)]]);
    const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    const graph = graphOf(feeds, (b) => b.node('Resize', ['x', '', b.floats(scales)], attributes)[0]);
    await expectDirectional(graph, feeds);
  });

  it('MaxPool passes the cotangent of equal elements to the first alone', async () => {
    const feeds: Tensors = new Map([['x', float32([3, 3, 3, 3, 1, 0], [1, 1, 2, 3])]]);
    const graph = graphOf(feeds, (b) => b.node('MaxPool', ['x'], { kernel_shape: [2, 2], strides: [1, 1] })[0]);
    const gradients = await gradientsOf(graph, feeds, new Map([['y', float32([1, 10], [1, 1, 1, 2])]]), ['x']);
    expect(Array.from(gradients.get('grad/x')!.data as Float32Array)).toEqual([1, 10, 0, 0, 0, 0]);
  });
});
