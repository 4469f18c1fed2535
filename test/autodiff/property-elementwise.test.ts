/** Elementwise rules against central differences, over shapes and broadcasts; ties, zeros and bounds by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, type GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { float32, numbersOf, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import { broadcastable, expectDerivatives, forAll, problemOf, seeds, shapes, spread } from '../support/differences.ts';
import { gradientsOf } from '../support/gradients.ts';

/** A full shape, and two shapes that broadcast to it (together perhaps to less). */
const pairs = shapes(0, 4, 3).chain((dims) => fc.tuple(fc.constant(dims), broadcastable(dims), seeds, fc.boolean()));

describe('binary operators, broadcast either way', () => {
  const operators: Record<string, { low?: number }> = {
    Add: {},
    Sub: {},
    Mul: {},
    Div: { low: 0.3 },
    Pow: { low: 0.4 },
    Max: {},
    Min: {},
    Sum: {},
  };
  for (const [operator, { low }] of Object.entries(operators)) {
    it(operator, () =>
      forAll(pairs, async ([dims, small, seed, swap]) => {
        const a = spread(dims, seed, { low });
        const b = spread(small, seed + 1, { low: low ?? -1.013, gap: 0.0931 });
        await expectDerivatives(
          problemOf(swap ? { a: b, b: a } : { a, b }, (g) => g.node(operator, ['a', 'b'])[0]),
          seed,
        );
      }),
    );
  }

  it('Mean (float32)', () =>
    forAll(pairs, async ([dims, small, seed]) => {
      const inputs = { a: spread(dims, seed, { type: 'float32' }), b: spread(small, seed, { type: 'float32' }) };
      await expectDerivatives(
        problemOf(inputs, (g) => g.Exp(g.node('Mean', ['a', 'b', 'b'])[0])),
        seed,
      );
    }));

  it('Mod (fmod)', () =>
    forAll(pairs, async ([dims, small, seed]) => {
      const a = spread(dims, seed, { gap: 0.73 });
      const b = spread(small, seed, { low: 0.91, gap: 0.37 });
      await expectDerivatives(
        problemOf({ a, b }, (g) => g.node('Mod', ['a', 'b'], { fmod: 1 })[0]),
        seed,
      );
    }));

  it('Where, with a broadcast condition', () =>
    forAll(pairs, async ([dims, small, seed, swap]) => {
      const condition = tensorOf(
        'bool',
        dims.reduce<number[]>((all, d) => all.flatMap((v) => Array.from({ length: d }, (_, i) => (v + i) % 2)), [1]),
        dims,
      );
      const inputs = { c: condition, a: spread(swap ? dims : small, seed), b: spread(swap ? small : dims, seed + 1) };
      await expectDerivatives(
        problemOf(inputs, (g) => g.Mul('a', g.Where('c', g.Mul('a', 'a'), 'b'))),
        seed,
      );
    }));

  it('Max and Min of three', () =>
    forAll(pairs, async ([dims, small, seed]) => {
      const inputs = {
        a: spread(dims, seed),
        b: spread(small, seed + 1, { gap: 0.0931 }),
        c: spread([], seed, { low: 0.0111 }),
      };
      await expectDerivatives(
        problemOf(inputs, (g) => [g.Max('a', 'b', 'c'), g.Min('c', 'a', 'b')]),
        seed,
      );
    }));

  it('PRelu, slopes broadcast to the input', () =>
    forAll(
      pairs,
      async ([dims, small, seed]) => {
        const options = { type: 'float32', gap: 0.11 } as const;
        const inputs = { a: spread(dims, seed, options), b: spread(small, seed + 1, options) };
        await expectDerivatives(
          problemOf(inputs, (g) => g.node('PRelu', ['a', 'b'])[0]),
          seed,
        );
      },
      10,
    ));

  it('Clip, also for its bounds', () =>
    forAll(fc.tuple(shapes(0, 3), seeds), async ([dims, seed]) => {
      const inputs = {
        a: spread(dims, seed),
        low: spread([], 1, { low: -0.413 }),
        high: spread([], 1, { low: 0.517 }),
      };
      await expectDerivatives(
        problemOf(inputs, (g) => [g.Clip('a', 'low', 'high'), g.node('Clip', ['a', '', 'high'])[0]]),
        seed,
      );
    }));
});

