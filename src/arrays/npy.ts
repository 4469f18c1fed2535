/** NumPy's `.npy` and `.npz` files: little-endian numbers, row-major once read. Format: numpy.lib.format, versions 1 to 3. */
import { zipSync } from 'fflate';
import { RgiError } from '../errors.ts';
import { type ElementType, type Tensor, zeros } from '../onnx/tensor.ts';
import { readNpyHeader } from './npy-header.ts';
import { unzip } from './zip.ts';

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
  const tensor = zeros(type, dims);
  new Uint8Array(tensor.data.buffer).set(bytes.subarray(start, start + expected));
  return fortranOrder ? fromFortranOrder(tensor) : tensor;
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
  return new Map([...unzip(bytes, limit)].map(([name, data]) => [name.replace(/\.npy$/, ''), readNpy(data)]));
}

/** The arrays as an `.npz` archive; weights hardly shrink, and are written much faster without `compress`. */
export function writeNpz(arrays: ReadonlyMap<string, Tensor>, compress = true): Uint8Array {
  const entries = Object.fromEntries([...arrays].map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)]));
  // The same arrays give the same bytes, whatever the clock says: archives are known by their hashes.
  return zipSync(entries, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
