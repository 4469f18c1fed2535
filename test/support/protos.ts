/** Hand-made ONNX files in any opset and of any (un)soundness, written with the protobuf library alone. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProtoSchema,
  type FunctionProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from 'onnx-buf';

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;

export interface Handmade {
  readonly opset?: number;
  readonly nodes: NodeInit[];
  /** Float inputs by name, [] for no declared shape; of another element type with its number ([] is a scalar there). */
  readonly inputs?: Record<string, (number | string)[] | { type: number; dims: (number | string)[] }>;
  readonly outputs?: Record<string, (number | string)[] | { type: number; dims: (number | string)[] }>;
  readonly initializers?: MessageInitShape<typeof TensorProtoSchema>[];
  readonly functions?: MessageInitShape<typeof FunctionProtoSchema>[];
  readonly more?: {
    readonly opsetImport?: { domain: string; version: bigint }[];
    readonly metadataProps?: { key: string; value: string }[];
  };
}

export function handmade(model: Handmade): Uint8Array {
  const domains = new Set((model.functions ?? []).map((f) => f.domain ?? ''));
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [
        { domain: '', version: BigInt(model.opset ?? 17) },
        ...[...domains].map((domain) => ({ domain, version: 1n })),
      ],
      graph: {
        name: 'handmade',
        node: model.nodes,
        input: infos(model.inputs ?? { x: ['N', 4] }),
        output: infos(model.outputs ?? { y: [] }),
        initializer: model.initializers ?? [],
      },
      functions: model.functions ?? [],
      ...model.more,
    }),
  );
}

export function infos(given: NonNullable<Handmade['inputs']>): MessageInitShape<typeof ValueInfoProtoSchema>[] {
  return Object.entries(given).map(([name, value]) => {
    const { type, dims } = Array.isArray(value) ? { type: 1, dims: value } : value;
    const dim = dims.map((d) => ({
      value:
        typeof d === 'number'
          ? { case: 'dimValue' as const, value: BigInt(d) }
          : { case: 'dimParam' as const, value: d },
    }));
    return {
      name,
      type: {
        value: {
          case: 'tensorType',
          value: { elemType: type, ...(dim.length > 0 || !Array.isArray(value) ? { shape: { dim } } : {}) },
        },
      },
    };
  });
}

/** A node "operator(inputs) -> outputs", blank-separated names, `_` for one left out. */
export function node(
  operator: string,
  inputs: string,
  outputs: string,
  attribute: AttributeInit[] = [],
  more: NodeInit = {},
): NodeInit {
  const names = (text: string) =>
    text
      .split(' ')
      .filter(Boolean)
      .map((name) => (name === '_' ? '' : name));
  return {
    opType: operator,
    name: `${operator}_${outputs}`,
    input: names(inputs),
    output: names(outputs),
    attribute,
    ...more,
  };
}

export const intAttribute = (name: string, i: number | bigint): AttributeInit => ({
  name,
  type: Kind.INT,
  i: BigInt(i),
});
export const intsAttribute = (name: string, ints: (number | bigint)[]): AttributeInit => ({
  name,
  type: Kind.INTS,
  ints: ints.map(BigInt),
});
export const floatAttribute = (name: string, f: number): AttributeInit => ({ name, type: Kind.FLOAT, f });
export const floatsAttribute = (name: string, floats: number[]): AttributeInit => ({ name, type: Kind.FLOATS, floats });
export const stringAttribute = (name: string, s: string): AttributeInit => ({
  name,
  type: Kind.STRING,
  s: new TextEncoder().encode(s),
});
export const graphAttribute = (name: string, g: AttributeInit['g']): AttributeInit => ({ name, type: Kind.GRAPH, g });
/** The attribute `name` takes the value of the call's attribute `of`. */
export const referenceAttribute = (name: string, of: string, type: Kind): AttributeInit => ({
  name,
  refAttrName: of,
  type,
});
export { Kind };

export const floats = (
  name: string,
  dims: number[],
  floatData: number[],
): MessageInitShape<typeof TensorProtoSchema> => ({
  name,
  dataType: 1,
  dims: dims.map(BigInt),
  floatData,
});
export const longs = (
  name: string,
  dims: number[],
  int64Data: number[],
): MessageInitShape<typeof TensorProtoSchema> => ({
  name,
  dataType: 7,
  dims: dims.map(BigInt),
  int64Data: int64Data.map(BigInt),
});
