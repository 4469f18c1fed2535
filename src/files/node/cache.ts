/**
 * Small files in the user's cache folder: `$XDG_CACHE_HOME/rgi`, or the platform's usual place. Each is written to a temporary
 * name and renamed: two writers do not disturb each other. A cache that cannot be read or written is no error.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** The text of the entry `name`, a relative path; undefined where there is none. */
export function readCached(name: string): Promise<string | undefined> {
  return readFile(fileOf(name), 'utf8').catch(() => undefined);
}

export async function writeCached(name: string, text: string): Promise<void> {
  const file = fileOf(name);
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, file);
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

function fileOf(name: string): string {
  return path.join(cacheFolder(), 'rgi', name);
}

/** A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification). */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: given, LOCALAPPDATA: local } = process.env;
  if (given && path.isAbsolute(given)) return given;
  if (process.platform === 'win32' && local) return local;
  return process.platform === 'darwin' ? path.join(homedir(), 'Library', 'Caches') : path.join(homedir(), '.cache');
}
