/** The metadata of an ONNX file, read without the graph: what a file says of itself before it is trusted with memory. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema } from 'onnx-buf';

/** Field of ModelProto. */
const METADATA = 14;
const MAX_ENTRY = 2 ** 22;
/** A model has some ten fields, and an entry for each of its local functions. */
const MAX_FIELDS = 10_000;

/** Keys and values of `metadata_props`; empty where the file is no protobuf message. */
export function metadataOf(file: string): Map<string, string> {
  const found = new Map<string, string>();
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    let at = 0;
    for (let fields = 0; at < size && fields < MAX_FIELDS; fields++) {
      const head = readAt(descriptor, at, 20);
      const tag = varint(head, 0);
      const kind = tag.value & 7;
      const next = kind === 0 || kind === 2 ? varint(head, tag.end) : { value: kind === 1 ? 8 : 4, end: tag.end };
      if (!(kind === 0 || kind === 1 || kind === 2 || kind === 5)) break;
      const start = at + next.end;
      const length = kind === 0 ? 0 : next.value;
      if (tag.value >> 3 === METADATA && kind === 2 && length <= MAX_ENTRY) {
        const { key, value } = fromBinary(StringStringEntryProtoSchema, readAt(descriptor, start, length));
        found.set(key, value);
      }
      at = start + length;
    }
  } catch {
    // No message of this kind; opening the file says what is wrong with it.
  } finally {
    closeSync(descriptor);
  }
  return found;
}

function readAt(descriptor: number, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
}

/** A number of at most 53 bits; where it ends. */
function varint(bytes: Uint8Array, from: number): { value: number; end: number } {
  let value = 0;
  for (let i = from; i < bytes.length && i < from + 8; i++) {
    value += (bytes[i] & 127) * 2 ** (7 * (i - from));
    if (bytes[i] < 128) return { value, end: i + 1 };
  }
  throw new Error('no number');
}
