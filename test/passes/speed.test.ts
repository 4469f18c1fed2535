/** Every speed pass leaves what a graph computes as it is, to rounding. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { sumChannelsByProducts } from '../../src/passes/channel-sums.ts';
import { mergeEqualNodes } from '../../src/passes/common.ts';
import { foldConstants } from '../../src/passes/fold.ts';
import { optimise, optimisePrimal } from '../../src/passes/index.ts';
import { nameOutputsDirectly } from '../../src/passes/outputs.ts';
import { splitPhases } from '../../src/passes/phases.ts';
import { regroupProducts, skipExpands } from '../../src/passes/products.ts';
import { shapesOf } from '../../src/passes/shapes.ts';
import { simplifySlopes } from '../../src/passes/slopes.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { gatherRows } from '../../src/passes/transposes.ts';
import { mergeUpsampling } from '../../src/passes/upsample.ts';
import { randomFrom } from '../../src/random.ts';
import { expectClose } from '../support/close.ts';
import { evaluate, gradientsOf, type Tensors, valueInfo } from '../support/gradients.ts';

const random = randomFrom(7);
const drawn = (dims: readonly number[]): Tensor => float32(random.normals(sizeOf(dims)), dims);
const operators = (graph: Graph) => graph.nodes.map((node) => node.operator);
const RUNS = { numRuns: 12 };

/** A graph with one output `y`, of the given inputs. */
function graphOf(inputs: Tensors, emit: (b: GraphBuilder) => Value): Graph {
  const b = new GraphBuilder();
  for (const name of inputs.keys()) b.reserve(name);
  b.node('Identity', [emit(b)], {}, ['y']);
  return b.graph(
    'test',
    [...inputs].map(([name, tensor]) => valueInfo(name, tensor)),
    [{ name: 'y', type: 'float32', dims: ['a', 'b', 'c', 'd'] }],
  );
}

async function expectSame(before: Graph, after: Graph, feeds: Tensors): Promise<void> {
  const used = new Map([...feeds].filter(([name]) => after.inputs.some((input) => input.name === name)));
  const expected = await evaluate(before, feeds, ['y']);
  const actual = await evaluate(after, used, ['y']);
  expectClose(actual.get('y')!, expected.get('y')!, 2e-6, 'y');
}

const NEAREST = [
  { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  { coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_floor' },
  { coordinate_transformation_mode: 'pytorch_half_pixel', nearest_mode: 'round_prefer_ceil' },
] as const;

const upsampledConv = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 3 }),
  filters: fc.integer({ min: 1, max: 3 }),
  size: fc.tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 5 })),
  scale: fc.tuple(fc.integer({ min: 2, max: 3 }), fc.integer({ min: 2, max: 3 })),
  kernel: fc.constantFrom(2, 3, 5),
  pad: fc.integer({ min: 0, max: 2 }),
  form: fc.constantFrom('resize', 'expand'),
  mode: fc.constantFrom(...NEAREST),
  scaled: fc.boolean(),
  biased: fc.boolean(),
});

