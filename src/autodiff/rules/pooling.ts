/** Pools: averages are linear, maxima gather, Lp norms are both a power and a sum. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { Rule, RuleContext, RuleTable } from '../rule.ts';
import { type AxisMap, applyMaps, transposeMap } from './axis-maps.ts';
import { type Window, windowOf } from './window.ts';

const averagePool: Rule = {
  gradient: (context) => {
    const { b, node, cotangents, dims, outputDims } = context;
    const window = poolWindow(context);
    const g = cotangents[0]!;
    const [input, output] = [dims(0).slice(2), outputDims(0).slice(2)];
    const separate = window.kernel.every(
      (k, i) =>
        k === window.strides[i] &&
        window.begins[i] === 0 &&
        k * output[i] === input[i] &&
        (k === 1 || window.dilations[i] === 1),
    );
    if (separate && input.length === 2) {
      // Windows side by side: every element of one receives the same share.
      const share = b.Mul(g, b.scalar(1 / sizeOf(window.kernel)));
      const options = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } as const;
      return [b.Resize(share, [1, 1, ...window.kernel], options)];
    }
    const padsCount = intAttribute(node, 'count_include_pad', 0) === 1;
    const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
    const given = mode === 'NOTSET' ? intsAttribute(node, 'pads') : undefined;
    const maps = input.map((size, i) => {
      const padding = mode.startsWith('SAME') ? Math.max(0, window.ends[i]) : (given?.[i + input.length] ?? 0);
      const end = window.begins[i] + size + padding;
      return poolMap(
        window,
        i,
        size,
        output[i],
        (valid, first) => 1 / (padsCount ? tapsBefore(window, i, first, end) : valid),
      );
    });
    return [applyMaps(b, g, outputDims(0), maps.map(transposeMap))];
  },
};

/** The number of taps of a window that begins at `first` (counted with its padding) before `end`. */
function tapsBefore(window: Window, i: number, first: number, end: number): number {
  return Math.min(window.kernel[i], Math.ceil((end - first) / window.dilations[i]));
}

/** A pool along axis `i` as a matrix; `weight` is that of each tap of a window with `valid` taps inside the image. */
function poolMap(
  window: Window,
  i: number,
  input: number,
  output: number,
  weight: (valid: number, first: number) => number,
): AxisMap {
  const weights = new Float32Array(output * input);
  for (let row = 0; row < output; row++) {
    const first = row * window.strides[i];
    const taps = Array.from({ length: window.kernel[i] }, (_, t) => first + t * window.dilations[i] - window.begins[i]);
    const valid = taps.filter((position) => position >= 0 && position < input);
    for (const position of valid) weights[row * input + position] = weight(valid.length, first);
  }
  return { axis: i + 2, rows: output, columns: input, weights };
}

function poolWindow({ node, dims, outputDims }: RuleContext): Window {
  return windowOf(node, intsAttribute(node, 'kernel_shape') ?? [], dims(0).slice(2), outputDims(0).slice(2));
}

/**
 * The cotangent goes to the element the pool itself names as its maximum (the first of equals). Indices count over the
 * whole tensor; overlapping windows may name an element twice.
 */
const maxPool: Rule = {
  gradient: (context) => {
    const { b, node, cotangents, dims } = context;
    const g = cotangents[0];
    if (g === undefined) return [];
    const { storage_order: _, ...attributes } = node.attributes;
    const own = intAttribute(node, 'storage_order', 0) === 0 ? node.outputs[1] : undefined;
    const indices = own || b.node('MaxPool', [node.inputs[0]], attributes, 2)[1];
    return [scatterFlat(b, g, indices, dims(0))];
  },
};

function scatterFlat(b: GraphBuilder, g: Value, indices: Value, dims: readonly number[]): Value {
  const size = sizeOf(dims);
  const zeros = b.Expand(b.scalar(0), [size]);
  const flat = [zeros, b.Reshape(indices, [-1]), b.Reshape(g, [-1])];
  return b.Reshape(b.node('ScatterElements', flat, { axis: 0, reduction: 'add' })[0], dims);
}

const globalAveragePool: Rule = {
  gradient: ({ b, cotangents, dims }) => {
    const share = b.Mul(cotangents[0]!, b.scalar(1 / sizeOf(dims(0).slice(2))));
    return [b.Expand(share, dims(0))];
  },
};

const globalMaxPool: Rule = {
  gradient: ({ b, node, cotangents, dims }) => {
    const [batch, channels, ...spatial] = dims(0);
    const flat = b.Reshape(node.inputs[0], [batch, channels, sizeOf(spatial)]);
    const first = b.node('ArgMax', [flat], { axis: 2, keepdims: 1 })[0];
    const zeros = b.Expand(b.scalar(0), [batch, channels, sizeOf(spatial)]);
    const g = b.Reshape(cotangents[0]!, [batch, channels, 1]);
    return [b.Reshape(b.node('ScatterElements', [zeros, first, g], { axis: 2 })[0], dims(0))];
  },
};

/** y = (sum of |x|^p)^(1/p):  dx = sign(x) |x|^(p-1) times the sum over the windows that read x of dy y^(1-p). */
function lpGradient(
  b: GraphBuilder,
  p: number,
  x: Value,
  y: Value,
  g: Value,
  spreadOut: (value: Value) => Value,
): Value {
  if (p === 1) return b.Mul(b.Sign(x), spreadOut(g));
  // Where y is 0 every x of its window is, and so is the product: any finite power will do.
  const safe = b.Where(b.Equal(y, b.scalar(0)), b.scalar(1), y);
  if (p === 2) return b.Mul(x, spreadOut(b.Div(g, safe)));
  const power = b.Mul(b.Sign(x), b.Pow(b.Abs(x), b.scalar(p - 1)));
  return b.Mul(power, spreadOut(b.Mul(g, b.Pow(safe, b.scalar(1 - p)))));
}

const lpPool: Rule = {
  gradient: (context) => {
    const { b, node, cotangents, dims, outputDims } = context;
    const window = poolWindow(context);
    const maps = window.kernel.map((_, i) => poolMap(window, i, dims(0)[i + 2], outputDims(0)[i + 2], () => 1));
    const spreadOut = (value: Value) => applyMaps(b, value, outputDims(0), maps.map(transposeMap));
    return [lpGradient(b, intAttribute(node, 'p', 2), node.inputs[0], node.outputs[0], cotangents[0]!, spreadOut)];
  },
};

const globalLpPool: Rule = {
  gradient: ({ b, node, cotangents, dims }) => {
    const spreadOut = (value: Value) => b.Expand(value, dims(0));
    return [lpGradient(b, intAttribute(node, 'p', 2), node.inputs[0], node.outputs[0], cotangents[0]!, spreadOut)];
  },
};

export const pooling = {
  AveragePool: averagePool,
  MaxPool: maxPool,
  LpPool: lpPool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  GlobalLpPool: globalLpPool,
} satisfies RuleTable;
