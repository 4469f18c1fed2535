/** ONNX bytes to a model in the working opset: parse, inline functions, lift old forms, widen floats. */
import { fromBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { messageOf, RgiError } from '../errors.ts';
import { decodeGraph, type ExternalData } from './decode.ts';
import type { Model } from './graph.ts';
import { lift } from './lift.ts';

export const OLDEST_OPSET = 9;
export const NEWEST_OPSET = 22;

/**
 * Reads an ONNX model from its bytes. `external` fetches weights stored beside the file.
 * Throws `RgiError('model')` for anything that is not a sound ONNX model of opset 9 to 22.
 */
export function readModel(bytes: Uint8Array, external?: ExternalData): Model {
  const proto = parse(bytes);
  const opset = standardOpset(proto);
  const graph = decodeGraph(proto.graph!, external);
  const lifted = lift(graph, opset);
  return {
    graph: lifted.graph,
    sourceOpset: opset,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    metadata: new Map(proto.metadataProps.map((entry) => [entry.key, entry.value])),
    notes: lifted.notes,
  };
}

function parse(bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw new RgiError('model', 'The file is empty.');
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes as Uint8Array<ArrayBuffer>);
  } catch (error) {
    throw new RgiError('model', `This is not an ONNX model, or it is cut short (${messageOf(error)}).`);
  }
  if (!proto.graph || proto.opsetImport.length === 0) {
    throw new RgiError('model', 'This is not an ONNX model: it holds no graph or names no operator set.');
  }
  return proto;
}

function standardOpset(proto: ModelProto): number {
  const entry = proto.opsetImport.find((opset) => opset.domain === '' || opset.domain === 'ai.onnx');
  if (!entry) throw new RgiError('model', 'The model imports no standard operator set (ai.onnx).');
  const opset = Number(entry.version);
  if (opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
    throw new RgiError(
      'model',
      `The model uses opset ${opset}; opsets ${OLDEST_OPSET} to ${NEWEST_OPSET} are read. Export it again with opset_version=17.`,
    );
  }
  return opset;
}
