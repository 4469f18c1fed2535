/** Gathering and scattering against central differences; indices constant or computed, repeated, negative. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder, Value } from '../../src/onnx/builder.ts';
import { float32, numbersOf, sizeOf, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import {
  axisOf,
  expectDerivatives,
  forAll,
  type Problem,
  problemOf,
  seeds,
  shapes,
  spread,
} from '../support/differences.ts';
import { gradientsOf } from '../support/gradients.ts';

/** Indices of shape `dims` within `limit(position in the tuple)`, negative ones among them. */
function indices(dims: readonly number[], limits: readonly number[], distinct = false): fc.Arbitrary<Tensor<'int64'>> {
  const tuple = fc.tuple(...limits.map((limit) => fc.integer({ min: -limit, max: limit - 1 })));
  const count = sizeOf(dims) / limits.length;
  const key = (t: number[]) => t.map((v, k) => (v + limits[k]) % limits[k]).join();
  const tuples = distinct
    ? fc.uniqueArray(tuple, { minLength: count, maxLength: count, selector: key })
    : fc.array(tuple, { minLength: count, maxLength: count });
  return tuples.map((values) => tensorOf('int64', values.flat(), dims));
}

/** The problem with the indices as an initialiser, or as an input of the graph. */
function withIndices(
  inputs: Record<string, Tensor>,
  index: Tensor,
  constant: boolean,
  emit: (b: GraphBuilder, index: Value) => Value,
): Problem {
  return problemOf(constant ? inputs : { ...inputs, index }, (b) => {
    const y = emit(b, constant ? b.constant(index) : 'index');
    return b.Mul(y, y);
  });
}

const data = shapes(1, 3).chain((dims) => fc.tuple(fc.constant(dims), axisOf(dims.length), seeds, fc.boolean()));
const at = (dims: readonly number[], axis: number) => dims[axis < 0 ? axis + dims.length : axis];

describe('gathering', () => {
  it('Gather by indices of any rank', () =>
    forAll(
      data.chain(([dims, axis, ...rest]) =>
        shapes(0, 2, 5).chain((shape) =>
          fc.tuple(
            fc.constant(dims),
            fc.constant(axis),
            indices(shape, [at(dims, axis)]),
            ...rest.map((r) => fc.constant(r)),
          ),
        ),
      ),
      ([dims, axis, index, seed, constant]) =>
        expectDerivatives(
          withIndices({ x: spread(dims, Number(seed)) }, index, Boolean(constant), (b, i) => b.Gather('x', i, axis)),
          Number(seed),
        ),
      20,
    ));

  it('GatherElements', () =>
    forAll(
      data.chain(([dims, axis, seed, constant]) =>
        fc
          .integer({ min: 1, max: 5 })
          .chain((n) =>
            indices(
              dims.map((d, i) => (i === (axis + dims.length) % dims.length ? n : d)),
              [at(dims, axis)],
            ),
          )
          .map((index) => ({ dims, axis, seed, constant, index })),
      ),
      ({ dims, axis, seed, constant, index }) =>
        expectDerivatives(
          withIndices(
            { x: spread(dims, seed) },
            index,
            constant,
            (b, i) => b.node('GatherElements', ['x', i], { axis })[0],
          ),
          seed,
        ),
    ));

  it('GatherND, with batch dimensions', () =>
    forAll(
      fc
        .tuple(
          shapes(3, 3),
          fc.integer({ min: 1, max: 2 }),
          fc.nat(1),
          fc.integer({ min: 1, max: 4 }),
          seeds,
          fc.boolean(),
        )
        .chain(([dims, depth, batch_dims, n, seed, constant]) =>
          indices([...dims.slice(0, batch_dims), n, depth], dims.slice(batch_dims, batch_dims + depth)).map(
            (index) => ({
              dims,
              batch_dims,
              seed,
              constant,
              index,
            }),
          ),
        ),
      ({ dims, batch_dims, seed, constant, index }) =>
        expectDerivatives(
          withIndices(
            { x: spread(dims, seed) },
            index,
            constant,
            (b, i) => b.node('GatherND', ['x', i], { batch_dims })[0],
          ),
          seed,
        ),
    ));

  it('TopK, its indices asked for or not', () =>
    forAll(
      fc
        .tuple(shapes(1, 3), seeds, fc.nat(1), fc.boolean())
        .chain(([dims, seed, largest, asked]) =>
          axisOf(dims.length).chain((axis) =>
            fc.integer({ min: 1, max: at(dims, axis) }).map((k) => ({ dims, seed, largest, asked, axis, k })),
          ),
        ),
      ({ dims, seed, largest, asked, axis, k }) =>
        expectDerivatives(
          problemOf({ x: spread(dims, seed) }, (b) => {
            const [values, places] = b.node('TopK', ['x', b.ints([k])], { axis, largest }, 2);
            return asked ? [b.Mul(values, values), places] : b.Mul(values, values);
          }),
          seed,
        ),
    ));

  it('Compress, along an axis or flat', () =>
    forAll(
      fc.tuple(fc.array(fc.nat(1), { minLength: 4, maxLength: 4 }), fc.constantFrom(undefined, 1, -1), seeds),
      ([condition, axis, seed]) =>
        expectDerivatives(
          problemOf({ x: spread([3, 4], seed) }, (b) => {
            const [y] = b.node('Compress', ['x', b.constant(tensorOf('bool', condition))], { axis });
            return [b.Mul(y, y), 'x'].map((value) => b.ReduceSum(value));
          }),
          seed,
        ),
    ));

  it('ReverseSequence', () =>
    forAll(
      fc.tuple(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }), seeds),
      ([lengths, seed]) =>
        expectDerivatives(
          problemOf({ x: spread([4, 3, 2], seed) }, (b) => {
            const [y] = b.node('ReverseSequence', ['x', b.constant(tensorOf('int64', lengths))], {
              time_axis: 0,
              batch_axis: 1,
            });
            return b.Mul(b.Mul(y, y), 'x');
          }),
          seed,
        ),
    ));

  it('OneHot, in its values', () =>
    forAll(
      seeds,
      (seed) =>
        expectDerivatives(
          problemOf({ pair: spread([2], seed, { type: 'float32' }) }, (b) => {
            const index = b.constant(tensorOf('int64', [2, 0, 2]));
            const [hot] = b.node('OneHot', [index, b.ints([3]), 'pair'], { axis: 0 });
            return b.Mul(hot, hot);
          }),
          seed,
        ),
      3,
    ));

  it('Range, in its start and step', () =>
    forAll(
      seeds,
      (seed) =>
        expectDerivatives(
          problemOf({ start: spread([], seed, { low: 0.3 }), delta: spread([], seed, { low: 0.5 }) }, (b) => {
            const length = b.Mul('delta', b.constant(tensorOf('float64', [4.5], [])));
            const [ramp] = b.node('Range', ['start', b.Add('start', length), 'delta']);
            return b.Mul(ramp, ramp);
          }),
          seed,
        ),
      3,
    ));
});

