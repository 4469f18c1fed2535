/** Local copies of objects in buckets, so that they are read as files are. The latest are kept while the process runs. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBucketAddress, openBucket } from './bucket.ts';

/** Copies beyond so many are removed, those first that were not asked for the longest: each object is read several times in a row. */
const MAX_COPIES = 256;

/** A copy is there at least so long after it was asked for: who asked opens it then. */
const MIN_HELD_MS = 10_000;

interface Copy {
  readonly file: Promise<string>;
  /** When it was last handed out (`performance.now`); Infinity while someone waits for it. */
  handedOut: number;
}

let folder: string | undefined;
// A Map keeps the order of insertion: what is asked for is inserted anew, so that the first was not asked for the longest.
const copies = new Map<string, Copy>();

/**
 * A file on this machine with the bytes of `name`: the file itself, or a copy of the object, which is to be opened at once. Throws `input`
 * where the object has more than `limit` bytes.
 */
export async function localFile(name: string, limit?: number): Promise<string> {
  if (!isBucketAddress(name)) return name;
  const copy = copies.get(name) ?? { file: copied(name, limit), handedOut: 0 };
  copy.handedOut = Number.POSITIVE_INFINITY;
  copies.delete(name);
  copies.set(name, copy);
  removeOld();
  try {
    return await copy.file;
  } catch (error) {
    if (copies.get(name) === copy) copies.delete(name);
    throw error;
  } finally {
    copy.handedOut = performance.now();
  }
}

function removeOld(): void {
  const latest = performance.now() - MIN_HELD_MS;
  for (const [name, { file, handedOut }] of copies) {
    if (copies.size <= MAX_COPIES) return;
    if (handedOut > latest) continue;
    copies.delete(name);
    void file.then((one) => rm(one, { force: true })).catch(() => undefined);
  }
}

async function copied(address: string, limit: number | undefined): Promise<string> {
  folder ??= scratch();
  const to = path.join(folder, randomUUID());
  try {
    await openBucket().download(address, to, limit);
    return to;
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
}

function scratch(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'rgi-bucket-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** The whole path of a file; the address of an object as it is. */
export function wholeName(name: string): string {
  return isBucketAddress(name) ? name : path.resolve(name);
}
