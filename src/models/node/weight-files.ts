/** What a model consists of on disk: its file, and those that hold its weights; by their content it is the same model. */
import path from 'node:path';
import { sha256Of } from '../../files/node/hash.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { readRegular } from '../../files/node/regular.ts';
import { weightLocations } from '../../onnx/weight-locations.ts';

/** Content hashes of a model, SHA-256 in hexadecimal digits. */
export interface ModelHashes {
  /** Of the ONNX file. */
  readonly sha256: string;
  /** Of each file of weights, whose location is relative to the ONNX file's folder; absent where the ONNX file holds them all. */
  readonly weights?: readonly { readonly location: string; readonly sha256: string }[];
}

/** Hashes all files of the model at `file`. Throws an `input` error where `file` cannot be read; files of weights that cannot are left out. */
export async function modelHashes(file: string): Promise<ModelHashes> {
  const sha256 = await sha256Of(file);
  const weights: { location: string; sha256: string }[] = [];
  for (const location of await weightFiles(file)) {
    const hash = await sha256Of(path.join(path.dirname(file), location)).catch(() => undefined);
    if (hash !== undefined) weights.push({ location, sha256: hash });
  }
  return { sha256, ...(weights.length > 0 ? { weights } : {}) };
}

/** The locations of the model's weight files; none where the file cannot be parsed: opening it says why. */
export async function weightFiles(file: string): Promise<string[]> {
  try {
    const bytes = await readRegular(file, MAX_FILE_BYTES);
    // Most models keep their weights in themselves, and need not be parsed for it.
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('location') ? weightLocations(bytes) : [];
  } catch {
    return [];
  }
}
