/** Protobuf messages to the graph IR, forms untouched. The only reader of the protobuf library's messages. */
import {
  type AttributeProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
  type ValueInfoProto,
} from 'onnx-buf';
import { RgiError } from '../errors.ts';
import { elementType } from './builder.ts';
import type { Attribute, Graph, Node, ValueInfo } from './graph.ts';
import { type ElementType, isFloat, sizeOf, type Tensor, zeros } from './tensor.ts';

/** Bytes of external data by location (a relative path), offset and length; absent where no folder was given. */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;

const text = new TextDecoder();

export function decodeGraph(proto: GraphProto, external?: ExternalData): Graph {
  if (proto.sparseInitializer.length > 0) {
    throw new RgiError(
      'model',
      `The model stores sparse initialisers, which are not supported. Export it with dense weights.`,
    );
  }
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) initializers.set(tensor.name, decodeTensor(tensor, external));
  return {
    name: proto.name,
    // Before IR version 4 initialisers were listed among the inputs, too.
    inputs: proto.input.filter((input) => !initializers.has(input.name)).map(decodeValueInfo),
    outputs: proto.output.map(decodeValueInfo),
    initializers,
    nodes: proto.node.map((node) => decodeNode(node, external)),
  };
}

function decodeValueInfo(info: ValueInfoProto): ValueInfo {
  const type = info.type?.value;
  if (type?.case !== undefined && type.case !== 'tensorType') {
    throw new RgiError(
      'model',
      `'${info.name}' is not a tensor (${type.case}); only tensors can be inputs and outputs.`,
      { tensor: info.name },
    );
  }
  const code = type?.value?.elemType ?? 1;
  const element = elementType(code === 16 ? 1 : code);
  if (!element && code !== 0) {
    throw new RgiError('model', `'${info.name}' has element type ${code}, which is not supported.`, {
      tensor: info.name,
    });
  }
  const dims = type?.value?.shape?.dim ?? [];
  return {
    name: info.name,
    type: element ?? 'float32',
    dims: dims.map((dim, i) =>
      dim.value.case === 'dimValue' ? Number(dim.value.value) : dim.value.value || `unknown_${i}`,
    ),
  };
}

export function decodeNode(proto: NodeProto, external?: ExternalData): Node {
  const attributes: Record<string, Attribute> = {};
  for (const attribute of proto.attribute) {
    const decoded = decodeAttribute(attribute, external);
    if (decoded) attributes[attribute.name] = decoded;
  }
  return {
    operator: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    name: proto.name,
    inputs: [...proto.input],
    outputs: [...proto.output],
    attributes,
  };
}

/** The value of an attribute; undefined for a reference to a function's attribute, resolved where functions are inlined. */
function decodeAttribute(attribute: AttributeProto, external?: ExternalData): Attribute | undefined {
  switch (attribute.type) {
    case Kind.FLOAT:
      return { kind: 'float', value: attribute.f };
    case Kind.INT:
      return { kind: 'int', value: Number(attribute.i) };
    case Kind.STRING:
      return { kind: 'string', value: text.decode(attribute.s) };
    case Kind.FLOATS:
      return { kind: 'floats', value: attribute.floats };
    case Kind.INTS:
      return { kind: 'ints', value: attribute.ints.map(Number) };
    case Kind.STRINGS:
      return { kind: 'strings', value: attribute.strings.map((s) => text.decode(s)) };
    case Kind.TENSOR:
      return attribute.t && { kind: 'tensor', value: decodeTensor(attribute.t, external) };
    case Kind.GRAPH:
      return attribute.g && { kind: 'graph', value: decodeGraph(attribute.g, external) };
    case Kind.UNDEFINED:
      return undefined;
    default:
      throw new RgiError(
        'model',
        `Attribute '${attribute.name}' is of a kind that is not supported (${Kind[attribute.type]}).`,
      );
  }
}

const BYTES: Record<ElementType, number> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

export function decodeTensor(proto: TensorProto, external?: ExternalData): Tensor {
  const dims = proto.dims.map(Number);
  const bfloat16 = proto.dataType === 16;
  const type = bfloat16 ? 'float32' : elementType(proto.dataType);
  const where = proto.name ? `Initialiser '${proto.name}'` : 'A constant';
  if (!type)
    throw new RgiError('model', `${where} has element type ${proto.dataType}, which is not supported.`, {
      tensor: proto.name,
    });
  const size = sizeOf(dims);
  if (dims.some((d) => d < 0) || !Number.isSafeInteger(size)) {
    throw new RgiError('model', `${where} declares the impossible shape [${dims.join(', ')}].`, { tensor: proto.name });
  }
  const expected = size * (bfloat16 ? 2 : BYTES[type]);
  let bytes: Uint8Array | undefined;
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    bytes = externalBytes(proto, expected, external);
  } else if (proto.rawData.length > 0 || size === 0) {
    bytes = proto.rawData;
  }
  if (bytes) {
    if (bytes.length !== expected) {
      throw new RgiError(
        'model',
        `${where} of shape [${dims.join(', ')}] needs ${expected} bytes of ${type} but the file holds ${bytes.length}: the model is damaged.`,
        { tensor: proto.name },
      );
    }
    return bfloat16 ? widenBfloat16(dims, bytes) : rawTensor(type, dims, bytes);
  }
  const typed =
    isFloat(type) && type !== 'float16' && !bfloat16
      ? type === 'float64'
        ? proto.doubleData
        : proto.floatData
      : type === 'int64'
        ? proto.int64Data
        : type === 'uint64' || type === 'uint32'
          ? proto.uint64Data
          : proto.int32Data;
  if (typed.length !== size) {
    throw new RgiError(
      'model',
      `${where} of shape [${dims.join(', ')}] needs ${size} values but the file holds ${typed.length}: the model is damaged.`,
      { tensor: proto.name },
    );
  }
  if (bfloat16) {
    return widenBfloat16(dims, new Uint8Array(Uint16Array.from(typed as number[]).buffer));
  }
  const tensor = zeros(type, dims);
  const big = type === 'int64' || type === 'uint64';
  const data = tensor.data as unknown as Record<number, number | bigint>;
  for (let i = 0; i < size; i++) data[i] = big ? BigInt(typed[i]) : Number(typed[i]);
  return tensor;
}

function rawTensor(type: ElementType, dims: number[], bytes: Uint8Array): Tensor {
  const tensor = zeros(type, dims);
  // ONNX raw data is little-endian, as is every platform ONNX Runtime ships for.
  new Uint8Array(tensor.data.buffer).set(bytes);
  return tensor;
}

function widenBfloat16(dims: number[], bytes: Uint8Array): Tensor {
  const bits = new Uint32Array(bytes.length / 2);
  for (let i = 0; i < bits.length; i++) bits[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
  return { type: 'float32', dims, data: new Float32Array(bits.buffer) };
}

function externalBytes(proto: TensorProto, expected: number, external?: ExternalData): Uint8Array {
  const entries = new Map(proto.externalData.map((entry) => [entry.key, entry.value]));
  const location = entries.get('location') ?? '';
  if (!external) {
    throw new RgiError(
      'model',
      `The weights of '${proto.name}' are in another file ('${location}'): open the model by its path, so that the file beside it is found.`,
      { tensor: proto.name },
    );
  }
  const length = entries.has('length') ? Number(entries.get('length')) : expected;
  return external(location, Number(entries.get('offset') ?? 0), length);
}
