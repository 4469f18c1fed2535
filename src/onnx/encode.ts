/** The graph IR to ONNX bytes (working opset, raw little-endian data), its weights among them or beside them. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { concatenatedBytes } from './concatenate.ts';
import { elementCode } from './element-codes.ts';
import { type Attribute, type Graph, type Node, type ValueInfo, WORKING_OPSET } from './graph.ts';
import type { Tensor } from './tensor.ts';

const utf8 = new TextEncoder();

/** An opset of the standard domain, and the ONNX IR version that goes with it. */
export interface Versions {
  readonly opset: number;
  readonly ir: bigint;
}

const WORKING: Versions = { opset: WORKING_OPSET, ir: 9n };

/**
 * The graph as the bytes of an ONNX file of the working opset. With `wanted`, those values (any of the graph) are its
 * outputs instead of the declared ones, their types left for the runtime to infer. `versions`: those that the file declares, for a graph
 * that is of another opset (`lower.ts`).
 */
export function encodeModel(
  graph: Graph,
  metadata: ReadonlyMap<string, string> = new Map(),
  wanted?: readonly string[],
  versions: Versions = WORKING,
): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: versions.ir,
    opsetImport: [
      { domain: '', version: BigInt(versions.opset) },
      ...[...domainsOf(graph)].map((domain) => ({ domain, version: domain === 'ai.onnx.ml' ? 3n : 1n })),
    ],
    producerName: 'rgi',
    metadataProps: [...metadata].map(([key, value]) => ({ key, value })),
  });
  const body: Uint8Array[] = [
    toBinary(GraphProtoSchema, encodeGraph({ ...graph, initializers: new Map() }, wanted)),
    ...[...graph.initializers].flatMap(([name, tensor]) =>
      memberOf(GraphProtoSchema.field.initializer, tensorParts(tensor, name)),
    ),
  ];
  return concatenatedBytes([toBinary(ModelProtoSchema, model), ...memberOf(ModelProtoSchema.field.graph, body)]);
}

/** A model whose large weights stand beside its bytes: it holds no copy of them. */
export interface SplitModel {
  /** An ONNX file whose large weights are external data, at the locations of `weights`. */
  readonly bytes: Uint8Array;
  /** The arrays of the graph's own tensors, by location. */
  readonly weights: ReadonlyMap<string, Uint8Array>;
}

/** An ONNX file whole, or split: what a runtime opens. */
export type EncodedModel = Uint8Array | SplitModel;

/** float32 weights of as many bytes stand beside a split model. ONNX Runtime reads small ones, such as sizes, to infer shapes. */
const MIN_SPLIT_BYTES = 2 ** 16;

/** As `encodeModel`, for a runtime at once: the large weights are not copied. Do not change them before the session is open. */
export function splitModel(
  graph: Graph,
  metadata?: ReadonlyMap<string, string>,
  wanted?: readonly string[],
): SplitModel {
  const weights = new Map<string, Uint8Array>();
  const inside = new Map<string, Tensor>();
  const outside: Uint8Array[] = [];
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type !== 'float32' || tensor.data.byteLength < MIN_SPLIT_BYTES) {
      inside.set(name, tensor);
      continue;
    }
    // Not the tensor's name, which may not be a path.
    const location = `weights-${weights.size}`;
    weights.set(location, rawDataOf(tensor));
    outside.push(...memberOf(GraphProtoSchema.field.initializer, [externalTensor(tensor, name, location)]));
  }
  const bytes = encodeModel({ ...graph, initializers: inside }, metadata, wanted);
  // Messages one after the other are merged, their lists joined: the graph gets its other initialisers.
  return { bytes: concatenatedBytes([bytes, ...memberOf(ModelProtoSchema.field.graph, outside)]), weights };
}

function externalTensor(tensor: Tensor, name: string, location: string): Uint8Array {
  const externalData = [
    { key: 'location', value: location },
    { key: 'offset', value: '0' },
    { key: 'length', value: String(tensor.data.byteLength) },
  ];
  const dataLocation = TensorProto_DataLocation.EXTERNAL;
  const external = create(TensorProtoSchema, { ...headerOf(tensor, name), dataLocation });
  external.externalData = externalData.map((entry) => create(StringStringEntryProtoSchema, entry));
  return toBinary(TensorProtoSchema, external);
}

/** A message's parts as a member of the message around it. */
function memberOf({ number }: { readonly number: number }, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish(), ...parts];
}

/**
 * A tensor's message, its data as they lie in memory: the library would copy them once for each message around them, hundreds of
 * MB for a large generator.
 */
function tensorParts(tensor: Tensor, name: string): Uint8Array[] {
  const header = toBinary(TensorProtoSchema, create(TensorProtoSchema, headerOf(tensor, name)));
  return [header, ...memberOf(TensorProtoSchema.field.rawData, [rawDataOf(tensor)])];
}

/** Domains other than the standard one: a model must declare those that it uses. */
function domainsOf(graph: Graph, domains: Set<string> = new Set()): Set<string> {
  for (const node of graph.nodes) {
    if (node.domain) domains.add(node.domain);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'graph') domainsOf(attribute.value, domains);
    }
  }
  return domains;
}

function encodeGraph(graph: Graph, wanted?: readonly string[]): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name || 'graph',
    node: graph.nodes.map(encodeNode),
    initializer: [...graph.initializers].map(([name, tensor]) => encodeTensor(tensor, name)),
    input: graph.inputs.map((info) => encodeValueInfo(info, info.undeclared === undefined)),
    output: wanted
      ? wanted.map((name) => create(ValueInfoProtoSchema, { name }))
      : graph.outputs.map((info) => encodeValueInfo(info, info.dims.length > 0)),
  });
}

function encodeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.operator,
    domain: node.domain,
    name: node.name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  });
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: Kind.STRING, s: utf8.encode(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: attribute.value.map(BigInt) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: Kind.STRINGS,
        strings: attribute.value.map((s) => utf8.encode(s)),
      });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: encodeTensor(attribute.value, '') });
    case 'graph':
      return create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: encodeGraph(attribute.value) });
  }
}

function encodeTensor(tensor: Tensor, name: string): TensorProto {
  return create(TensorProtoSchema, { ...headerOf(tensor, name), rawData: rawDataOf(tensor) });
}

function headerOf(tensor: Tensor, name: string) {
  return { name, dims: tensor.dims.map(BigInt), dataType: elementCode(tensor.type) };
}

function rawDataOf({ data: { buffer, byteOffset, byteLength } }: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Outputs without dimensions are written without a shape: whether they are scalars, the runtime infers itself. */
function encodeValueInfo(info: ValueInfo, withShape: boolean): ValueInfoProto {
  if (info.undeclared === 'type') return create(ValueInfoProtoSchema, { name: info.name });
  return create(ValueInfoProtoSchema, {
    name: info.name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: elementCode(info.type),
          ...(withShape ? { shape: { dim: info.dims.map(encodeDimension) } } : {}),
        },
      },
    },
  });
}

function encodeDimension(dim: number | string) {
  return {
    value:
      typeof dim === 'number'
        ? { case: 'dimValue' as const, value: BigInt(dim) }
        : { case: 'dimParam' as const, value: dim },
  };
}
