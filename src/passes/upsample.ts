/**
 * Nearest upsampling by s followed by a k x k convolution is ONE transposed convolution with stride s and kernel k+s-1:
 * per axis, with u[q] = x[floor(q/s)],
 *
 *     y[p] = sum_t w[t] u[p + t - pad] = sum_i x[i] W[p - s i + (k-1-pad)],   W[j] = sum_{r<s} w[r + k-1 - j].
 *
 * For s = 2, k = 3 that is 4/9 of the multiplications; its derivative in the data is a strided Conv, that in the weight
 * has (k+s-1)^2/(s k)^2 of the multiplications. W is linear in w: constant if w is, else computed in the graph.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import {
  intAttribute,
  intsAttribute,
  type Node,
  producersOf,
  type StaticGraph,
  stringAttribute,
} from '../onnx/graph.ts';
import { float32, float32Data, type Tensor, type TensorType } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';

/** A Conv of an upsampled value: `source` is the value before upsampling, `factors` the scalars met on the way. */
interface Match {
  readonly source: Value;
  readonly scale: readonly [number, number];
  readonly factors: readonly number[];
}

/**
 * Rewrites every ungrouped, unstrided, undilated 2-d Conv of a nearest-upsampled value (Resize; reshape, expand, reshape;
 * scalar products between). Other readers of the upsampled value keep it. `variables`: initialisers that are not constant.
 */
export function mergeUpsampling(graph: StaticGraph, variables: ReadonlySet<string> = new Set()): StaticGraph {
  const producers = producersOf(graph);
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  const types = new Map(graph.types);
  let found = false;
  for (const node of graph.nodes) {
    const match = node.operator === 'Conv' && node.domain === '' ? matchUpsampled(graph, producers, node) : undefined;
    if (match && rewrite(b, graph, types, node, match, variables)) found = true;
    else b.append(node);
  }
  if (!found) return graph;
  for (const [name, tensor] of b.initializers) types.set(name, { type: tensor.type, dims: tensor.dims });
  return withoutDeadCode({ ...graph, nodes: b.nodes, initializers: b.initializers, types });
}

function matchUpsampled(graph: StaticGraph, producers: Map<string, Node>, conv: Node): Match | undefined {
  const plain = (name: string) => (intsAttribute(conv, name) ?? []).every((n) => n === 1);
  if (!plain('strides') || !plain('dilations') || intAttribute(conv, 'group', 1) !== 1) return undefined;
  if (stringAttribute(conv, 'auto_pad', 'NOTSET') !== 'NOTSET') return undefined;
  const factors: number[] = [];
  let value = conv.inputs[0];
  if (graph.types.get(value)?.dims.length !== 4 || graph.types.get(value)?.type !== 'float32') return undefined;
  for (;;) {
    const node = producers.get(value);
    if (node?.domain !== '') return undefined;
    const scaled = scalarProduct(graph, node);
    if (scaled) {
      factors.push(scaled.factor);
      value = scaled.value;
      continue;
    }
    const source = upsampledFrom(graph, producers, node);
    if (source === undefined) return undefined;
    const [n, c, h, w] = graph.types.get(source)!.dims;
    const [outN, outC, outH, outW] = graph.types.get(value)!.dims;
    if (n !== outN || c !== outC || outH % h !== 0 || outW % w !== 0) return undefined;
    return { source, scale: [outH / h, outW / w], factors };
  }
}

/** value * constant (or / constant) with a one-element constant. */
function scalarProduct(graph: StaticGraph, node: Node): { value: Value; factor: number } | undefined {
  if (node.operator !== 'Mul' && node.operator !== 'Div') return undefined;
  const constant = (name: string) => {
    const tensor = graph.initializers.get(name);
    return tensor?.type === 'float32' && tensor.data.length === 1 && tensor.dims.length <= 4
      ? float32Data(tensor)[0]
      : undefined;
  };
  const [a, b] = node.inputs;
  const right = constant(b);
  if (right !== undefined) return { value: a, factor: node.operator === 'Mul' ? right : 1 / right };
  const left = constant(a);
  return left !== undefined && node.operator === 'Mul' ? { value: b, factor: left } : undefined;
}

/** The value that `node` repeats by integer factors along the last two axes. */
function upsampledFrom(graph: StaticGraph, producers: Map<string, Node>, node: Node): Value | undefined {
  if (node.operator === 'Resize') return repeats(node) ? node.inputs[0] : undefined;
  if (node.operator !== 'Reshape') return undefined;
  const repeat = producers.get(node.inputs[0]);
  if (!repeat || (repeat.operator !== 'Expand' && repeat.operator !== 'Tile')) return undefined;
  const split = producers.get(repeat.inputs[0]);
  if (!split || (split.operator !== 'Reshape' && split.operator !== 'Unsqueeze')) return undefined;
  const dims = (value: Value) => graph.types.get(value)?.dims.join() ?? '';
  const [n, c, h, w] = graph.types.get(split.inputs[0])!.dims;
  const [, , , sy, , sx] = graph.types.get(repeat.outputs[0])!.dims;
  const matches =
    graph.types.get(split.inputs[0])!.dims.length === 4 &&
    dims(split.outputs[0]) === [n, c, h, 1, w, 1].join() &&
    dims(repeat.outputs[0]) === [n, c, h, sy, w, sx].join() &&
    dims(node.outputs[0]) === [n, c, h * sy, w * sx].join();
  return matches ? split.inputs[0] : undefined;
}

