/** What an ONNX file says of itself, changed without touching anything else in it. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import { messageOf, RgiError } from '../errors.ts';

/** The file's bytes with `entries` added to its `metadata_props`, or put in place of what they name there. */
export function withMetadata(bytes: Uint8Array, entries: ReadonlyMap<string, string>): Uint8Array {
  try {
    const model = fromBinary(ModelProtoSchema, bytes);
    const kept = model.metadataProps.filter(({ key }) => !entries.has(key));
    const added = [...entries].map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
    model.metadataProps = [...kept, ...added];
    return toBinary(ModelProtoSchema, model);
  } catch (error) {
    throw new RgiError('model', `The model's metadata cannot be changed (${messageOf(error)}).`, {}, { cause: error });
  }
}
