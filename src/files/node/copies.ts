/** Local copies of objects in buckets, so that they are read as files are. The latest are kept while the process runs. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBucketAddress, openBucket } from './bucket.ts';

/** A picture is hashed, its size is read, and it is decoded: it stays at least until the others of its batch are there. */
const MAX_COPIES = 256;

let folder: string | undefined;
// A Map keeps the order of insertion: the first is the oldest.
const copies = new Map<string, Promise<string>>();

/** A file on this machine with the bytes of `name`: the file itself, or a copy of the object. It may go when many others are read. Throws `input` where the object has more than `limit` bytes. */
export function localFile(name: string, limit?: number): Promise<string> {
  if (!isBucketAddress(name)) return Promise.resolve(name);
  const known = copies.get(name);
  if (known) return known;
  const made = copied(name, limit);
  copies.set(name, made);
  made.catch(() => copies.delete(name));
  for (const [oldest, copy] of [...copies].slice(0, Math.max(0, copies.size - MAX_COPIES))) {
    copies.delete(oldest);
    void copy.then((file) => rm(file, { force: true })).catch(() => undefined);
  }
  return made;
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
