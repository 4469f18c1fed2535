/** Protobuf messages to the graph IR, forms untouched. The only reader of the protobuf library's messages. */
import {
  type AttributeProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type ValueInfoProto,
} from 'onnx-buf';
import { RgiError } from '../errors.ts';
import { elementType } from './element-codes.ts';
import type { ExternalData } from './external-data.ts';
import type { Attribute, Graph, Node, ValueInfo } from './graph.ts';
import { type ElementType, isFloat, sizeOf, type Tensor, zeros } from './tensor.ts';

/** What decoding depends on beside the message itself. */
export interface DecodeScope {
  readonly external?: ExternalData;
  /** Inside a function: the value of an attribute of the call. */
  readonly reference?: (attribute: string) => Attribute | undefined;
  /** The nodes that stand for a call of a local function; undefined where the node is no call. */
  readonly expand?: (node: NodeProto, scope: DecodeScope) => readonly Node[] | undefined;
  /** Called when bfloat16 values become float32 (no typed array holds them). */
  readonly onBfloat16?: () => void;
}

const text = new TextDecoder();

/** A message's graph. Throws `model` for tensors that are damaged, impossible or of kinds we do not carry. */
export function decodeGraph(proto: GraphProto, scope: DecodeScope = {}): Graph {
  if (proto.sparseInitializer.length > 0) {
    throw new RgiError(
      'model',
      `The model stores sparse initialisers, which are not supported. Export it with dense weights.`,
    );
  }
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) initializers.set(tensor.name, decodeTensor(tensor, scope));
  return {
    name: proto.name,
    // Before IR version 4 initialisers were listed among the inputs, too.
    inputs: proto.input.filter((input) => !initializers.has(input.name)).map((info) => decodeValueInfo(info, scope)),
    outputs: proto.output.map((info) => decodeValueInfo(info, scope)),
    initializers,
    nodes: decodeNodes(proto.node, scope),
  };
}

function decodeValueInfo(info: ValueInfoProto, scope: DecodeScope): ValueInfo {
  const type = info.type?.value;
  if (type?.case !== undefined && type.case !== 'tensorType') {
    throw new RgiError(
      'model',
      `'${info.name}' is not a tensor (${type.case}); only tensors can be inputs and outputs.`,
      { tensor: info.name },
    );
  }
  const code = type?.value?.elemType ?? 1;
  if (code === BFLOAT16) scope.onBfloat16?.();
  const element = elementType(code === BFLOAT16 ? 1 : code);
  if (!element && code !== 0) {
    throw new RgiError('model', `'${info.name}' has element type ${typeName(code)}, which is not supported.`, {
      tensor: info.name,
    });
  }
  const dims = type?.value?.shape?.dim ?? [];
  const undeclared = type?.value && code !== 0 ? (type.value.shape ? undefined : 'shape') : 'type';
  return {
    ...(undeclared ? { undeclared } : {}),
    name: info.name,
    type: element ?? 'float32',
    // Sizes that are not said get names of their own: the runtime takes equal names for equal sizes.
    dims: dims.map((dim, i) => {
      if (dim.value.case === 'dimValue' && dim.value.value >= 0n) return declaredSize(dim.value.value, info.name);
      return (dim.value.case === 'dimParam' && dim.value.value) || `${info.name}_dim${i}`;
    }),
  };
}

