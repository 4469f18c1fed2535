/**
 * A strided transposed convolution as unstrided convolutions, one per output phase, interleaved.
 * Per axis, with stride s and p = s m + phase:
 *
 *     y[p] = sum_i x[i] W[p - s i + pad] = sum_j x[m + base - j] W[s j + rest],   phase + pad = s base + rest.
 *
 * ONNX Runtime's CPU convolutions with constant weights run in a blocked layout, its ConvTranspose does not; and what
 * its ConvTranspose does after the product runs in one thread, so that tuned weights gain too where there are many
 * positions (one thread, 256 to 128 channels from 64x64: 63 ms, so 47; 512 to 512 from 16x16: 39, so 60). A rectifier that is the only reader goes before the interleaving, where ONNX Runtime fuses it into the convolutions.
 */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import {
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  producersOf,
  readsOf,
  stringAttribute,
} from '../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import { withoutDeadCode } from './dead-code.ts';
import { float32Values } from './products.ts';
import { transposed } from './transposes.ts';

/** One phase of one axis: taps of W in the order of a correlation, and its pads. */
interface AxisPhase {
  readonly taps: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Fewest input positions and filters for which weights that change at every step are split. */
const MIN_POSITIONS = 1024;
const MIN_FILTERS = 16;

/**
 * Rewrites the ungrouped, undilated 2-d ConvTranspose nodes with equal strides above 1 whose weights are float32
 * initialisers, or made of them and of float32 inputs.
 */
export function splitPhases<G extends Graph>(graph: G, dims: ReadonlyMap<string, readonly number[]>): G {
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const output of node.outputs) b.reserve(output);
  const moved = new Set<Node>();
  const producers = producersOf(graph);
  const floats = float32Values(graph);
  let found = false;
  for (const node of graph.nodes) {
    if (moved.has(node)) continue;
    const axes =
      node.operator === 'ConvTranspose' && node.domain === '' ? phasesOf(graph, node, dims, floats) : undefined;
    if (!axes) {
      b.append(node);
      continue;
    }
    found = true;
    const rectifier = rectifierOf(graph, node);
    if (rectifier) moved.add(rectifier);
    b.scope(`${node.outputs[0]}/phase`, () => emitPhases(b, graph, node, axes, dims, producers, rectifier));
  }
  return found ? withoutDeadCode({ ...graph, nodes: b.nodes, initializers: b.initializers }) : graph;
}

/** The rectifier that alone reads the node's output. */
function rectifierOf(graph: Graph, node: Node): Node | undefined {
  const [output] = node.outputs;
  const readers = graph.nodes.filter((reader) => readsOf(reader).includes(output));
  const only = readers.length === 1 && !graph.outputs.some((o) => o.name === output) ? readers[0] : undefined;
  return only && (only.operator === 'Relu' || only.operator === 'LeakyRelu') ? only : undefined;
}

function phasesOf(
  graph: Graph,
  node: Node,
  dims: ReadonlyMap<string, readonly number[]>,
  floats: ReadonlySet<string>,
): readonly (readonly AxisPhase[])[] | undefined {
  const weight = dims.get(node.inputs[1]);
  const input = dims.get(node.inputs[0]);
  const output = dims.get(node.outputs[0]);
  const strides = intsAttribute(node, 'strides');
  if (!floats.has(node.inputs[1]) || weight?.length !== 4 || !input || !output || !strides) return undefined;
  const few = input[0] * input[2] * input[3] < MIN_POSITIONS || weight[1] < MIN_FILTERS;
  if (few && !graph.initializers.has(node.inputs[1])) return undefined;
  if (strides[0] < 2 || strides[0] !== strides[1] || intAttribute(node, 'group', 1) !== 1) return undefined;
  if ((intsAttribute(node, 'dilations') ?? []).some((n) => n !== 1)) return undefined;
  if (stringAttribute(node, 'auto_pad', 'NOTSET') !== 'NOTSET' || intsAttribute(node, 'output_shape')) return undefined;
  const pads = intsAttribute(node, 'pads') ?? [0, 0, 0, 0];
  const axes = [0, 1].map((i) => axisPhases(strides[i], weight[2 + i], pads[i], input[2 + i], output[2 + i]));
  return axes.every((axis) => axis !== undefined) ? axes : undefined;
}

/** Undefined where the output does not divide into phases of one length, or one would need cropping. */
function axisPhases(
  stride: number,
  kernel: number,
  pad: number,
  input: number,
  output: number,
): AxisPhase[] | undefined {
  if (output % stride !== 0) return undefined;
  const phases = Array.from({ length: stride }, (_, phase): AxisPhase => {
    const base = Math.floor((phase + pad) / stride);
    const rest = (phase + pad) % stride;
    const count = Math.ceil((kernel - rest) / stride);
    const begin = count - 1 - base;
    const taps = Array.from({ length: count }, (_, t) => stride * (count - 1 - t) + rest);
    return { taps, begin, end: output / stride - input - begin + count - 1 };
  });
  return phases.every(({ taps, begin, end }) => taps.length > 0 && begin >= 0 && end >= 0) ? phases : undefined;
}

