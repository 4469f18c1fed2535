/** Constant tensors: an element type, dimensions, and row-major data in the typed array that ONNX Runtime expects. */
import { RgiError } from '../errors.ts';

export interface TensorData {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly int8: Int8Array;
  readonly uint8: Uint8Array;
  readonly int16: Int16Array;
  readonly uint16: Uint16Array;
  readonly int32: Int32Array;
  readonly uint32: Uint32Array;
  readonly int64: BigInt64Array;
  readonly uint64: BigUint64Array;
  readonly bool: Uint8Array;
}

/** Names of the element types of tensors. */
export type ElementType = keyof TensorData;

/** A tensor in memory, row-major. */
export interface Tensor<T extends ElementType = ElementType> {
  /** Element type. */
  readonly type: T;
  /** Sizes of the axes; [] is a scalar. */
  readonly dims: readonly number[];
  /** The elements, as many as the product of `dims`; bool as 0 and 1, float16 as its bits. */
  readonly data: TensorData[T];
}

/** Element type and static shape of a value. */
export interface TensorType {
  /** Element type. */
  readonly type: ElementType;
  /** Sizes of the axes; [] is a scalar. */
  readonly dims: readonly number[];
}

const ARRAYS: { [T in ElementType]: new (length: number) => TensorData[T] } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export function isFloat(type: ElementType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16';
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** A tensor of zeros. */
export function zeros<T extends ElementType>(type: T, dims: readonly number[]): Tensor<T> {
  return { type, dims: [...dims], data: new ARRAYS[type](sizeOf(dims)) };
}

/** A tensor from plain numbers (row-major); without `dims` a vector. */
export function tensorOf<T extends ElementType>(
  type: T,
  values: ArrayLike<number>,
  dims?: readonly number[],
): Tensor<T> {
  const shape = dims ?? [values.length];
  if (sizeOf(shape) !== values.length) {
    throw new RgiError('input', `${values.length} values do not fill a tensor of shape [${shape.join(', ')}].`);
  }
  const tensor = zeros(type, shape);
  const data = tensor.data as unknown as Record<number, number | bigint>;
  const big = type === 'int64' || type === 'uint64';
  for (let i = 0; i < values.length; i++) data[i] = big ? BigInt(values[i]) : values[i];
  return tensor;
}

/**
 * A float32 tensor; without `dims` a vector. A Float32Array is taken over, not copied. Throws `RgiError('input')` where
 * the values do not fill `dims`.
 */
export function float32(values: ArrayLike<number>, dims?: readonly number[]): Tensor<'float32'> {
  if (values instanceof Float32Array && (!dims || sizeOf(dims) === values.length)) {
    return { type: 'float32', dims: dims ? [...dims] : [values.length], data: values };
  }
  return tensorOf('float32', values, dims);
}

/** Float32 scalar (rank 0). */
export function scalar(value: number): Tensor<'float32'> {
  return tensorOf('float32', [value], []);
}

/** int64 vector: shapes, axes, indices. */
export function ints(values: readonly number[]): Tensor<'int64'> {
  return tensorOf('int64', values);
}

/** The elements as plain numbers (float16 is decoded). */
export function numbersOf(tensor: Tensor): number[] {
  if (tensor.type === 'float16') return Array.from(tensor.data as Uint16Array, halfToFloat);
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** The data of a float32 tensor; any other type is an error. */
export function float32Data(tensor: Tensor): Float32Array {
  if (tensor.type !== 'float32') throw new RgiError('input', `Expected float32 values, got ${tensor.type}.`);
  return tensor.data as Float32Array;
}

/** IEEE 754 binary16 bits to a number. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** A number to IEEE 754 binary16 bits, round to nearest even. */
export function floatToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: scale so that one unit in the last place is 1, and round.
    const units = Math.abs(scratch[0]) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
    return sign | (floor + (up ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

let halves: Float32Array | undefined;

/** float16 as float32, by a table of all halves and a plain loop: weights have millions of values, and a model is opened with each command. */
function wideTensor({ dims, data }: Tensor): Tensor<'float32'> {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfToFloat(bits));
  const wide = new Float32Array(data.length);
  for (let i = 0; i < wide.length; i++) wide[i] = halves[(data as Uint16Array)[i]];
  return { type: 'float32', dims, data: wide };
}

/** The tensor in another element type, value by value. */
export function castTensor<T extends ElementType>(tensor: Tensor, type: T): Tensor<T> {
  if (tensor.type === (type as ElementType)) return tensor as unknown as Tensor<T>;
  if (tensor.type === 'float16' && type === 'float32') return wideTensor(tensor) as unknown as Tensor<T>;
  if (type === 'float16') {
    return { type, dims: tensor.dims, data: Uint16Array.from(numbersOf(tensor), floatToHalf) as TensorData[T] };
  }
  if (type === 'bool')
    return tensorOf(
      type,
      numbersOf(tensor).map((v) => (v ? 1 : 0)),
      tensor.dims,
    );
  const integer = !isFloat(type);
  const values = numbersOf(tensor);
  return tensorOf(type, integer ? values.map(Math.trunc) : values, tensor.dims);
}