describe('functions of one value', () => {
  type Emit = (b: GraphBuilder, x: Value) => Value;
  const node =
    (operator: string, attributes: Parameters<GraphBuilder['node']>[2] = {}): Emit =>
    (b, x) =>
      b.node(operator, [x], attributes)[0];
  const doubles: Record<string, [Emit, number?, number?]> = {
    Abs: [node('Abs')],
    Neg: [node('Neg')],
    Exp: [node('Exp')],
    Log: [node('Log'), 0.3],
    Sqrt: [node('Sqrt'), 0.3],
    Reciprocal: [node('Reciprocal')],
    Sin: [node('Sin')],
    Cos: [node('Cos')],
    Tanh: [node('Tanh')],
    Sigmoid: [node('Sigmoid')],
    Relu: [node('Relu')],
  };
  const floats: Record<string, [Emit, number?, number?]> = {
    Tan: [node('Tan'), -1, 0.1],
    Asin: [node('Asin'), -0.55, 0.09],
    Acos: [node('Acos'), -0.55, 0.09],
    Atan: [node('Atan')],
    Sinh: [node('Sinh')],
    Cosh: [node('Cosh')],
    Asinh: [node('Asinh')],
    Acosh: [node('Acosh'), 1.5],
    Atanh: [node('Atanh'), -0.55, 0.09],
    Erf: [node('Erf')],
    LeakyRelu: [node('LeakyRelu', { alpha: float(0.3) })],
    'LeakyRelu, alpha above 1': [node('LeakyRelu', { alpha: float(1.5) })],
    'LeakyRelu, alpha negative': [node('LeakyRelu', { alpha: float(-0.4) })],
    Elu: [node('Elu', { alpha: float(0.8) })],
    Selu: [node('Selu')],
    Celu: [node('Celu', { alpha: float(1.7) })],
    Softplus: [node('Softplus')],
    Softsign: [node('Softsign')],
    ThresholdedRelu: [node('ThresholdedRelu', { alpha: float(0.101) })],
    HardSigmoid: [node('HardSigmoid', { alpha: float(0.9), beta: float(0.45) })],
    HardSwish: [node('HardSwish')],
    Mish: [node('Mish')],
    Gelu: [node('Gelu')],
    'Gelu, tanh': [node('Gelu', { approximate: 'tanh' })],
  };
  for (const [type, table] of [
    ['float64', doubles],
    ['float32', floats],
  ] as const) {
    for (const [name, [emit, low, gap = 0.11]] of Object.entries(table)) {
      it(`${name} (${type})`, () =>
        forAll(
          fc.tuple(fc.constantFrom([], [7], [3, 4]), seeds),
          async ([dims, seed]) => {
            const x = spread(dims, seed, { type, gap, low });
            await expectDerivatives(
              problemOf({ x }, (b) => emit(b, 'x')),
              seed,
            );
          },
          4,
        ));
    }
  }

  it('Pow by a constant, whole or not', () =>
    forAll(fc.tuple(fc.constantFrom(-2, -1, 0, 1, 2, 3, 4, 0.5, 1.7, -0.5), seeds), async ([p, seed]) => {
      const low = Number.isInteger(p) ? undefined : 0.4;
      const x = spread([2, 4], seed, { low, gap: 0.21 });
      await expectDerivatives(
        problemOf({ x }, (b) => b.Pow('x', b.constant(tensorOf('float64', [p], [])))),
        seed,
      );
    }));
});

describe('where the derivative jumps or is not finite', () => {
  async function slopes(x: Tensor, emit: (b: GraphBuilder) => Value): Promise<number[]> {
    const { graph, feeds } = problemOf({ x }, emit);
    const cotangent = float32(new Array(x.data.length).fill(1), x.dims);
    const name = graph.outputs[0].name;
    return numbersOf((await gradientsOf(graph, feeds, new Map([[name, cotangent]]), ['x'])).get('grad/x')!);
  }

  it('halves at a tie of Max and Min', async () => {
    const x = float32([-1, 0, 1]);
    expect(await slopes(x, (b) => b.Max('x', b.scalar(0)))).toEqual([0, 0.5, 1]);
    expect(await slopes(x, (b) => b.Min(b.scalar(0), 'x'))).toEqual([1, 0.5, 0]);
  });

  it('takes the slope below for Relu and LeakyRelu at 0', async () => {
    const x = float32([-1e-30, 0, 1e-30]);
    expect(await slopes(x, (b) => b.Relu('x'))).toEqual([0, 0, 1]);
    expect(await slopes(x, (b) => b.LeakyRelu('x', 0.25))).toEqual([0.25, 0.25, 1]);
  });

  it('is exact for whole powers of zero and of negative numbers', async () => {
    const x = float32([-2, 0, 3]);
    const exponents = (b: GraphBuilder, p: number[]) => b.Pow('x', b.constant(tensorOf('int64', p)));
    expect(await slopes(x, (b) => exponents(b, [3, 3, 3]))).toEqual([12, 0, 27]);
    expect(await slopes(x, (b) => exponents(b, [2, 1, 0]))).toEqual([-4, 1, 0]);
    expect(await slopes(x, (b) => exponents(b, [0, 0, 2]))).toEqual([0, 0, 6]);
  });

  it('passes nothing through the flat side of Clip and Where, infinite as the cotangent may be', async () => {
    const x = float32([-1, 4]);
    expect(await slopes(x, (b) => b.node('Sqrt', [b.node('Clip', ['x', b.scalar(0)])[0]])[0])).toEqual([0, 0.25]);
    const positive = (b: GraphBuilder) => b.Greater('x', b.scalar(0));
    expect(await slopes(x, (b) => b.Sqrt(b.Where(positive(b), 'x', b.scalar(0))))).toEqual([0, 0.25]);
  });

  it('refuses Dropout in training mode', async () => {
    const training = (b: GraphBuilder) =>
      b.node('Dropout', ['x', b.scalar(0.5), b.constant(tensorOf('bool', [1], []))])[0];
    await expect(slopes(float32([1, 2]), training)).rejects.toMatchObject({ code: 'unsupported-operator' });
  });
});