describe('scattering', () => {
  const reductions = ['none', 'add', 'mul', 'max', 'min'];
  // Where the result depends on the order of duplicates (none), there are none.
  const forms = fc.tuple(fc.constantFrom(...reductions), fc.boolean(), seeds);

  it('ScatterND', () =>
    forAll(
      fc.tuple(forms, fc.boolean()).chain(([[reduction, constant, seed], slices]) =>
        // ONNX Runtime loses some of several sums into one element, so there are no duplicates here at all.
        (slices ? indices([2, 1], [4], true) : indices([3, 2], [4, 3], true)).map((index) => ({
          reduction,
          constant,
          seed,
          index,
          updates: slices ? [2, 3] : [3],
        })),
      ),
      ({ reduction, constant, seed, index, updates }) =>
        expectDerivatives(
          withIndices(
            { x: spread([4, 3], seed), u: spread(updates, seed + 1, { gap: 0.0931 }) },
            index,
            constant,
            (b, i) => b.node('ScatterND', [b.Mul('x', b.Exp('x')), i, 'u'], { reduction })[0],
          ),
          seed,
        ),
      25,
    ));

  it('ScatterElements', () =>
    forAll(
      forms.chain(([reduction, constant, seed]) =>
        indices([3, 1], [5], reduction === 'none').map((index) => ({ reduction, constant, seed, index })),
      ),
      ({ reduction, constant, seed, index }) =>
        expectDerivatives(
          withIndices(
            { x: spread([5, 2], seed), u: spread([3, 1], seed + 1, { gap: 0.0931 }) },
            index,
            constant,
            (b, i) => b.node('ScatterElements', ['x', i, 'u'], { axis: 0, reduction })[0],
          ),
          seed,
        ),
      25,
    ));

  it('adds up every one of many equal indices', async () => {
    // 20000 reads of one row: the sum ONNX Runtime's ScatterND would lose parts of.
    const n = 20000;
    for (const constant of [true, false]) {
      const index = tensorOf('int64', new Array(n).fill(3), [n, 1]);
      const problem = problemOf(
        constant ? { x: float32([1, 2, 3, 4, 5]) } : { x: float32([1, 2, 3, 4, 5]), index },
        (b) => b.node('GatherND', ['x', constant ? b.constant(index) : 'index'])[0],
      );
      const cotangents = new Map([[problem.graph.outputs[0].name, float32(new Array(n).fill(1))]]);
      const gradient = (await gradientsOf(problem.graph, problem.feeds, cotangents, ['x'])).get('grad/x')!;
      expect(numbersOf(gradient)).toEqual([0, 0, 0, n, 0]);
    }
  });
});