describe('mergeUpsampling: upsampling and convolution are one transposed convolution', () => {
  it('for every integer scale, kernel, padding and way of writing it', async () => {
    await fc.assert(
      fc.asyncProperty(upsampledConv, async (c) => {
        const pad = Math.min(c.pad, c.kernel - 1);
        const [h, w] = c.size;
        const [sy, sx] = c.scale;
        fc.pre(Math.min(h * sy, w * sx) + 2 * pad >= c.kernel);
        const feeds: Tensors = new Map([['x', drawn([c.batch, c.channels, h, w])]]);
        const graph = graphOf(feeds, (b) => {
          const expand = () => {
            const split = b.Reshape('x', [c.batch, c.channels, h, 1, w, 1]);
            const repeated = b.Expand(split, [c.batch, c.channels, h, sy, w, sx]);
            return b.Reshape(repeated, [c.batch, c.channels, h * sy, w * sx]);
          };
          const up = c.form === 'resize' ? b.Resize('x', [1, 1, sy, sx], { mode: 'nearest', ...c.mode }) : expand();
          const scaled = c.scaled ? b.Mul(up, b.scalar(0.37)) : up;
          const weight = b.initializer('w', drawn([c.filters, c.channels, c.kernel, c.kernel]));
          const bias = c.biased ? b.initializer('bias', drawn([c.filters])) : undefined;
          return b.Conv(scaled, weight, bias, { pads: [pad, pad, pad, pad] });
        });
        for (const variables of [new Set<string>(), new Set(['w', 'bias'])]) {
          const before = await specialise(graph, feeds, evaluate, { variables });
          const after = mergeUpsampling(before, variables);
          expect(operators(after)).not.toContain('Conv');
          await expectSame(before, after, feeds);
        }
      }),
      RUNS,
    );
  });

  it('and keeps the gradient in a tuned weight and in x', async () => {
    const feeds: Tensors = new Map([['x', drawn([2, 3, 4, 5])]]);
    const graph = graphOf(feeds, (b) => {
      const up = b.Resize('x', [1, 1, 2, 2], { mode: 'nearest', ...NEAREST[0] });
      return b.Conv(up, b.initializer('w', drawn([4, 3, 3, 3])), undefined, { pads: [1, 1, 1, 1] });
    });
    const variables = new Set(['w']);
    const merged = mergeUpsampling(await specialise(graph, feeds, evaluate, { variables }), variables);
    const cotangents: Tensors = new Map([['y', drawn([2, 4, 8, 10])]]);
    const expected = await gradientsOf(graph, feeds, cotangents, ['x', 'w']);
    const actual = await gradientsOf(merged, feeds, cotangents, ['x', 'w']);
    for (const name of ['grad/x', 'grad/w']) expectClose(actual.get(name)!, expected.get(name)!, 2e-6, name);
  });

  it('leaves alone what it must not touch: other modes, other readers, strides, groups', async () => {
    const feeds: Tensors = new Map([['x', drawn([1, 2, 4, 4])]]);
    const weight = (b: GraphBuilder, dims: number[]) => b.initializer('w', drawn(dims));
    const pads = [1, 1, 1, 1];
    const cases: ((b: GraphBuilder) => Value)[] = [
      (b) => b.Conv(b.Resize('x', [1, 1, 2, 2], { mode: 'linear' }), weight(b, [2, 2, 3, 3]), undefined, { pads }),
      (b) =>
        b.Conv(b.Resize('x', [1, 1, 2, 2], { mode: 'nearest', ...NEAREST[0] }), weight(b, [2, 1, 3, 3]), undefined, {
          pads,
          group: 2,
        }),
      (b) =>
        b.Conv(b.Resize('x', [1, 1, 2, 2], { mode: 'nearest', ...NEAREST[0] }), weight(b, [2, 2, 3, 3]), undefined, {
          pads,
          strides: [2, 2],
        }),
    ];
    for (const emit of cases) {
      const graph = await specialise(graphOf(feeds, emit), feeds, evaluate);
      expect(mergeUpsampling(graph)).toBe(graph);
    }
  });
});

