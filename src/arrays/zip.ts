/** ZIP archives read entry by entry: nothing is allocated or inflated beyond what a cap allows. Format: PKWARE's APPNOTE 6.3. */
import { Inflate } from 'fflate';
import { messageOf, RgiError } from '../errors.ts';

interface Entry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  /** Of its local header. */
  readonly offset: number;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** Largest size of an archive's comment in bytes; it follows the end record. */
const MAX_COMMENT = 2 ** 16;

/** Bytes that are inflated at a time; deflate makes at most about 1032 of one. */
const PIECE = 2 ** 14;

/** A file in an archive. */
export interface ZippedFile {
  /** Bytes once it is unpacked, as the archive declares. */
  readonly size: number;
  /** Its content: a part of the archive where it is stored, else unpacked anew. Throws `input` where it is damaged. */
  unpack(): Uint8Array;
}

/** The files of an archive by name; none is unpacked yet. Throws `input` where its directory is damaged. */
export function openZip(bytes: Uint8Array): Map<string, ZippedFile> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return new Map(
      entriesOf(bytes, view).map((entry) => [
        entry.name,
        { size: entry.size, unpack: () => contentOf(entry, bytes, view) },
      ]),
    );
  } catch (error) {
    throw error instanceof RgiError ? error : damaged();
  }
}

function damaged(): RgiError {
  return new RgiError('input', 'This is not an .npz archive, or it is cut short or damaged.');
}

function entriesOf(bytes: Uint8Array, view: DataView): Entry[] {
  let end = bytes.length - 22;
  const first = Math.max(0, end - MAX_COMMENT);
  while (end >= first && view.getUint32(end, true) !== END) end--;
  if (end < first) throw damaged();
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff) {
    // ZIP64: a locator before the end says where the longer record is.
    const record = Number(view.getBigUint64(end - 12, true));
    if (view.getUint32(record, true) !== END_64) throw damaged();
    count = Number(view.getBigUint64(record + 32, true));
    at = Number(view.getBigUint64(record + 48, true));
  }
  // Each entry takes 46 bytes at least.
  if (count * 46 > bytes.length) throw damaged();
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== CENTRAL) throw damaged();
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const [size, packed, offset] = wideNumbers(view, at, at + 46 + nameLength, extra);
    entries.push({ name, method: view.getUint16(at + 10, true), packed, size, offset });
    at += 46 + nameLength + extra + comment;
  }
  return entries;
}

/** Size, packed size and offset of the entry at `at`: in 32 bits, or in 64 in its extra field. */
function wideNumbers(view: DataView, at: number, extraAt: number, extra: number): number[] {
  const numbers = [24, 20, 42].map((offset) => view.getUint32(at + offset, true));
  for (let field = extraAt; field + 4 <= extraAt + extra; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    let next = field + 4;
    return numbers.map((number) => {
      if (number !== 0xffffffff) return number;
      next += 8;
      return Number(view.getBigUint64(next - 8, true));
    });
  }
  return numbers;
}

function contentOf({ name, method, packed, size, offset }: Entry, bytes: Uint8Array, view: DataView): Uint8Array {
  const fail = (what: string) => new RgiError('input', `'${name}' in the archive ${what}.`);
  if (!(offset + 30 <= bytes.length) || view.getUint32(offset, true) !== LOCAL) throw fail('is not where it should be');
  const from = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (!(from + packed <= bytes.length)) throw fail('is cut short');
  const stored = bytes.subarray(from, from + packed);
  if (method === 0) {
    if (packed !== size) throw fail('has another size than is declared');
    return stored;
  }
  if (method !== 8) throw fail(`is packed by method ${method}; stored and deflated files are read`);
  // Deflate cannot do better: a larger claim is not allocated.
  if (size > 1040 * (packed + 1)) throw fail('declares more bytes than it can hold');
  return inflated(stored, size, fail);
}

function inflated(packed: Uint8Array, size: number, fail: (what: string) => RgiError): Uint8Array {
  const content = new Uint8Array(size);
  let length = 0;
  const inflate = new Inflate((chunk) => {
    if (length + chunk.length > size) throw fail('unpacks to more bytes than it declares');
    content.set(chunk, length);
    length += chunk.length;
  });
  try {
    for (let at = 0; at < packed.length; at += PIECE) {
      inflate.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length);
    }
  } catch (error) {
    throw error instanceof RgiError ? error : fail(`is damaged: copy the file again, whole (${messageOf(error)})`);
  }
  if (length !== size) throw fail('is cut short');
  return content;
}
