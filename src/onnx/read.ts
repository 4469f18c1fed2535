/** ONNX bytes to a model in the working opset: parse, inline functions, order, widen floats, lift old forms. */
import { fromBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema, type OperatorSetIdProto } from 'onnx-buf';
import { RgiError } from '../errors.ts';
import { decodeGraph } from './decode.ts';
import type { ExternalData } from './external-data.ts';
import { widenFloats } from './floats.ts';
import { functionExpander } from './functions.ts';
import type { Model } from './graph.ts';
import { lift } from './lift.ts';
import { checkSizes } from './limits.ts';
import { kindOfFile } from './other-formats.ts';
import { withoutSequences } from './sequences.ts';
import { validateGraph } from './validate.ts';

/** The oldest opset of the standard domain that `readModel` takes. */
export const OLDEST_OPSET = 9;
/** The newest opset of the standard domain that `readModel` takes. */
export const NEWEST_OPSET = 22;

/**
 * Reads an ONNX model from its bytes. `external` fetches weights stored beside the file.
 * Throws `RgiError('model')` for anything that is not a valid ONNX model of opset 9 to 22.
 */
export function readModel(bytes: Uint8Array, external?: ExternalData): Model {
  const proto = parse(bytes);
  try {
    return modelOf(proto, external);
  } catch (error) {
    if (error instanceof RgiError) throw error;
    throw new RgiError(
      'model',
      'The model is damaged: its content contradicts itself. Export it again.',
      {},
      { cause: error },
    );
  }
}

function modelOf(proto: ModelProto, external: ExternalData | undefined): Model {
  const opset = standardOpset(proto.opsetImport);
  if (opset === undefined) {
    throw new RgiError(
      'model',
      `The model imports no standard operator set (ai.onnx), only ${proto.opsetImport.map((entry) => entry.domain).join(', ')}.`,
    );
  }
  const floats = new Set<string>();
  const { expand, opsets } = functionExpander(proto, standardOpset);
  const decoded = decodeGraph(proto.graph!, { external, expand, onBfloat16: () => floats.add('bfloat16') });
  if (decoded.outputs.length === 0) throw new RgiError('model', 'The model has no outputs.');
  const lifted = lift(widenFloats(validateGraph(decoded), floats), opset, opsets);
  const graph = withoutSequences(lifted.graph);
  checkSizes(graph);
  return {
    graph,
    sourceOpset: opset,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    metadata: new Map(proto.metadataProps.map((entry) => [entry.key, entry.value])),
    notes: [
      ...(floats.size > 0 ? [`Values of type ${[...floats].sort().join(', ')} are computed in float32.`] : []),
      ...lifted.notes,
    ],
  };
}

function parse(bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw new RgiError('model', 'The file is empty.');
  const kind = kindOfFile(bytes);
  if (kind) throw new RgiError('model', `This is ${kind}, not an ONNX model.`);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes as Uint8Array<ArrayBuffer>);
  } catch (error) {
    throw new RgiError(
      'model',
      'This is not an ONNX model, or it is cut short: copy it again, whole.',
      {},
      { cause: error },
    );
  }
  if (!proto.graph || proto.opsetImport.length === 0) {
    const lacks = proto.graph ? 'names no operator set' : 'holds no graph';
    throw new RgiError('model', `This is not an ONNX model, or it is cut short: it ${lacks}.`);
  }
  return proto;
}

/** The standard operator set among `imports`, undefined if it is not there. */
function standardOpset(imports: readonly OperatorSetIdProto[]): number | undefined {
  const versions = imports
    .filter((entry) => entry.domain === '' || entry.domain === 'ai.onnx')
    .map((entry) => Number(entry.version));
  if (versions.length === 0) return undefined;
  const opset = Math.max(...versions);
  if (opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
    throw new RgiError(
      'model',
      `The model uses opset ${opset}; opsets ${OLDEST_OPSET} to ${NEWEST_OPSET} are read. Export it again with opset_version=17.`,
    );
  }
  return opset;
}
