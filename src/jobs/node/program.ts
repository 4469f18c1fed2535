/** What a record must name to be trusted later: the program's version, hashes of files and of settings. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256OfContent } from '../../files/node/hash.ts';

/** The program's version, as in package.json: that of the nearest folder above that is this package. */
export const VERSION = versionAbove(path.dirname(fileURLToPath(import.meta.url)));

function versionAbove(folder: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    if (name === 'rgi') return version;
  } catch {
    // None here.
  }
  const above = path.dirname(folder);
  return above === folder ? 'unknown' : versionAbove(above);
}

/** A hash of plain data; members named `file` do not count: where a network lies does not matter, its hash does. */
export function hashOfData(value: unknown): string {
  const text = JSON.stringify(value, (name, member: unknown) => (name === 'file' ? undefined : member));
  return sha256OfContent(text).slice(0, 20);
}

/** `make`, which is not asked again as long as it is asked for the same: of sources that come one after another. */
export function lastOnly<S, T>(make: (of: S) => Promise<T>): (of: S) => Promise<T> {
  let last: { readonly of: S; readonly made: Promise<T> } | undefined;
  return (of) => {
    if (!last || last.of !== of) last = { of, made: make(of) };
    return last.made;
  };
}
