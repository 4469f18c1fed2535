/**
 * Emits nodes of the working opset. Methods carry the ONNX operator's name and return the name of the value made.
 * Values are named after their origin through `scope`; constants are shared by content.
 */
import { elementCode } from './element-codes.ts';
import type { Attribute, Attributes, Graph, Node, ValueInfo } from './graph.ts';
import { type ElementType, float32, ints, scalar, type Tensor, tensorOf } from './tensor.ts';

/** Name of a value of the graph. */
export type Value = string;

type AttributeInput = number | string | readonly number[] | Attribute;

export interface ConvOptions {
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** ONNX order: begins of all spatial axes, then ends. */
  readonly pads?: readonly number[];
  readonly group?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  readonly output_padding?: readonly number[];
}

export interface ResizeOptions {
  readonly mode?: 'nearest' | 'linear' | 'cubic';
  readonly coordinate_transformation_mode?: string;
  readonly nearest_mode?: string;
}

/**
 * Builds a graph node by node. The methods named as ONNX operators emit that operator of opset 20, with its inputs in
 * its own order (https://onnx.ai/onnx/operators/), and return the name of the value made; shapes are not checked here.
 *
 * @example
 * ```ts
 * import { encodeModel, float32, GraphBuilder } from 'rgi';
 * import { createRuntime } from 'rgi/node';
 *
 * const b = new GraphBuilder();
 * b.node('Mul', ['x', 'x'], {}, ['y']);
 * const value = { type: 'float32', dims: [3] } as const;
 * const model = encodeModel(b.graph('square', [{ name: 'x', ...value }], [{ name: 'y', ...value }]));
 * const runtime = await createRuntime();
 * const session = await runtime.session(model);
 * const results = await session.run(new Map([['x', float32([1, 2, 3])]]));
 * console.log(results.get('y')?.data.join(' ')); // 1 4 9
 * await runtime.dispose();
 * ```
 */
export class GraphBuilder {
  /** The nodes made so far, in topological order. */
  readonly nodes: Node[] = [];
  /** The constants made so far, by name. */
  readonly initializers = new Map<string, Tensor>();
  private readonly taken = new Set<string>();
  private readonly counters = new Map<string, number>();
  private readonly shared = new Map<string, Value>();
  private prefix = '';

  /** Starts empty, or as a copy of `graph` to which nodes are added. */
  constructor(graph?: Graph) {
    if (!graph) return;
    this.nodes.push(...graph.nodes);
    for (const [name, tensor] of graph.initializers) this.initializers.set(name, tensor);
    for (const input of graph.inputs) this.taken.add(input.name);
    for (const name of graph.initializers.keys()) this.taken.add(name);
    for (const node of graph.nodes) for (const output of node.outputs) this.taken.add(output);
  }

  /** Runs `emit` with `name/` in front of the values it makes. */
  scope<T>(name: string, emit: () => T): T {
    const before = this.prefix;
    this.prefix = before ? `${before}/${name}` : name;
    try {
      return emit();
    } finally {
      this.prefix = before;
    }
  }

  /** A value name not used yet. */
  fresh(hint: string): Value {
    const base = this.prefix ? `${this.prefix}/${hint}` : hint;
    let name = base;
    while (this.taken.has(name)) {
      const count = (this.counters.get(base) ?? 0) + 1;
      this.counters.set(base, count);
      name = `${base}.${count}`;
    }
    this.taken.add(name);
    return name;
  }

  /** Reserves a name given from outside (graph inputs). */
  reserve(name: Value): Value {
    this.taken.add(name);
    return name;
  }

  /** A constant; equal small constants are one initialiser. */
  constant(tensor: Tensor, hint = 'constant'): Value {
    if (tensor.data.length > 64) return this.initializer(this.fresh(hint), tensor);
    const key = `${tensor.type}[${tensor.dims.join()}]${Array.from(tensor.data as ArrayLike<number | bigint>, (v) => (Object.is(v, -0) ? '-0' : String(v))).join()}`;
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const before = this.prefix;
    this.prefix = '';
    const name = this.initializer(this.fresh(hint), tensor);
    this.prefix = before;
    this.shared.set(key, name);
    return name;
  }

  /** Adds a constant under a name of its own; `constant` shares equal ones. */
  initializer(name: Value, tensor: Tensor): Value {
    this.taken.add(name);
    this.initializers.set(name, tensor);
    return name;
  }

  /** Float32 scalar constant. */
  scalar(value: number): Value {
    return this.constant(scalar(value), 'scalar');
  }

  /** int64 vector constant. */
  ints(values: readonly number[]): Value {
    return this.constant(ints(values), 'ints');
  }

