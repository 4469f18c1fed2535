import { unzipSync, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { openNpz, readNpy, readNpz, writeNpy, writeNpz } from '../../src/arrays/npy.ts';
import { float32, type Tensor, tensorOf, zeros } from '../../src/onnx/tensor.ts';

/** A file of format version 2 with any header, and so many bytes of data. */
function withHeader(header: string, data = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(12 + text.length + data);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0]);
  new DataView(bytes.buffer).setUint32(8, text.length, true);
  bytes.set(text, 12);
  return bytes;
}

const shaped = (shape: string, data = 96) =>
  withHeader(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }\n`, data);

const refusal = (read: () => unknown) => {
  try {
    read();
  } catch (error) {
    return (error as Error).message;
  }
  return expect.unreachable();
};

describe('.npy', () => {
  test('headers as NumPy writes them, in any order and spacing', () => {
    expect(readNpy(shaped('(3, 4)')).dims).toEqual([3, 4]);
    expect(readNpy(shaped('(24,)')).dims).toEqual([24]);
    expect(readNpy(shaped('()')).dims).toEqual([]);
    expect(readNpy(shaped('(3L, 8L)')).dims).toEqual([3, 8]);
    expect(readNpy(withHeader(`{"x":1,'shape':(2,),'descr':'|u1','fortran_order':True}`, 2)).dims).toEqual([2]);
    // Fortran order: the first axis is the fastest.
    const bytes = withHeader(`{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}`, 6);
    bytes.set([1, 4, 2, 5, 3, 6], bytes.length - 6);
    expect([...(readNpy(bytes).data as Uint8Array)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('impossible shapes are one sentence each', () => {
    expect(
      [
        '(-1, 3)',
        '(3, 0.5, 8)',
        '(1e9,)',
        '(True,)',
        `(${'9'.repeat(400)},)`,
        '(0, 9007199254740991, 3)',
        '(4294967296, 4294967296)',
        `(${'1,'.repeat(70)})`,
      ].map((shape) => refusal(() => readNpy(shaped(shape)))),
    ).toEqual([
      'The .npy file declares the impossible shape (-1, 3).',
      'The .npy file declares the impossible shape (3, 0.5, 8).',
      'The .npy file declares the impossible shape (1e9).',
      'The .npy file declares the impossible shape (True).',
      `The .npy file declares the impossible shape (${'9'.repeat(60)}).`,
      'The .npy file declares the impossible shape (0, 9007199254740991, 3).',
      'The .npy file declares the impossible shape (4294967296, 4294967296).',
      'The .npy file declares the impossible shape (1, 1, 1, 1, 1, 1, 1, 1).',
    ]);
    expect(refusal(() => readNpy(shaped('(1000000, 1000)')))).toBe(
      'The .npy file is cut short: 1000000000 values need 4000000000 bytes, 96 are there.',
    );
  });

  test('headers that are no dictionary, or too long, are refused in the time it takes to read them', () => {
    const long = withHeader("'shape': (".repeat(40_000));
    const started = performance.now();
    expect(refusal(() => readNpy(long))).toBe(
      'The .npy file declares a header of 400000 bytes; at most 10000 are read.',
    );
    expect(refusal(() => readNpy(withHeader("{'sharp': (".repeat(900))))).toBe(
      'The .npy file has no shape: its header is damaged.',
    );
    expect(performance.now() - started).toBeLessThan(500);
    expect(refusal(() => readNpy(withHeader("{'descr': [('a', '<f4')], 'shape': (3,), }")))).toBe(
      'The .npy file holds records or objects; little-endian numbers are read.',
    );
    expect(refusal(() => readNpy(shaped('(2, 2)').subarray(0, 30)))).toBe(
      'The .npy file is cut short: it ends in its header.',
    );
  });
});

describe('.npz', () => {
  const array = float32([1, 2, 3], [3]);

  test('stored and deflated arrays come back', () => {
    const stored = writeNpz(
      new Map<string, Tensor>([
        ['a', array],
        ['b', tensorOf('uint8', [7], [1])],
      ]),
    );
    for (const archive of [stored, zipSync(unzipSync(stored))]) {
      const read = readNpz(archive);
      expect([...read.keys()]).toEqual(['a', 'b']);
      expect(read.get('a')).toEqual(array);
    }
  });

  test('an archive that would unpack to more than the cap is refused before it is unpacked', () => {
    const bomb = zipSync({ 'a.npy': new Uint8Array(2 ** 24) }, { level: 9 });
    expect(bomb.length).toBeLessThan(2 ** 15);
    expect(refusal(() => readNpz(bomb, 2 ** 20))).toBe('The archive unpacks to 16 MiB; at most 1 MiB are read.');
  });

  test('an archive that declares less than it holds, or more than it can, is refused while it is unpacked', () => {
    const declare = (size: number) => {
      const bytes = zipSync({ 'a.npy': new Uint8Array(2 ** 20) }, { level: 9 });
      const view = new DataView(bytes.buffer);
      const central = view.getUint32(bytes.length - 6, true);
      view.setUint32(central + 24, size, true);
      return bytes;
    };
    expect(refusal(() => readNpz(declare(1000)))).toBe(
      "'a.npy' in the archive unpacks to more bytes than it declares.",
    );
    expect(refusal(() => readNpz(declare(2 ** 20 + 5)))).toBe("'a.npy' in the archive is cut short.");
    expect(refusal(() => readNpz(declare(2 ** 30)))).toBe(
      "'a.npy' in the archive declares more bytes than it can hold.",
    );
  });

  test('damage anywhere is one sentence, never another error', () => {
    const bytes = writeNpz(new Map([['a', array]]));
    for (let cut = 0; cut < bytes.length; cut++) expect(refusal(() => readNpz(bytes.subarray(0, cut)))).toMatch(/\.$/);
    for (let at = 0; at < bytes.length; at++) {
      const odd = bytes.slice();
      odd[at] ^= 0xff;
      try {
        readNpz(odd);
      } catch (error) {
        expect((error as Error).name, `byte ${at}: ${String(error)}`).toBe('RgiError');
      }
    }
  });

  test('opened, it unpacks what is asked for only, and no more than the cap', () => {
    const large = zeros('uint8', [2 ** 20]);
    const hostile = writeNpz(
      new Map<string, Tensor>([
        ['a', array],
        ['b', large],
        ['c', large],
        ['d', large],
      ]),
    );
    const arrays = openNpz(hostile, 2 ** 21);
    expect([...arrays.keys()]).toEqual(['a', 'b', 'c', 'd']);
    expect(arrays.get('b')?.dims).toEqual([2 ** 20]);
    expect(arrays.get('b')).toBe(arrays.get('b'));
    expect(refusal(() => arrays.get('c'))).toBe(
      "The array 'c' takes what is needed of the archive to 3 MiB; at most 2 MiB are read.",
    );
    expect(arrays.get('a')).toEqual(array);
    expect(arrays.get('e')).toBeUndefined();
  });

  test('the data of an unpacked array is not held twice', () => {
    const { data } = openNpz(zipSync(unzipSync(writeNpz(new Map([['a', array]]))))).get('a')!;
    expect(data.byteOffset).toBeGreaterThan(0);
  });

  test('an array alone survives the way through a file', () => {
    expect(readNpy(writeNpy(array))).toEqual(array);
  });
});