describe('splitPhases: a strided transposed convolution is a convolution per phase', () => {
  it('for every stride, kernel and padding that divides evenly', async () => {
    let split = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 3 }),
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 0, max: 2 }),
        fc.boolean(),
        async (stride, kernel, pad, rectified) => {
          fc.pre(kernel >= stride && pad < kernel && 4 * stride + kernel - 2 * pad > 0);
          const feeds: Tensors = new Map([['x', drawn([2, 3, 5, 4])]]);
          const graph = graphOf(feeds, (b) => {
            const options = { strides: [stride, stride], pads: [pad, pad, pad, pad] };
            const weight = b.initializer('w', drawn([3, 2, kernel, kernel]));
            const y = b.ConvTranspose('x', weight, b.initializer('bias', drawn([2])), options);
            return rectified ? b.LeakyRelu(y, 0.2) : y;
          });
          const after = splitPhases(graph, await shapesOf(graph, evaluate));
          if (!operators(after).includes('ConvTranspose')) split++;
          await expectSame(graph, after, feeds);
        },
      ),
      { numRuns: 25 },
    );
    expect(split).toBeGreaterThan(3);
  });

  it('of weights that are tuned, where there are many positions', async () => {
    for (const [size, merged] of [
      [32, true],
      [32, false],
      [8, false],
    ] as const) {
      const feeds: Tensors = new Map([
        ['x', drawn([1, 3, size, size])],
        ['w', merged ? drawn([16, 3, 16]) : drawn([3, 16, 4, 4])],
      ]);
      const graph = graphOf(feeds, (b) => {
        const w = merged ? b.Reshape(b.Transpose('w', [1, 0, 2]), [3, 16, 4, 4]) : 'w';
        return b.LeakyRelu(b.ConvTranspose('x', w, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }), 0.2);
      });
      const after = splitPhases(graph, await shapesOf(graph, evaluate));
      expect(operators(after).includes('ConvTranspose')).toBe(size === 8);
      await expectSame(graph, after, feeds);
    }
  });
});

