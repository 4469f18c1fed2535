/** The files in which a model keeps its weights, found without reading any of them. */
import { fromBinary } from '@bufbuild/protobuf';
import { type GraphProto, ModelProtoSchema, type NodeProto, type TensorProto } from 'onnx-buf';

/** The locations that the tensors of a model name, each once, sorted. Throws where `bytes` is no ONNX file. */
export function weightLocations(bytes: Uint8Array): string[] {
  const { graph, functions } = fromBinary(ModelProtoSchema, bytes as Uint8Array<ArrayBuffer>);
  const tensors = [...(graph ? tensorsOf(graph) : []), ...functions.flatMap(({ node }) => tensorsOfNodes(node))];
  const locations = tensors.flatMap(({ externalData }) =>
    externalData.filter(({ key }) => key === 'location').map(({ value }) => value),
  );
  return [...new Set(locations)].sort();
}

function tensorsOf({ initializer, node }: GraphProto): TensorProto[] {
  return [...initializer, ...tensorsOfNodes(node)];
}

function tensorsOfNodes(nodes: readonly NodeProto[]): TensorProto[] {
  return nodes.flatMap(({ attribute }) =>
    attribute.flatMap(({ t, tensors, g, graphs }) => [
      ...(t ? [t] : []),
      ...tensors,
      ...[...(g ? [g] : []), ...graphs].flatMap(tensorsOf),
    ]),
  );
}