/** Does this Resize, at an integer scale, repeat each element? */
function repeats(node: Node): boolean {
  if (stringAttribute(node, 'mode', 'nearest') !== 'nearest' || intsAttribute(node, 'axes')) return false;
  const coordinates = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const rounding = stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
  if (coordinates === 'asymmetric') return rounding === 'floor';
  // (i + 1/2) / s - 1/2 stays within half a unit of floor(i / s), and is never a tie.
  return (
    (coordinates === 'half_pixel' || coordinates === 'pytorch_half_pixel') &&
    (rounding === 'round_prefer_floor' || rounding === 'round_prefer_ceil')
  );
}

function rewrite(
  b: GraphBuilder,
  graph: StaticGraph,
  types: Map<string, TensorType>,
  conv: Node,
  { source, scale, factors }: Match,
  variables: ReadonlySet<string>,
): boolean {
  const [, weight, bias] = conv.inputs;
  const [filters, channels, ...kernel] = graph.types.get(weight)!.dims;
  const pads = intsAttribute(conv, 'pads') ?? [0, 0, 0, 0];
  const mirrored = pads.map((pad, i) => kernel[i % 2] - 1 - pad);
  const large = kernel.map((k, i) => k + scale[i] - 1);
  // Merging must save multiplications, and a ConvTranspose cannot have negative pads.
  if (mirrored.some((pad) => pad < 0) || large[0] * large[1] >= scale[0] * scale[1] * kernel[0] * kernel[1])
    return false;
  const factor = factors.reduce((product, f) => product * f, 1);
  const spread = spreadingMatrix(kernel, scale, factor);
  const constant = variables.has(weight) ? undefined : graph.initializers.get(weight);
  const typed = (value: Value, dims: readonly number[]): Value => {
    types.set(value, { type: 'float32', dims });
    return value;
  };
  const merged = b.scope(`${conv.outputs[0]}/merged`, () => {
    if (constant?.type === 'float32') return b.initializer(b.fresh('weight'), spreadConstant(constant, spread, large));
    const [taps, spreadTaps] = spread.dims;
    // The product first: in the gradient it stands between the transposition and the optimiser's arithmetic, through
    // which ONNX Runtime would move the transposition.
    const flat = typed(b.Reshape(weight, [filters, channels, taps]), [filters, channels, taps]);
    const matrix = b.initializer(b.fresh('spread'), spread);
    const product = typed(b.MatMul(flat, matrix), [filters, channels, spreadTaps]);
    const swapped = typed(b.Transpose(product, [1, 0, 2]), [channels, filters, spreadTaps]);
    const dims = [channels, filters, ...large];
    return typed(b.Reshape(swapped, dims), dims);
  });
  b.append({
    ...conv,
    operator: 'ConvTranspose',
    inputs: bias ? [source, merged, bias] : [source, merged],
    attributes: {
      strides: { kind: 'ints', value: scale },
      pads: { kind: 'ints', value: mirrored },
      kernel_shape: { kind: 'ints', value: large },
    },
  });
  return true;
}

/** The linear map from the taps of w (rows) to those of W (columns), both row-major over the two axes. */
function spreadingMatrix(kernel: readonly number[], scale: readonly number[], factor: number): Tensor<'float32'> {
  const [ky, kx] = kernel;
  const [sy, sx] = scale;
  const [ly, lx] = [ky + sy - 1, kx + sx - 1];
  const data = new Float32Array(ky * kx * ly * lx);
  // W[j] = sum_{r<s} w[r + k-1 - j]: tap t of w reaches those j with 0 <= t - (k-1) + j < s.
  const reaches = (t: number, j: number, k: number, s: number) => t - (k - 1) + j >= 0 && t - (k - 1) + j < s;
  for (let ty = 0; ty < ky; ty++)
    for (let tx = 0; tx < kx; tx++)
      for (let jy = 0; jy < ly; jy++)
        for (let jx = 0; jx < lx; jx++)
          if (reaches(ty, jy, ky, sy) && reaches(tx, jx, kx, sx))
            data[(ty * kx + tx) * ly * lx + jy * lx + jx] = factor;
  return float32(data, [ky * kx, ly * lx]);
}

/** w [O, C, ...k] to W [C, O, ...K] by the spreading matrix. */
function spreadConstant(w: Tensor, spread: Tensor<'float32'>, large: readonly number[]): Tensor<'float32'> {
  const [filters, channels] = w.dims;
  const [taps, spreadTaps] = spread.dims;
  const from = float32Data(w);
  const result = new Float32Array(channels * filters * spreadTaps);
  for (let j = 0; j < spreadTaps; j++) {
    const used = Array.from({ length: taps }, (_, t) => t).filter((t) => spread.data[t * spreadTaps + j] !== 0);
    const factor = spread.data[used[0] * spreadTaps + j];
    for (let c = 0; c < channels; c++) {
      for (let o = 0; o < filters; o++) {
        let sum = 0;
        for (const t of used) sum += from[(o * channels + c) * taps + t];
        result[(c * filters + o) * spreadTaps + j] = sum * factor;
      }
    }
  }
  return float32(result, [channels, filters, ...large]);
}
