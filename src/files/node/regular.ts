/**
 * Files that a user or a file of a user names: opened only if they are regular files, and never read beyond a cap. A pipe or a device
 * would hang the program, or never end.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type FileReason, fileError, messageOf, RgiError } from '../../errors.ts';
import { localFile } from './copies.ts';
import { tooLarge } from './limits.ts';

/** Pictures, arrays and masks: the largest picture that is decoded (100 million pixels) in 16 bits and colour has 0.6 GiB. */
export const MAX_INPUT_BYTES = 2 ** 30;

/** Lists, tables and manifests. */
export const MAX_TEXT_BYTES = 2 ** 28;

// Without it, opening a pipe that nobody writes to would wait forever. Windows has no such flag, and no such files.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file, or an object of a bucket of at most `limit` bytes, for reading; the caller closes it. Throws an `input` error that
 * names the file.
 */
export async function openRegular(path: string, limit?: number): Promise<FileHandle> {
  let handle: FileHandle;
  const file = await localFile(path, limit);
  try {
    handle = await open(file, FLAGS);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    checkKind(path, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error instanceof RgiError ? error : unreadable(path, error);
  }
}

/** As `openRegular`, at once: a file descriptor. */
export function openRegularSync(path: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, FLAGS);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    checkKind(path, fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error instanceof RgiError ? error : unreadable(path, error);
  }
}

/** All bytes of a regular file; more than `limit` are refused before anything is allocated. Throws an `input` error. */
export async function readRegular(path: string, limit = MAX_INPUT_BYTES): Promise<Uint8Array> {
  const handle = await openRegular(path, limit);
  try {
    const { size } = await handle.stat();
    if (size > limit) throw tooLarge(path, size, limit);
    return await readUpTo(path, handle, size, limit);
  } catch (error) {
    throw error instanceof RgiError ? error : unreadable(path, error);
  } finally {
    await handle.close();
  }
}

/** Reads to the end: a file may grow meanwhile, or not know its size (those of /proc say 0). */
async function readUpTo(path: string, handle: FileHandle, size: number, limit: number): Promise<Uint8Array> {
  let bytes = new Uint8Array(size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) return bytes.subarray(0, length);
    length += bytesRead;
    if (length > limit) throw tooLarge(path, length, limit);
    if (length < bytes.length) continue;
    const larger = new Uint8Array(Math.min(limit + 1, 2 * bytes.length));
    larger.set(bytes);
    bytes = larger;
  }
}

/** The text (UTF-8) of a regular file; undefined where there is none, or where it cannot be read. */
export async function readTextIfThere(path: string, limit = MAX_TEXT_BYTES): Promise<string | undefined> {
  const bytes = await readRegular(path, limit).catch(() => undefined);
  return bytes && new TextDecoder().decode(bytes);
}

/** Is there anything of that name? */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Is there a folder of that name? */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function checkKind(path: string, stats: { isFile(): boolean; isDirectory(): boolean }): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw fileError(path, 'folder', `${path} is a folder, not a file.`);
  throw notRegular(path);
}

function notRegular(path: string): RgiError {
  return fileError(path, 'not-regular', `${path} is not a regular file (a device, a pipe or a socket); give a file.`);
}

const REASONS: Readonly<Record<string, readonly [FileReason, string]>> = {
  ENOENT: ['missing', 'does not exist.'],
  ENOTDIR: ['missing', 'does not exist.'],
  EISDIR: ['folder', 'is a folder, not a file.'],
  EACCES: ['denied', 'cannot be read: permission denied.'],
  EPERM: ['denied', 'cannot be read: permission denied.'],
  ELOOP: ['unreadable', 'is a symbolic link that leads to itself.'],
};

function unreadable(path: string, error: unknown): RgiError {
  const code = String((error as { code?: unknown } | undefined)?.code);
  // A socket, or a device that nothing is behind.
  if (code === 'ENXIO' || code === 'ENODEV') return notRegular(path);
  const [reason, words] = REASONS[code] ?? (['unreadable', `cannot be read (${messageOf(error)}).`] as const);
  return fileError(path, reason, `${path} ${words}`, error);
}