  /** int64 scalar constant. */
  int(value: number): Value {
    return this.constant(tensorOf('int64', [value], []), 'int');
  }

  /** float32 constant; without `dims` a vector. */
  floats(values: ArrayLike<number>, dims?: readonly number[]): Value {
    return this.constant(float32(values, dims), 'floats');
  }

  /** Any node. Numbers in `attributes` are ints; write floats as `float(x)`. */
  node(
    operator: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, AttributeInput | undefined>> = {},
    outputs: number | readonly Value[] = 1,
    hint?: string,
  ): Value[] {
    const made =
      typeof outputs === 'number' ? Array.from({ length: outputs }, () => this.fresh(hint ?? operator)) : [...outputs];
    for (const name of made) this.taken.add(name);
    let last = inputs.length;
    while (last > 0 && inputs[last - 1] === '') last--;
    this.nodes.push({
      operator,
      domain: '',
      name: made[0],
      inputs: inputs.slice(0, last),
      outputs: made,
      attributes: attributesOf(attributes),
    });
    return made;
  }

  /** Appends an existing node as it is. */
  append(node: Node): void {
    for (const output of node.outputs) this.taken.add(output);
    this.nodes.push(node);
  }

  private one(
    operator: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, AttributeInput | undefined>> = {},
  ): Value {
    return this.node(operator, inputs, attributes)[0];
  }

  // Elementwise
  Add = (a: Value, b: Value): Value => this.one('Add', [a, b]);
  Sub = (a: Value, b: Value): Value => this.one('Sub', [a, b]);
  Mul = (a: Value, b: Value): Value => this.one('Mul', [a, b]);
  Div = (a: Value, b: Value): Value => this.one('Div', [a, b]);
  Pow = (a: Value, b: Value): Value => this.one('Pow', [a, b]);
  Neg = (a: Value): Value => this.one('Neg', [a]);
  Abs = (a: Value): Value => this.one('Abs', [a]);
  Sign = (a: Value): Value => this.one('Sign', [a]);
  Sqrt = (a: Value): Value => this.one('Sqrt', [a]);
  Reciprocal = (a: Value): Value => this.one('Reciprocal', [a]);
  Exp = (a: Value): Value => this.one('Exp', [a]);
  Log = (a: Value): Value => this.one('Log', [a]);
  Sin = (a: Value): Value => this.one('Sin', [a]);
  Cos = (a: Value): Value => this.one('Cos', [a]);
  Tanh = (a: Value): Value => this.one('Tanh', [a]);
  Sigmoid = (a: Value): Value => this.one('Sigmoid', [a]);
  Erf = (a: Value): Value => this.one('Erf', [a]);
  Relu = (a: Value): Value => this.one('Relu', [a]);
  Softplus = (a: Value): Value => this.one('Softplus', [a]);
  LeakyRelu = (a: Value, alpha: number): Value => this.one('LeakyRelu', [a], { alpha: float(alpha) });
  Max = (...values: Value[]): Value => this.one('Max', values);
  Min = (...values: Value[]): Value => this.one('Min', values);
  Clip = (a: Value, min: Value, max: Value): Value => this.one('Clip', [a, min, max]);
  Identity = (a: Value): Value => this.one('Identity', [a]);
  Cast = (a: Value, to: ElementType): Value => this.one('Cast', [a], { to: elementCode(to) });
  Equal = (a: Value, b: Value): Value => this.one('Equal', [a, b]);
  Less = (a: Value, b: Value): Value => this.one('Less', [a, b]);
  Greater = (a: Value, b: Value): Value => this.one('Greater', [a, b]);
  LessOrEqual = (a: Value, b: Value): Value => this.one('LessOrEqual', [a, b]);
  GreaterOrEqual = (a: Value, b: Value): Value => this.one('GreaterOrEqual', [a, b]);
  And = (a: Value, b: Value): Value => this.one('And', [a, b]);
  Or = (a: Value, b: Value): Value => this.one('Or', [a, b]);
  Not = (a: Value): Value => this.one('Not', [a]);
  Where = (condition: Value, a: Value, b: Value): Value => this.one('Where', [condition, a, b]);
  /** a + b, where either may be absent. */
  sum = (a: Value | undefined, b: Value | undefined): Value | undefined =>
    a === undefined ? b : b === undefined ? a : this.Add(a, b);

