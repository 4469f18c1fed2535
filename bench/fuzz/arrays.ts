/** Arrays, archives, and what is kept in them (states, checkpoints): headers rewritten, bytes and zip directories changed. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/arrays/npy.ts';
import { readCheckpoint } from '../../src/gan/checkpoint.ts';
import { readMask, readPicture } from '../../src/images/node/read.ts';
import { readState } from '../../src/inversion/solve/state.ts';
import { type ElementType, float32, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import type { Random } from '../../src/random.ts';
import { bytesOf, type FuzzFiles, type FuzzKind } from './kind.ts';
import { joined, jsonOf, mutatedBytes, mutateTree, pick } from './mutate.ts';

const TYPES: readonly ElementType[] = ['float32', 'float64', 'float16', 'uint8', 'int16', 'int64', 'uint64', 'bool'];

const SHAPES = [
  '()',
  '(3,)',
  '(1, 8, 8)',
  '(-1, 3)',
  '(3, 0.5, 8)',
  '(0,)',
  '(1e9, 1e9)',
  '(4294967296, 2)',
  '(8, 8, 3)',
  '(2, NaN)',
  "('a',)",
  '(1,) * 9',
  '(0x10, 2)',
  '[1]',
  '(1, 1, 1, 1, 1, 1, 1, 64)',
];

const DESCRIPTIONS = ['<f4', '>f4', '|O', '<f3', '<U5', '|u1', '<i8', '', "[('a', '<f4')]", '<c16', '=f4', 'f4'];

export function arrays(): FuzzKind {
  const npy = TYPES.map((type) => writeNpy(tensorOf(type, new Array(64).fill(0), [1, 8, 8])));
  const npz = [
    writeNpz(new Map([['a', float32(new Float32Array(16), [4, 4])]])),
    jsonArchive('facts.json', STATE, 'state/z'),
    jsonArchive('run', CHECKPOINT, 'z'),
  ];
  const shared = float32(new Float32Array(16), [4, 4]);
  return {
    make(random): FuzzFiles {
      const choice = random.integer(6);
      if (choice === 0) return new Map([['array.npy', withHeader(random)]]);
      if (choice < 3) return new Map([['array.npy', mutatedBytes(pick(npy, random), pick(npy, random), random)]]);
      if (choice === 3) {
        const [key, value, tensor] = pick(
          [
            ['facts.json', STATE, 'state/z'],
            ['run', CHECKPOINT, 'z'],
          ] as const,
          random,
        );
        const changed: unknown = structuredClone(value);
        mutateTree([changed], random, true);
        return new Map([['archive.npz', jsonArchive(key, changed, tensor)]]);
      }
      if (choice === 4) {
        const entries = unzipSync(pick(npz, random));
        const [name] = Object.keys(entries);
        entries[name] = new Uint8Array(
          random.integer(2) === 0 ? withHeader(random) : mutatedBytes(entries[name], writeNpy(shared), random),
        );
        return new Map([['archive.npz', zipSync(entries)]]);
      }
      return new Map([['archive.npz', mutatedBytes(pick(npz, random), pick(npz, random), random)]]);
    },
    async read(files, folder) {
      const archive = files.get('archive.npz');
      if (archive) {
        readNpz(archive);
        await firstOf([async () => readState(archive), async () => readCheckpoint(archive)]);
        return;
      }
      const bytes = files.get('array.npy')!;
      const file = path.join(folder, 'array.npy');
      await writeFile(file, bytes);
      readNpy(bytes);
      const picture = await readPicture(file);
      await readMask(file, picture);
    },
  };
}

/** Runs all; throws what the last of them throws, if all do, and what is no clean error at once. */
async function firstOf(readers: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const read of readers) {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof Error && error.name === 'RgiError')) throw error;
      errors.push(error);
    }
  }
  if (errors.length === readers.length) throw errors.at(-1);
}

/** A header with an odd shape or type, before 256 bytes of data. */
function withHeader(random: Random): Uint8Array {
  const entries = [
    `'descr': '${pick(DESCRIPTIONS, random)}'`,
    `'fortran_order': ${pick(['False', 'True', '7'], random)}`,
    `'shape': ${pick(SHAPES, random)}`,
  ];
  const wanted = entries.filter(() => random.integer(12) > 0);
  const text = random.integer(20) === 0 ? "'shape': (".repeat(1 + random.integer(4000)) : `{${wanted.join(', ')}, }\n`;
  const header = bytesOf(text);
  const version = pick([1, 2, 3, 9], random);
  const length = random.integer(10) === 0 ? pick([0, 65535, 2 ** 32 - 1], random) : header.length;
  const start = new Uint8Array(version >= 2 ? 12 : 10);
  start.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(start.buffer);
  if (version >= 2) view.setUint32(8, length, true);
  else view.setUint16(8, length & 65535, true);
  return joined(start, header, new Uint8Array(256));
}

const STATE = { stage: 0, step: 3, floors: [0], codes: [null, 'converged'] };
const CHECKPOINT = { version: 2, step: 5, rollbacks: 0, record: { seconds: 1, measured: [] } };

function jsonArchive(key: string, value: unknown, tensor: string): Uint8Array {
  const text = bytesOf(jsonOf(value));
  return writeNpz(
    new Map<string, Tensor>([
      [key, { type: 'uint8', dims: [text.length], data: text }],
      [tensor, float32(new Float32Array(4), [1, 4])],
    ]),
  );
}
