/**
 * The header of a `.npy` file: a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. It is read in
 * one pass, token by token, so that no header takes longer than its length.
 */
import { RgiError } from '../errors.ts';

export interface NpyHeader {
  /** Where the data begins. */
  readonly start: number;
  /** NumPy's name of the element type, for instance '<f4'. */
  readonly description: string;
  readonly fortranOrder: boolean;
  /** Whole numbers from 0 on. */
  readonly dims: readonly number[];
}

/** NumPy itself refuses longer headers unless it is told to trust the file; those of arrays of numbers have about 120 bytes. */
const MAX_HEADER = 10_000;

/** NumPy's own limit. */
const MAX_DIMS = 64;

/** Throws `input` where it is no `.npy` file of numbers. */
export function readNpyHeader(bytes: Uint8Array): NpyHeader {
  if (bytes.length < 12 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY') {
    throw new RgiError('input', 'This is not a .npy file.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] >= 2;
  const from = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length > MAX_HEADER) {
    throw new RgiError('input', `The .npy file declares a header of ${length} bytes; at most ${MAX_HEADER} are read.`);
  }
  if (from + length > bytes.length) throw new RgiError('input', 'The .npy file is cut short: it ends in its header.');
  const entries = dictionaryOf(new TextDecoder('latin1').decode(bytes.subarray(from, from + length)));
  const [description, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => entries.get(key));
  if (!Array.isArray(shape)) throw new RgiError('input', 'The .npy file has no shape: its header is damaged.');
  if (typeof description !== 'string') {
    throw new RgiError('input', 'The .npy file holds records or objects; little-endian numbers are read.');
  }
  return { start: from + length, description, fortranOrder: order === true, dims: dimsOf(shape) };
}

function dimsOf(shape: readonly string[]): number[] {
  const dims = shape.map((text) => (/^\d{1,16}L?$/.test(text) ? Number.parseInt(text, 10) : Number.NaN));
  if (dims.length > MAX_DIMS || !dims.every(Number.isSafeInteger)) {
    const shown = shape.slice(0, 8).join(', ').slice(0, 60);
    throw new RgiError('input', `The .npy file declares the impossible shape (${shown}).`);
  }
  return dims;
}

type Value = string | boolean | readonly string[] | undefined;

/** The dictionary's entries: texts, truth values, tuples as lists of their words; other values are undefined. */
function dictionaryOf(text: string): Map<string, Value> {
  const tokens = text.match(/'[^']*'|[^\s,:(){}[\]']+|[,:(){}[\]]/g) ?? [];
  const entries = new Map<string, Value>();
  for (let i = 1; i < tokens.length; ) {
    const key = tokens[i];
    if (!key.startsWith("'") || tokens[i + 1] !== ':') {
      i++;
      continue;
    }
    const end = valueEnd(tokens, i + 2);
    if (!entries.has(textOf(key))) entries.set(textOf(key), readValue(tokens.slice(i + 2, end)));
    i = end;
  }
  return entries;
}

/** The position behind the value that begins at `from`: one word, or up to its closing bracket. */
function valueEnd(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    if (/^[([{]$/.test(tokens[i])) depth++;
    else if (/^[)\]}]$/.test(tokens[i])) depth--;
    if (depth <= 0) return i + 1;
  }
  return tokens.length;
}

function readValue(tokens: readonly string[]): Value {
  const [first] = tokens;
  if (first === undefined) return undefined;
  if (first === '(') return tokens.slice(1, -1).filter((token) => token !== ',');
  if (first.startsWith("'")) return textOf(first);
  return first === 'True' ? true : first === 'False' ? false : undefined;
}

function textOf(token: string): string {
  return token.slice(1, -1);
}
