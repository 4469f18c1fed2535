/** The reference data beside the repository: tests that need it skip, and say so, where it is absent. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readNpz } from '../../src/arrays/npy.ts';
import { needs } from './needs.ts';

const root = process.env.RGI_SHARED ?? path.resolve(import.meta.dirname, '../../../shared');

export const hasShared = existsSync(path.join(root, 'fixtures'));

/** A title that says why its tests are skipped, where the reference data is absent. */
export function withShared(title: string): string {
  return needs(hasShared, 'skipped: no reference data beside the repository', title);
}

export function sharedPath(...parts: string[]): string {
  return path.join(root, ...parts);
}

export function sharedBytes(...parts: string[]): Uint8Array {
  return readFileSync(sharedPath(...parts));
}

export function sharedNpz(...parts: string[]) {
  return readNpz(sharedBytes(...parts));
}

export function sharedJson<T>(...parts: string[]): T {
  return JSON.parse(new TextDecoder().decode(sharedBytes(...parts))) as T;
}