function emitPhases(
  b: GraphBuilder,
  graph: Graph,
  node: Node,
  [rows, columns]: readonly (readonly AxisPhase[])[],
  dims: ReadonlyMap<string, readonly number[]>,
  producers: ReadonlyMap<string, Node>,
  rectifier?: Node,
): void {
  const weight = graph.initializers.get(node.inputs[1]);
  const flat = weight ? undefined : filtersFirst(b, node.inputs[1], dims, producers);
  const outputs = rows.flatMap((row) =>
    columns.map((column): Value => {
      const w = weight
        ? b.initializer(b.fresh('weight'), phaseWeight(weight, row.taps, column.taps))
        : pickedTaps(b, flat!, dims.get(node.inputs[1])!, row.taps, column.taps);
      const pads = [row.begin, column.begin, row.end, column.end];
      const y = b.Conv(node.inputs[0], w, node.inputs[2] || undefined, { pads });
      return rectifier ? b.node(rectifier.operator, [y], rectifier.attributes)[0] : y;
    }),
  );
  interleave(b, outputs, rows.length, dims.get(node.outputs[0])!, (rectifier ?? node).outputs);
}

/**
 * What DepthToSpace does, in two transpositions that each move one axis: columns, then whole rows. ONNX Runtime's
 * DepthToSpace is a general permutation of six axes (8 x 128 x 32 x 32: 3.7 ms, so 1.6 ms).
 */
function interleave(
  b: GraphBuilder,
  phases: readonly Value[],
  stride: number,
  [batch, channels, height, width]: readonly number[],
  outputs: readonly string[],
): void {
  const lines = (channels * height) / stride;
  const columns = b.Reshape(b.Concat([...phases], 1), [batch * stride, stride, (lines * width) / stride]);
  const whole = b.Reshape(b.Transpose(columns, [0, 2, 1]), [batch, stride, lines, width]);
  const rows = transposed(b, whole, [batch, stride, lines, width], [0, 2, 1, 3]);
  b.node('Reshape', [rows, b.ints([batch, channels, height, width])], {}, outputs);
}

/** W [C, O, Ky, Kx] as [O C, Ky Kx]; where that is what W was made of (upsampling merged), it is read there. */
function filtersFirst(
  b: GraphBuilder,
  w: Value,
  dims: ReadonlyMap<string, readonly number[]>,
  producers: ReadonlyMap<string, Node>,
): Value {
  const [channels, filters, ...kernel] = dims.get(w)!;
  const taps = kernel[0] * kernel[1];
  const reshape = producers.get(w);
  const swap = reshape?.operator === 'Reshape' ? producers.get(reshape.inputs[0]) : undefined;
  const made =
    swap?.operator === 'Transpose' &&
    intsAttribute(swap, 'perm')?.join() === '1,0,2' &&
    dims.get(swap.inputs[0])?.join() === [filters, channels, taps].join();
  const swapped = made ? swap.inputs[0] : b.Transpose(b.Reshape(w, [channels, filters, taps]), [1, 0, 2]);
  return b.Reshape(swapped, [filters * channels, taps]);
}

/** The given taps of [O C, Ky Kx], as a Conv's weight [O, C, ky, kx]; a product, as strided slices are slow. */
function pickedTaps(
  b: GraphBuilder,
  flat: Value,
  [channels, filters, height, width]: readonly number[],
  rows: readonly number[],
  columns: readonly number[],
): Value {
  const count = rows.length * columns.length;
  const picks = new Float32Array(height * width * count);
  rows.forEach((row, i) => {
    columns.forEach((column, j) => {
      picks[(row * width + column) * count + i * columns.length + j] = 1;
    });
  });
  const matrix = b.constant(float32(picks, [height * width, count]), 'taps');
  return b.Reshape(b.MatMul(flat, matrix), [filters, channels, rows.length, columns.length]);
}

/** W [C, O, Ky, Kx] at the given taps, as a Conv's weight [O, C, ky, kx]. */
function phaseWeight(weight: Tensor, rows: readonly number[], columns: readonly number[]): Tensor<'float32'> {
  const [channels, filters, height, width] = weight.dims;
  const from = float32Data(weight);
  const to = new Float32Array(filters * channels * rows.length * columns.length);
  let k = 0;
  for (let o = 0; o < filters; o++)
    for (let c = 0; c < channels; c++)
      for (const row of rows)
        for (const column of columns) to[k++] = from[((c * filters + o) * height + row) * width + column];
  return float32(to, [filters, channels, rows.length, columns.length]);
}
