/** NumPy's `.npy` and `.npz` files: little-endian numbers, row-major once read. Format: numpy.lib.format, versions 1 to 3. */
import { zipSync } from 'fflate';
import { RgiError } from '../errors.ts';
import { type ElementType, type Tensor, zeros } from '../onnx/tensor.ts';
import { readNpyHeader } from './npy-header.ts';
import { openZip } from './zip.ts';

const DESCRIPTIONS: Partial<Record<ElementType, string>> = {
  float32: '<f4',
  float64: '<f8',
  float16: '<f2',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  uint16: '<u2',
  int32: '<i4',
  uint32: '<u4',
  int64: '<i8',
  uint64: '<u8',
  bool: '|b1',
};

/**
 * Reads one array (Fortran order is turned to C order). Throws `input` for anything that is not a little-endian numeric `.npy`
 * whose data is there: nothing is allocated for what a header claims only.
 *
 * @example
 * ```ts
 * import { float32, readNpy, writeNpy } from 'rgi';
 *
 * const { type, dims, data } = readNpy(writeNpy(float32([1, 2, 3, 4], [2, 2])));
 * console.log(type, dims.join(' x '), data.join(' ')); // float32 2 x 2 1 2 3 4
 * ```
 */
export function readNpy(bytes: Uint8Array): Tensor {
  return arrayIn(bytes, false);
}

/** As `readNpy`; where `mayShare`, the data is a part of `bytes` if it is aligned there: a large array is not held twice. */
function arrayIn(bytes: Uint8Array, mayShare: boolean): Tensor {
  const { start, description, fortranOrder, dims } = readNpyHeader(bytes);
  const type = (Object.keys(DESCRIPTIONS) as ElementType[]).find(
    (key) => DESCRIPTIONS[key]!.slice(1) === description.slice(1),
  );
  if (!type || description.startsWith('>')) {
    throw new RgiError('input', `The .npy file holds '${description}' values; little-endian numbers are read.`);
  }
  const width = zeros(type, [1]).data.byteLength;
  const values = dims.reduce((product, dim) => product * dim, 1);
  const expected = values * width;
  // An axis of length 0 beside a huge one makes no bytes, but no array either.
  if (!Number.isSafeInteger(dims.reduce((product, dim) => product * Math.max(1, dim), width))) {
    throw new RgiError('input', `The .npy file declares the impossible shape (${dims.join(', ')}).`);
  }
  if (bytes.length - start < expected) {
    throw new RgiError(
      'input',
      `The .npy file is cut short: ${values} values need ${expected} bytes, ${bytes.length - start} are there.`,
    );
  }
  const from = bytes.byteOffset + start;
  const shared = mayShare && from % width === 0;
  // Not `slice`: that of Node's Buffer copies nothing.
  const content = shared ? bytes.buffer : new Uint8Array(bytes.subarray(start, start + expected)).buffer;
  const tensor = { type, dims: [...dims], data: dataIn(type, content, shared ? from : 0, values) };
  return fortranOrder ? fromFortranOrder(tensor) : tensor;
}

function dataIn(type: ElementType, buffer: ArrayBufferLike, offset: number, length: number): Tensor['data'] {
  const Numbers = zeros(type, [0]).data.constructor as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Tensor['data'];
  return new Numbers(buffer, offset, length);
}

/** Data whose first axis varies fastest, as NumPy stores transposed arrays, to row-major. */
function fromFortranOrder(tensor: Tensor): Tensor {
  const { dims } = tensor;
  const source = tensor.data as Float32Array;
  const result = zeros(tensor.type, dims);
  const target = result.data as Float32Array;
  const index = new Array<number>(dims.length).fill(0);
  for (let from = 0; from < source.length; from++) {
    target[index.reduce((offset, i, axis) => offset * dims[axis] + i, 0)] = source[from];
    for (let axis = 0; axis < dims.length && ++index[axis] === dims[axis]; axis++) index[axis] = 0;
  }
  return result;
}

/** The array as a version 1 `.npy` file. */
export function writeNpy(tensor: Tensor): Uint8Array {
  const shape = tensor.dims.length === 1 ? `${tensor.dims[0]},` : tensor.dims.join(', ');
  const text = `{'descr': '${DESCRIPTIONS[tensor.type]}', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const header = new TextEncoder().encode(padded);
  const data = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(header, 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

/** Largest total size of an archive's arrays in bytes, by default. */
const MAX_ARCHIVE_BYTES = 2 ** 31 - 1;

/** Reads every array of an `.npz` archive; throws `input` where they come to more than `limit` bytes. */
export function readNpz(bytes: Uint8Array, limit = MAX_ARCHIVE_BYTES): Map<string, Tensor> {
  const files = openZip(bytes);
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  if (!(total <= limit)) {
    throw new RgiError('input', `The archive unpacks to ${mebibytes(total)}; at most ${mebibytes(limit)} are read.`);
  }
  return new Map([...files].map(([name, file]) => [arrayName(name), arrayIn(file.unpack(), true)]));
}

/** The arrays of an archive, each of which is unpacked when it is asked for. */
export interface LazyArrays {
  has(name: string): boolean;
  keys(): Iterable<string>;
  /** Throws `input` where the array is damaged, or where all that were asked for come to more than the limit. */
  get(name: string): Tensor | undefined;
}

/** Largest total size in bytes of the arrays that are taken from a foreign archive. */
export const MAX_LAZY_BYTES = 2 ** 29;

/** Opens an `.npz` archive of which only the arrays asked for are unpacked, `limit` bytes in all. */
export function openNpz(bytes: Uint8Array, limit = MAX_LAZY_BYTES): LazyArrays {
  const files = new Map([...openZip(bytes)].map(([name, file]) => [arrayName(name), file]));
  const arrays = new Map<string, Tensor>();
  let total = 0;
  return {
    has: (name) => files.has(name),
    keys: () => files.keys(),
    get: (name) => {
      const file = files.get(name);
      const known = arrays.get(name);
      if (known || !file) return known;
      if (!(total + file.size <= limit)) {
        throw new RgiError(
          'input',
          `The array '${name}' takes what is needed of the archive to ${mebibytes(total + file.size)}; at most ${mebibytes(limit)} are read.`,
        );
      }
      total += file.size;
      const array = arrayIn(file.unpack(), true);
      arrays.set(name, array);
      return array;
    },
  };
}

function arrayName(file: string): string {
  return file.replace(/\.npy$/, '');
}

function mebibytes(size: number): string {
  return `${Math.ceil(size / 2 ** 20)} MiB`;
}

/** The arrays as an `.npz` archive, stored as they are: a policy's arrays shrink by 6%, which takes 25 times as long. */
export function writeNpz(arrays: ReadonlyMap<string, Tensor>): Uint8Array {
  const entries = Object.fromEntries([...arrays].map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)]));
  // The same arrays give the same bytes, whatever the clock says: archives are known by their hashes.
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}
