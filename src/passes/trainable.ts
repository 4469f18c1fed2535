/**
 * Which initialisers are weights and biases: the default set of R-RGI. Decided by what a value is used for, not by its
 * shape or name alone, because exporters fold, transpose and rename parameters and leave constants among them.
 */
import { entryOf, type Graph, intAttribute, type Node } from '../onnx/graph.ts';
import { isFloat, numbersOf, type Tensor } from '../onnx/tensor.ts';

/** What `trainableWeights` leaves out. */
export interface TrainableOptions {
  /** Leaves out initialisers of fewer axes; 2 is what the reference's traces tune. Default 0. */
  readonly minimumRank?: number;
}

/** Inputs that hold weights and biases. BatchNormalization's running statistics (3, 4) are none. */
const WEIGHT_SLOTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [0, 1, 2],
  ConvTranspose: [0, 1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
  Gather: [0],
};

/**
 * Operators of any number of operands where a constant operand beside a variable one is a gain, a bias or a learned
 * input. Sub and Div are not among them: what is subtracted or divided by is a statistic (the mean of w, a deviation).
 */
const OPERAND_SLOTS = new Set(['Add', 'Mul', 'Concat', 'Einsum']);

/** Inputs that are settings, not values that flow on. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  Pad: [1, 2, 3],
  Resize: [1, 2, 3],
  Where: [0],
  OneHot: [1, 2],
  Range: [0, 1, 2],
};

/**
 * The names of the float initialisers that are weights or biases, in the order of the graph.
 *
 * An initialiser is one if it reaches, directly or through nodes of constants alone (Transpose, Reshape, Unsqueeze,
 * Mul by a gain, Expand, ...), a weight slot of a linear, normalising or embedding operator, or stands beside a value that
 * depends on the model's inputs in Add, Mul, Concat or Einsum. Left out are: single numbers, unless their name is a
 * parameter's path (`attention.gamma`); what is subtracted; running statistics; the ones and zeros of an
 * InstanceNormalization that stands for another normalisation; blur (FIR) kernels; and noise images.
 */
export function trainableWeights(graph: Graph, options: TrainableOptions = {}): string[] {
  const roots = new Map<string, ReadonlySet<string>>();
  for (const [name, tensor] of graph.initializers) if (isFloat(tensor.type)) roots.set(name, new Set([name]));
  const variable = new Set(graph.inputs.map((input) => input.name));
  const found = new Set<string>();
  const excluded = new Set<string>();

  for (const node of graph.nodes) {
    const shapeOnly = node.operator === 'Shape' || node.operator === 'Size';
    const isVariable = !shapeOnly && node.inputs.some((input) => variable.has(input));
    if (isVariable) for (const output of node.outputs) variable.add(output);
    node.inputs.forEach((input, slot) => {
      const reached = roots.get(input);
      if (!reached || variable.has(input)) return;
      const role = roleOf(graph, node, slot, isVariable);
      for (const name of reached) {
        const tensor = graph.initializers.get(name)!;
        if (node.operator === 'Sub' && slot === 1 && isVariable) excluded.add(name);
        else if (role && !isConstantInRole(graph, node, tensor, input, role)) found.add(name);
      }
    });
    if (!isVariable && !shapeOnly) {
      const flowing = node.inputs.flatMap((input, slot) =>
        entryOf(SETTINGS, node.operator)?.includes(slot) ? [] : [...(roots.get(input) ?? [])],
      );
      if (flowing.length > 0) for (const output of node.outputs) roots.set(output, new Set(flowing));
    }
  }
  return [...graph.initializers]
    .filter(([name, tensor]) => {
      if (!found.has(name) || excluded.has(name) || tensor.dims.length < (options.minimumRank ?? 0)) return false;
      return tensor.data.length > 1 || name.includes('.');
    })
    .map(([name]) => name);
}

type Role = 'weight' | 'operand';

function roleOf(graph: Graph, node: Node, slot: number, isVariable: boolean): Role | undefined {
  if (node.domain !== '') return undefined;
  if (entryOf(WEIGHT_SLOTS, node.operator)?.includes(slot)) {
    return node.operator === 'InstanceNormalization' && isNeutral(graph, node) ? undefined : 'weight';
  }
  return isVariable && OPERAND_SLOTS.has(node.operator) ? 'operand' : undefined;
}

function isConstantInRole(graph: Graph, node: Node, tensor: Tensor, input: string, role: Role): boolean {
  if (role === 'operand') return isNoiseImage(tensor.dims);
  if (node.operator !== 'Conv' && node.operator !== 'ConvTranspose') return false;
  const direct = graph.initializers.get(input);
  return isBlurKernel(tensor) || (direct === tensor && intAttribute(node, 'group', 1) > 1 && hasEqualFilters(tensor));
}

/** Exporters write GroupNorm as an InstanceNormalization of reshaped values with scale 1 and bias 0. */
function isNeutral(graph: Graph, node: Node): boolean {
  const [scale, bias] = [1, 2].map((slot) => graph.initializers.get(node.inputs[slot]));
  const all = (tensor: Tensor | undefined, value: number) =>
    tensor === undefined || numbersOf(tensor).every((v) => v === value);
  return all(scale, 1) && all(bias, 0);
}

/** [N, 1, H, W]: one value per position, the same for every channel. */
function isNoiseImage(dims: readonly number[]): boolean {
  const [height, width] = dims.slice(-2);
  if (dims.length < 2 || height < 2 || width < 2) return false;
  return dims.length === 4 ? dims[1] === 1 : dims.slice(0, -2).every((d) => d === 1);
}

/** One separable filter [.., h, w]: an outer product of two vectors, as every FIR filter of upfirdn is. */
function isBlurKernel(tensor: Tensor): boolean {
  const { dims } = tensor;
  const [h, w] = dims.slice(-2);
  if (dims.length < 2 || h < 2 || w < 2 || h > 16 || w > 16 || dims.slice(0, -2).some((d) => d !== 1)) return false;
  return isRankOne(numbersOf(tensor), w);
}

function hasEqualFilters(tensor: Tensor): boolean {
  const [count, perGroup, ...kernel] = tensor.dims;
  const size = kernel.reduce((a, d) => a * d, 1);
  const values = numbersOf(tensor);
  return count > 1 && perGroup === 1 && size > 1 && values.every((v, i) => v === values[i % size]);
}

function isRankOne(values: readonly number[], width: number): boolean {
  const pivot = values.reduce((best, v, i) => (Math.abs(v) > Math.abs(values[best]) ? i : best), 0);
  const row = Math.floor(pivot / width) * width;
  const column = pivot % width;
  const tolerance = 1e-5 * values[pivot] ** 2;
  return values.every((v, i) => {
    const product = values[row + (i % width)] * values[Math.floor(i / width) * width + column];
    return Math.abs(v * values[pivot] - product) <= tolerance;
  });
}