  // Reductions: axes undefined = all
  private reduce(operator: string, a: Value, axes: readonly number[] | undefined, keepdims: boolean): Value {
    if (axes && axes.length === 0) return a;
    return this.one(operator, axes ? [a, this.ints(axes)] : [a], { keepdims: keepdims ? 1 : 0 });
  }
  ReduceSum = (a: Value, axes?: readonly number[], keepdims = true): Value =>
    this.reduce('ReduceSum', a, axes, keepdims);
  ReduceMean = (a: Value, axes?: readonly number[], keepdims = true): Value =>
    this.reduce('ReduceMean', a, axes, keepdims);
  ReduceMax = (a: Value, axes?: readonly number[], keepdims = true): Value =>
    this.reduce('ReduceMax', a, axes, keepdims);
  ReduceSumSquare = (a: Value, axes?: readonly number[], keepdims = true): Value =>
    this.reduce('ReduceSumSquare', a, axes, keepdims);

  // Shape and index
  Reshape = (a: Value, dims: readonly number[]): Value =>
    this.one('Reshape', [a, this.ints(dims)], { allowzero: dims.includes(0) ? 1 : undefined });
  Transpose = (a: Value, perm: readonly number[]): Value => this.one('Transpose', [a], { perm });
  Expand = (a: Value, dims: readonly number[]): Value => this.one('Expand', [a, this.ints(dims)]);
  Squeeze = (a: Value, axes: readonly number[]): Value => this.one('Squeeze', [a, this.ints(axes)]);
  Unsqueeze = (a: Value, axes: readonly number[]): Value => this.one('Unsqueeze', [a, this.ints(axes)]);
  Concat = (values: readonly Value[], axis: number): Value =>
    values.length === 1 ? values[0] : this.one('Concat', values, { axis });
  Split = (a: Value, sizes: readonly number[], axis: number): Value[] =>
    this.node('Split', [a, this.ints(sizes)], { axis }, sizes.length);
  Slice = (
    a: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value =>
    this.one('Slice', [a, this.ints(starts), this.ints(ends), this.ints(axes), ...(steps ? [this.ints(steps)] : [])]);
  Gather = (a: Value, indices: Value, axis: number): Value => this.one('Gather', [a, indices], { axis });
  /** Constant padding, ONNX order of pads (all begins, then all ends); negative pads crop. */
  Pad = (a: Value, pads: readonly number[]): Value => this.one('Pad', [a, this.ints(pads)]);
  Tile = (a: Value, repeats: readonly number[]): Value => this.one('Tile', [a, this.ints(repeats)]);
  DepthToSpace = (a: Value, blocksize: number, mode: 'DCR' | 'CRD'): Value =>
    this.one('DepthToSpace', [a], { blocksize, mode });
  SpaceToDepth = (a: Value, blocksize: number): Value => this.one('SpaceToDepth', [a], { blocksize });

  // Linear algebra and convolution
  MatMul = (a: Value, b: Value): Value => this.one('MatMul', [a, b]);
  Gemm = (
    a: Value,
    b: Value,
    c: Value | undefined,
    options: { transA?: boolean; transB?: boolean; alpha?: number; beta?: number } = {},
  ): Value =>
    this.one('Gemm', c === undefined ? [a, b] : [a, b, c], {
      transA: options.transA ? 1 : 0,
      transB: options.transB ? 1 : 0,
      alpha: options.alpha === undefined ? undefined : float(options.alpha),
      beta: options.beta === undefined ? undefined : float(options.beta),
    });
  Einsum = (values: readonly Value[], equation: string): Value => this.one('Einsum', values, { equation });
  Conv = (x: Value, w: Value, bias?: Value, options: ConvOptions = {}): Value =>
    this.one('Conv', bias === undefined ? [x, w] : [x, w, bias], { ...options });
  ConvTranspose = (x: Value, w: Value, bias?: Value, options: ConvTransposeOptions = {}): Value =>
    this.one('ConvTranspose', bias === undefined ? [x, w] : [x, w, bias], { ...options });
  Resize = (a: Value, scales: readonly number[], options: ResizeOptions = {}): Value =>
    this.one('Resize', [a, '', this.floats(scales)], { ...options });

  /** The finished graph. */
  graph(name: string, inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]): Graph {
    return { name, inputs, outputs, initializers: new Map(this.initializers), nodes: [...this.nodes] };
  }
}

export function float(value: number): Attribute {
  return { kind: 'float', value };
}

function attributesOf(given: Readonly<Record<string, AttributeInput | undefined>>): Attributes {
  const attributes: Record<string, Attribute> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (typeof value === 'number') attributes[name] = { kind: 'int', value };
    else if (typeof value === 'string') attributes[name] = { kind: 'string', value };
    else if (Array.isArray(value)) attributes[name] = { kind: 'ints', value };
    else attributes[name] = value as Attribute;
  }
  return attributes;
}

/** The operators that the builder has a method for. */
export type BuilderOperator = {
  [Name in keyof GraphBuilder]: Name extends Capitalize<Name> ? Name : never;
}[keyof GraphBuilder];
