/**
 * ScatterElements and ScatterND, and the sum that every gather's gradient is. Sums go through ScatterElements: ONNX
 * Runtime CPU (1.30) adds the duplicates of one ScatterND in parallel without a lock and loses some of them.
 */
import type { Value } from '../../onnx/builder.ts';
import { intAttribute, stringAttribute } from '../../onnx/graph.ts';
import { numbersOf, sizeOf, type Tensor, tensorOf } from '../../onnx/tensor.ts';
import { type Cotangents, type RuleContext, type RuleTable, refuse } from '../rule.ts';
import { normalAxis } from './axes.ts';

export const scatter = {
  ScatterElements: { gradient: (c) => scatterGradient(c, elementsAccess(c)) },
  ScatterND: { gradient: (c) => scatterGradient(c, slicesAccess(c)) },
} satisfies RuleTable;

/** Reading and adding at a node's indices. */
interface Access {
  /** The elements of `from` (shaped as the data) at the indices, shaped as the updates. */
  readonly read: (from: Value) => Value;
  /** Zeros shaped as the data, plus `updates` at the indices. */
  readonly add: (updates: Value) => Value;
  /** `into` with the indexed elements overwritten by zeros. */
  readonly erase: (into: Value) => Value;
  /** `into` with each indexed element multiplied by its updates. */
  readonly multiply: (into: Value, updates: Value) => Value;
  /** Does no element occur twice? False where it cannot be known. */
  readonly unique: boolean;
}

function scatterGradient(c: RuleContext, at: Access): Cotangents {
  const { b, node, cotangents, wants, scalar } = c;
  const [data, , updates] = node.inputs;
  const out = node.outputs[0];
  const g = cotangents[0]!;
  const mode = stringAttribute(node, 'reduction', 'none');
  switch (mode) {
    case 'none':
      return [wants(0) ? at.erase(g) : undefined, undefined, wants(2) ? at.read(g) : undefined];
    case 'add':
      return [g, undefined, wants(2) ? at.read(g) : undefined];
    case 'mul': {
      if (!wants(2)) return [at.multiply(g, updates)];
      // The other factors of the element: its old value if it is hit once, else out / update.
      const others = at.unique ? at.read(data) : b.Div(at.read(out), updates);
      return [wants(0) ? at.multiply(g, updates) : undefined, undefined, b.Mul(at.read(g), others)];
    }
    case 'max':
    case 'min': {
      const kept = b.Where(b.Equal(data, out), scalar(1), scalar(0));
      const taken = b.Where(b.Equal(updates, at.read(out)), scalar(1), scalar(0));
      const share = b.Div(g, b.Add(kept, at.add(taken)));
      return [
        wants(0) ? b.Mul(share, kept) : undefined,
        undefined,
        wants(2) ? b.Mul(at.read(share), taken) : undefined,
      ];
    }
    default:
      return refuse(node, `its reduction '${mode}' is unknown.`);
  }
}

function elementsAccess(c: RuleContext): Access {
  const { b, node, dims, constant } = c;
  const [, indices] = node.inputs;
  const axis = intAttribute(node, 'axis', 0);
  const set = (into: Value, updates: Value, reduction?: string) =>
    b.node('ScatterElements', [into, indices, updates], { axis, reduction })[0];
  const known = constant(1);
  return {
    read: (from) => b.node('GatherElements', [from, indices], { axis })[0],
    add: (updates) => set(zerosOf(c, dims(0)), updates, 'add'),
    erase: (into) => set(into, zerosOf(c, dims(1))),
    multiply: (into, updates) => set(into, updates, 'mul'),
    unique: known !== undefined && elementsUnique(known, normalAxis(axis, dims(0).length), dims(0)),
  };
}

function slicesAccess(c: RuleContext): Access {
  const { b, node, dims, constant } = c;
  const [, indices] = node.inputs;
  const set = (into: Value, updates: Value, reduction?: string) =>
    b.node('ScatterND', [into, indices, updates], { reduction })[0];
  const known = constant(1);
  return {
    read: (from) => b.node('GatherND', [from, indices])[0],
    add: (updates) => addSlices(c, indices, known, dims(1), updates, dims(0)),
    erase: (into) => set(into, zerosOf(c, dims(2))),
    multiply: (into, updates) => set(into, updates, 'mul'),
    unique: known !== undefined && slicesUnique(known, dims(0)),
  };
}

/** A tensor of zeros in the element type of the node's first input. */
export function zerosOf({ b, scalar }: RuleContext, dims: readonly number[]): Value {
  return dims.length === 0 ? scalar(0) : b.Expand(scalar(0), dims);
}

/**
 * Zeros of shape `dims` plus `updates` at the slices that ONNX's ScatterND names by `indices` [..., k] (constant as
 * `known` or computed), duplicates added.
 */
export function addSlices(
  c: RuleContext,
  indices: Value,
  known: Tensor | undefined,
  indexDims: readonly number[],
  updates: Value,
  dims: readonly number[],
): Value {
  const { b } = c;
  const depth = indexDims[indexDims.length - 1];
  const slices = sizeOf(dims.slice(0, depth));
  const inner = sizeOf(dims.slice(depth));
  const count = sizeOf(indexDims.slice(0, -1));
  const rows = known
    ? b.constant(tensorOf('int64', linearIndices(known, dims), [count, 1]))
    : computedLinearIndices(c, indices, depth, count, dims);
  const flat = b.Reshape(updates, [count, inner]);
  const spread = inner === 1 ? rows : b.Expand(rows, [count, inner]);
  const sum = b.node('ScatterElements', [zerosOf(c, [slices, inner]), spread, flat], { axis: 0, reduction: 'add' })[0];
  return b.Reshape(sum, dims);
}

/** Row-major positions among the slices, of constant index tuples. */
function linearIndices(indices: Tensor, dims: readonly number[]): number[] {
  const depth = indices.dims[indices.dims.length - 1];
  const values = numbersOf(indices);
  return Array.from({ length: values.length / depth }, (_, row) => {
    let position = 0;
    for (let k = 0; k < depth; k++) position = position * dims[k] + normalAxis(values[row * depth + k], dims[k]);
    return position;
  });
}

function computedLinearIndices(
  { b }: RuleContext,
  indices: Value,
  depth: number,
  count: number,
  dims: readonly number[],
): Value {
  const tuples = b.Reshape(indices, [count, depth]);
  const sizes = b.ints(dims.slice(0, depth));
  const positive = b.Where(b.Less(tuples, b.int(0)), b.Add(tuples, sizes), tuples);
  const strides = dims.slice(0, depth).map((_, k) => sizeOf(dims.slice(k + 1, depth)));
  return b.ReduceSum(b.Mul(positive, b.ints(strides)), [1], true);
}

function slicesUnique(indices: Tensor, dims: readonly number[]): boolean {
  const positions = linearIndices(indices, dims);
  return new Set(positions).size === positions.length;
}

function elementsUnique(indices: Tensor, axis: number, dims: readonly number[]): boolean {
  const seen = new Set<number>();
  const values = numbersOf(indices);
  const position = indices.dims.map(() => 0);
  for (const value of values) {
    let linear = 0;
    for (let i = 0; i < dims.length; i++) {
      linear = linear * dims[i] + (i === axis ? normalAxis(value, dims[i]) : position[i]);
    }
    if (seen.has(linear)) return false;
    seen.add(linear);
    for (let i = position.length - 1; i >= 0 && ++position[i] === indices.dims[i]; i--) position[i] = 0;
  }
  return true;
}
