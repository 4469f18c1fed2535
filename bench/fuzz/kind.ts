/** What a kind of fuzzed input is: how one is made, and which readers of the product it goes through. */
import type { Random } from '../../src/random.ts';

/** One input as files by name, so that it can be saved and looked at. */
export type FuzzFiles = ReadonlyMap<string, Uint8Array>;

export interface FuzzKind {
  /** A small valid input, changed or made up. */
  make(random: Random): FuzzFiles;
  /**
   * Reads it as the product would, with `folder` (empty) for its files. Throws what the readers throw: an `RgiError` or a usage error of
   * the command line is a clean one.
   */
  read(files: FuzzFiles, folder: string): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function textOf(files: FuzzFiles, name: string): string {
  return decoder.decode(files.get(name));
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}
