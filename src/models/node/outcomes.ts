/**
 * How trials of models ended, by content, in the user's cache folder: `$XDG_CACHE_HOME/rgi/models`, or the platform's usual
 * place. One small file for each model, written to a temporary name and renamed: two writers do not disturb each other. A cache
 * that cannot be read or written costs a trial, and is no error.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { onnxRuntimeVersion } from '../../runtime/node/library.ts';

export interface Outcome {
  readonly end: 'done' | 'memory' | 'time' | 'crash';
  /** The budget: megabytes, seconds. */
  readonly memory: number;
  readonly seconds: number;
  /** Of a crash: the signal or exit code. */
  readonly reason?: string;
}

const FORMAT = 1;

const schema = z.object({
  format: z.literal(FORMAT),
  end: z.enum(['done', 'memory', 'time']),
  memory: z.number(),
  seconds: z.number(),
});

/** Of a model's content, what it is run with, and the runtime. */
export function trialKey(sha256: string, settings: unknown): string {
  const text = JSON.stringify([FORMAT, sha256, settings, onnxRuntimeVersion()]);
  return createHash('sha256').update(text).digest('hex');
}

/** Undefined where the model was not tried yet. */
export async function recall(key: string): Promise<Outcome | undefined> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readFile(fileOf(key), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

export async function remember(key: string, { end, memory, seconds }: Outcome): Promise<void> {
  const file = fileOf(key);
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, JSON.stringify({ format: FORMAT, end, memory, seconds }), { flag: 'wx' });
    await rename(temporary, file);
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

function fileOf(key: string): string {
  return path.join(cacheFolder(), 'rgi', 'models', `${key}.json`);
}

/** A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification). */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: given, LOCALAPPDATA: local } = process.env;
  if (given && path.isAbsolute(given)) return given;
  if (process.platform === 'win32' && local) return local;
  return process.platform === 'darwin' ? path.join(homedir(), 'Library', 'Caches') : path.join(homedir(), '.cache');
}
