/** Recorded searches for the masks' benchmark: pictures, what a search made of them, and what was corrupted; one `.npz` for each set. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readNpz, writeNpz } from '../../src/arrays/npy.ts';
import type { Image, Mask } from '../../src/images/image.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';

/** Units of a stored value in one of [-1,1]: a fortieth of a grey level. Values beyond +-6.5 are clipped. */
const UNITS = 5000;

/** The pictures of one case; [n,C,H,W] and [n,1,H,W]. */
export interface Recording {
  readonly name: string;
  /** The corrupted pictures. */
  readonly x: Image;
  /** G(z) of the mask-free search; of the search that was given the true mask. */
  readonly found: Image;
  readonly given: Image;
  /** 1 = corrupted. */
  readonly truth: Mask;
  /** 1 = without data, as found before the search. */
  readonly missing: Mask;
  /** The mask that the rules before the model of corruption made of `found` and of `given`; absent in recordings made after it. */
  readonly before?: Mask;
  readonly beforeGiven?: Mask;
}

const IMAGES = ['x', 'found', 'given'] as const;
const MASKS = ['truth', 'missing', 'before', 'beforeGiven'] as const;

export function writeRecordings(file: string, recordings: readonly Recording[]): void {
  const arrays = new Map<string, Tensor>();
  for (const recording of recordings) {
    for (const part of IMAGES) {
      const { data, dims } = recording[part];
      const clipped = Int16Array.from(data, (v) => Math.round(UNITS * Math.min(6.5, Math.max(-6.5, v))));
      arrays.set(`${recording.name}/${part}`, { type: 'int16', data: clipped, dims });
    }
    for (const part of MASKS) {
      if (!recording[part]) continue;
      const { data, dims } = recording[part];
      arrays.set(`${recording.name}/${part}`, { type: 'uint8', data: Uint8Array.from(data), dims });
    }
  }
  writeFileSync(file, writeNpz(arrays));
}

export function readRecordings(file: string): Recording[] {
  const arrays = readNpz(readFileSync(file));
  const names = [...new Set([...arrays.keys()].map((key) => key.split('/')[0]))];
  const read = (key: string, unit: number) => {
    const { data, dims } = arrays.get(key)!;
    return float32(
      Float32Array.from(data as ArrayLike<number>, (v) => v / unit),
      dims,
    );
  };
  return names.map((name) => ({
    name,
    x: read(`${name}/x`, UNITS),
    found: read(`${name}/found`, UNITS),
    given: read(`${name}/given`, UNITS),
    truth: read(`${name}/truth`, 1),
    missing: read(`${name}/missing`, 1),
    ...(arrays.has(`${name}/before`)
      ? { before: read(`${name}/before`, 1), beforeGiven: read(`${name}/beforeGiven`, 1) }
      : {}),
  }));
}