describe('products, sums, folding, common subexpressions', () => {
  const feeds: Tensors = new Map([
    ['x', drawn([2, 8, 24, 24])],
    ['s', drawn([2, 1, 24, 24])],
  ]);

  it('a chain of products does one pass at full size', async () => {
    const graph = graphOf(feeds, (b) => {
      const doubled = b.Mul(b.Mul(b.Expand('s', [2, 8, 24, 24]), b.scalar(0.125)), 'x');
      return b.Neg(b.Div(b.Mul(b.Add(doubled, doubled), b.scalar(3)), b.scalar(7)));
    });
    const dims = await shapesOf(graph, evaluate);
    const after = regroupProducts(skipExpands(graph, dims), dims);
    const full = (await shapesOf(after, evaluate)).entries();
    const atFullSize = new Map([...full].filter(([, d]) => d.join() === '2,8,24,24'));
    expect(after.nodes.filter((node) => atFullSize.has(node.outputs[0])).map((node) => node.operator)).toEqual([
      'Mul',
      'Identity',
    ]);
    await expectSame(graph, after, feeds);
  });

  it('channel sums and means become products with a row', async () => {
    for (const operator of ['ReduceSum', 'ReduceMean']) {
      for (const keepdims of [0, 1]) {
        const graph = graphOf(feeds, (b) => b.node(operator, ['x', b.ints([1])], { keepdims })[0]);
        const after = sumChannelsByProducts(graph, await shapesOf(graph, evaluate));
        expect(operators(after)).toContain('MatMul');
        await expectSame(graph, after, feeds);
      }
    }
  });

  it('transpositions of whole rows are gathered', async () => {
    const permutations = [
      [1, 0, 2, 3],
      [0, 2, 1, 3],
      [2, 0, 1, 3],
      [0, 1, 3, 2],
    ];
    const large: Tensors = new Map([['x', drawn([6, 16, 24, 20])]]);
    for (const permutation of permutations) {
      const graph = graphOf(large, (b) => b.Transpose('x', permutation));
      const after = gatherRows(graph, await shapesOf(graph, evaluate));
      expect(operators(after).includes('Gather')).toBe(permutation[3] === 3);
      await expectSame(graph, after, large);
    }
  });

  it('constants fold, equal nodes merge, and expansions of constants stay small', async () => {
    const graph = graphOf(feeds, (b) => {
      const w = b.initializer('w', drawn([8, 8, 3, 3]));
      const flipped = b.Transpose(b.Slice(w, [-1, -1], [-4, -4], [2, 3], [-1, -1]), [1, 0, 2, 3]);
      const pads = [1, 1, 1, 1];
      return b.Add(b.Conv('x', flipped, undefined, { pads }), b.Conv('x', flipped, undefined, { pads }));
    });
    const after = mergeEqualNodes(await foldConstants(graph, evaluate));
    expect(operators(after)).toEqual(['Conv', 'Add', 'Identity']);
    await expectSame(graph, after, feeds);
  });

  it('equal nodes that draw, drop out or have a subgraph stay two', () => {
    for (const [operator, attributes] of [
      ['RandomNormalLike', {}],
      ['Dropout', {}],
      ['If', { then_branch: { kind: 'graph', value: { ...graphOf(feeds, () => 'x'), outputs: [] } } }],
    ] as const) {
      const emitted = (b: GraphBuilder) => b.node(operator, ['x'], attributes)[0];
      expect(operators(mergeEqualNodes(graphOf(feeds, (b) => b.Add(emitted(b), emitted(b)))))).toEqual([
        operator,
        operator,
        'Add',
        'Identity',
      ]);
    }
  });

  it('a leaky slope is one clipped product, at zero and at infinity too', async () => {
    const values = [-1e30, -2, -1e-30, -0, 0, 1e-30, 0.5, 7, Number.POSITIVE_INFINITY];
    const inputs: Tensors = new Map([['x', float32(Float32Array.from(values), [1, 1, 1, values.length])]]);
    const graph = graphOf(inputs, (b) =>
      b.Max(b.node('HardSigmoid', ['x'], { alpha: float(3e38), beta: float(0) })[0], b.scalar(0.2)),
    );
    const after = simplifySlopes(graph);
    expect(operators(after)).toEqual(['Mul', 'Clip', 'Identity']);
    const [y] = (await evaluate(after, inputs, ['y'])).values();
    expect(Array.from(y.data as Float32Array)).toEqual(values.map((v) => (v > 0 ? 1 : Math.fround(0.2))));
  });

  it('a term added twice is doubled, but not where its sum is read elsewhere', async () => {
    const emit = (reads: boolean) => (b: GraphBuilder) => {
      const term = b.Mul('x', b.Abs('x'));
      const sum = b.Add('x', term);
      const doubled = b.Add(sum, term);
      return reads ? b.Mul(doubled, sum) : doubled;
    };
    const simple = simplifySlopes(graphOf(feeds, emit(false)));
    expect(operators(simple)).toEqual(['Abs', 'Mul', 'Mul', 'Add', 'Identity']);
    await expectSame(graphOf(feeds, emit(false)), simple, feeds);
    expect(operators(simplifySlopes(graphOf(feeds, emit(true))))).toEqual(operators(graphOf(feeds, emit(true))));
  });

  it('an output is made under its own name, and a value with two names keeps a copy', async () => {
    const b = new GraphBuilder();
    const value = b.Abs(b.reserve('x'));
    for (const name of ['y', 'again']) b.node('Identity', [value], {}, [name]);
    const outputs = ['y', 'again'].map((name) => ({ name, type: 'float32' as const, dims: [2, 8, 24, 24] }));
    const graph = b.graph('test', [valueInfo('x', feeds.get('x')!)], outputs);
    const after = nameOutputsDirectly(graph);
    expect(operators(after)).toEqual(['Abs', 'Identity']);
    await expectSame(graph, after, new Map([['x', feeds.get('x')!]]));
  });

  it('all together, and each switched off', async () => {
    const graph = await specialise(
      graphOf(feeds, (b) => {
        const up = b.Resize('x', [1, 1, 2, 2], { mode: 'nearest', ...NEAREST[0] });
        const y = b.LeakyRelu(
          b.Conv(up, b.initializer('w', drawn([8, 8, 3, 3])), undefined, { pads: [1, 1, 1, 1] }),
          0.2,
        );
        return b.Mul(y, b.Reciprocal(b.Sqrt(b.Add(b.ReduceMean(b.Mul(y, y), [1]), b.scalar(1e-8)))));
      }),
      feeds,
      evaluate,
    );
    const switches = ['phaseSplit', 'fold', 'common', 'products', 'channelSums', 'rows', 'directOutputs'] as const;
    for (const off of [undefined, ...switches]) {
      const options = off ? { [off]: false } : {};
      const after = await optimise(optimisePrimal(graph, new Set(), options), evaluate, options);
      expect(operators(after).includes('Resize')).toBe(off === 'phaseSplit');
      await expectSame(graph, after, feeds);
    }
  });
});