function declaredSize(size: bigint, name: string): number {
  if (size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
  throw new RgiError('model', `'${name}' declares a dimension of ${size}, which no tensor has: the model is damaged.`, {
    tensor: name,
  });
}

/** Nodes in order, with calls of local functions replaced by their bodies. */
export function decodeNodes(nodes: readonly NodeProto[], scope: DecodeScope): Node[] {
  return nodes.flatMap((node) => scope.expand?.(node, scope) ?? [decodeNode(node, scope)]);
}

function decodeNode(proto: NodeProto, scope: DecodeScope): Node {
  return {
    operator: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    name: proto.name,
    inputs: [...proto.input],
    outputs: [...proto.output],
    attributes: decodeAttributes(proto.attribute, scope),
  };
}

export function decodeAttributes(protos: readonly AttributeProto[], scope: DecodeScope): Record<string, Attribute> {
  // Entries, not assignments: an attribute may be called '__proto__'.
  return Object.fromEntries(
    protos.flatMap((proto): [string, Attribute][] => {
      const decoded = proto.refAttrName ? scope.reference?.(proto.refAttrName) : decodeAttribute(proto, scope);
      return decoded ? [[proto.name, decoded]] : [];
    }),
  );
}

/** The value of an attribute; undefined where it has none. */
function decodeAttribute(attribute: AttributeProto, scope: DecodeScope): Attribute | undefined {
  switch (attribute.type) {
    case Kind.FLOAT:
      return { kind: 'float', value: attribute.f };
    case Kind.INT:
      return { kind: 'int', value: integer(attribute.i) };
    case Kind.STRING:
      return { kind: 'string', value: text.decode(attribute.s) };
    case Kind.FLOATS:
      return { kind: 'floats', value: attribute.floats };
    case Kind.INTS:
      return { kind: 'ints', value: attribute.ints.map(integer) };
    case Kind.STRINGS:
      return { kind: 'strings', value: attribute.strings.map((s) => text.decode(s)) };
    case Kind.TENSOR:
      return attribute.t && { kind: 'tensor', value: decodeTensor(attribute.t, scope) };
    case Kind.GRAPH:
      return attribute.g && { kind: 'graph', value: decodeGraph(attribute.g, scope) };
    case Kind.UNDEFINED:
      return undefined;
    default:
      throw new RgiError(
        'model',
        `Attribute '${attribute.name}' is of a kind that is not supported (${Kind[attribute.type]}).`,
      );
  }
}

/** An int64 as a number. Beyond 2^53 it means "to the end" (Slice), which the largest safe number says as well. */
function integer(value: bigint): number {
  const number = Number(value);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, number));
}

const BFLOAT16 = 16;

/** The name ONNX gives an element type. */
function typeName(code: number): string {
  return TensorProto_DataType[code]?.toLowerCase() ?? `number ${code}`;
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

function decodeTensor(proto: TensorProto, scope: DecodeScope): Tensor {
  const dims = proto.dims.map(Number);
  const bfloat16 = proto.dataType === BFLOAT16;
  if (bfloat16) scope.onBfloat16?.();
  const type = bfloat16 ? 'float32' : elementType(proto.dataType);
  const where = proto.name ? `Initialiser '${proto.name}'` : 'A constant';
  if (!type)
    throw new RgiError('model', `${where} has element type ${typeName(proto.dataType)}, which is not supported.`, {
      tensor: proto.name,
    });
  const size = sizeOf(dims);
  if (dims.some((d) => d < 0 || !Number.isSafeInteger(d)) || !Number.isSafeInteger(size)) {
    throw wrongSize(proto, `${where} declares the impossible shape [${dims.join(', ')}].`, ['N'], dims);
  }
  const expected = size * (bfloat16 ? 2 : BYTES[type]);
  const damaged = (held: number) =>
    wrongSize(
      proto,
      `${where} of shape [${dims.join(', ')}] needs ${expected} bytes of ${type} but the file holds ${held}: the model is damaged.`,
      [expected],
      [held],
    );
  let bytes: Uint8Array | undefined;
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    bytes = externalBytes(proto, expected, scope.external, (held) => damaged(held));
  } else if (proto.rawData.length > 0 || size === 0) {
    bytes = proto.rawData;
  }
  if (bytes) {
    if (bytes.length !== expected) throw damaged(bytes.length);
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
    throw wrongSize(
      proto,
      `${where} of shape [${dims.join(', ')}] needs ${size} values but the file holds ${typed.length}: the model is damaged.`,
      [size],
      [typed.length],
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

/** Bytes or values of a tensor that are not as many as its shape says. */
function wrongSize(
  proto: TensorProto,
  sentence: string,
  expected: readonly (number | string)[],
  received: readonly number[],
): RgiError {
  const details = { kind: 'shape', of: proto.name, expected, received } as const;
  return new RgiError('model', sentence, { tensor: proto.name }, { details });
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

/** The bytes beside the file; a length that is not the tensor's is refused before anything is read. */
function externalBytes(
  proto: TensorProto,
  expected: number,
  external: ExternalData | undefined,
  damaged: (held: number) => RgiError,
): Uint8Array {
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
  if (length !== expected) throw damaged(length);
  return external(location, Number(entries.get('offset') ?? 0), expected);
}
