/**
 * One process at a time: a lock file that names its holder. It is made by linking a finished file, so that no one sees half of it, and is
 * taken over from a process that no longer runs.
 *
 * A takeover has a lock of its own, the guard, named after the text of the dead lock: of several processes that find one dead holder, the
 * guard's holder alone may replace the lock, and only while that still has the dead text. A guard whose holder died is taken over in
 * the same manner, by a guard of the guard. So no lock of a living process is ever moved.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { readRegular } from '../../files/node/regular.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the lock was taken, ISO 8601. */
  start: z.string(),
  /** Tells this process from a later one of the same number, where the system says (Linux). */
  birth: z.string().optional(),
  /** Tells two locks of one process apart. */
  id: z.string().optional(),
});

export type Holder = z.infer<typeof holderSchema>;

/** Locks of this process, also those that it is about to take. */
const held = new Map<string, Holder>();

/** Attempts to take a lock over, each of which may lose a race with another process. */
const MAX_ATTEMPTS = 5;

/** Far more than a holder's name takes. */
const MAX_LOCK_BYTES = 2 ** 16;

/**
 * Takes the lock `file` on `what` (a folder or a model, for the sentence), and returns how it is given back. Throws `usage` where
 * another process holds it, or what is there is no lock file, and `input` where the file cannot be made.
 */
export async function acquireLock(file: string, what: string): Promise<() => Promise<void>> {
  const key = path.resolve(file);
  const own: Holder = {
    pid: process.pid,
    host: os.hostname(),
    start: new Date().toISOString(),
    birth: await birthOf(process.pid),
    id: randomUUID(),
  };
  const before = held.get(key);
  if (before) throw inUse(file, what, before, true);
  held.set(key, own);
  try {
    const text = `${JSON.stringify(own)}\n`;
    await take(file, what, text);
    await removeDeadRemains(file);
    return async () => {
      if ((await readLock(file, what).catch(() => undefined)) === text) await rm(file, { force: true });
      held.delete(key);
    };
  } catch (error) {
    held.delete(key);
    throw error;
  }
}

async function take(file: string, what: string, text: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (await create(file, text)) return;
    const found = await readLock(file, what);
    if (found === undefined) continue;
    const holder = parsed(found);
    if (!holder)
      throw refusal(
        file,
        `${what} cannot be locked: ${file} is not a lock file that can be read; delete it if no other rgi is at work there, or name another.`,
      );
    const life = await lifeOf(holder);
    if (life !== 'dead') throw inUse(file, what, holder, life === 'alive');
    if (await takeOver(file, found, text)) return;
  }
  throw refusal(
    file,
    `${what} is in use by another process that began at the same time; wait for it to end, or name another.`,
  );
}

/** Where it is not certain that the holder still runs, the file that may be deleted is named. */
function inUse(file: string, what: string, { pid, host, start }: Holder, isCertain: boolean): RgiError {
  const remedy = isCertain
    ? 'wait for it to end, or name another'
    : `wait for it to end, name another, or delete ${file} if that process no longer runs`;
  return refusal(file, `${what} is in use by process ${pid} on ${host} since ${start}; ${remedy}.`);
}

function refusal(file: string, sentence: string, cause?: unknown): RgiError {
  return new RgiError('usage', sentence, { file }, { cause });
}

/** Undefined where there is no lock. Throws `usage` where what is there cannot be one. */
async function readLock(file: string, what: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await readRegular(file, MAX_LOCK_BYTES));
  } catch (error) {
    if (error instanceof RgiError && error.details?.kind === 'file' && error.details.reason === 'missing')
      return undefined;
    const reason = messageOf(error).replace(/\.$/, '');
    throw refusal(
      file,
      `${what} cannot be locked: ${reason}; remove it if no other rgi is at work there, or name another.`,
      error,
    );
  }
}

/** A name beside the lock that `removeDeadRemains` knows as its own. */
function beside(file: string, tag: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${tag}.tmp`);
}

/** False where the file is there already. */
async function create(file: string, text: string, lock = file): Promise<boolean> {
  const temporary = beside(lock, randomUUID().slice(0, 8));
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, text);
    try {
      await link(temporary, file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ENOENT: the folder or the temporary file has gone meanwhile, with the end of another run.
      if (code === 'EEXIST' || code === 'ENOENT') return false;
      // A file system without links: made in place, which is as exclusive, but not whole at once.
      return await createInPlace(file, text);
    }
    return true;
  } catch (error) {
    throw new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function createInPlace(file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Puts `text` in the place of the dead lock; false where another process did, or is about to. */
async function takeOver(file: string, dead: string, text: string): Promise<boolean> {
  const abandoned: string[] = [];
  for (let before = dead; ; ) {
    const guard = guardOf(file, before);
    if (await create(guard, text, file)) return replaceGuarded(file, dead, text, guard, abandoned);
    const found = await readFile(guard, 'utf8').catch(() => undefined);
    const holder = found === undefined ? undefined : parsed(found);
    if (found === undefined || !holder || (await lifeOf(holder)) !== 'dead') return false;
    abandoned.push(guard);
    before = found;
  }
}

function guardOf(file: string, text: string): string {
  return beside(file, sha256OfContent(text).slice(0, 8));
}

/** What the guard's holder alone does: as long as the lock has the dead text, no other process replaces it or removes `abandoned`. */
async function replaceGuarded(
  file: string,
  dead: string,
  text: string,
  guard: string,
  abandoned: readonly string[],
): Promise<boolean> {
  const temporary = beside(file, randomUUID().slice(0, 8));
  try {
    if ((await readFile(file, 'utf8').catch(() => undefined)) !== dead) return false;
    await writeFile(temporary, text);
    await rename(temporary, file);
    for (const one of abandoned) await rm(one, { force: true });
    return true;
  } catch (error) {
    throw new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
    await rm(guard, { force: true }).catch(() => undefined);
  }
}

/**
 * Removes what processes that died in a takeover of this lock left beside it. What cannot be read, or names a process that may live, is not
 * ours. Only the lock's holder may do this: no guard can then lead to a replacement, since the lock is none of the dead.
 */
async function removeDeadRemains(file: string): Promise<void> {
  const folder = path.dirname(file);
  const start = `.${path.basename(file)}.`;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(start) || !/^[0-9a-f]{8}\.tmp$/.test(name.slice(start.length))) continue;
    const place = path.join(folder, name);
    const holder = parsed((await readFile(place, 'utf8').catch(() => undefined)) ?? '');
    if (holder && (await lifeOf(holder)) === 'dead') await rm(place, { force: true }).catch(() => undefined);
  }
}

function parsed(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** `perhaps`: a process of that number runs, or is on another host, and whether it is the one that took the lock is not known. */
async function lifeOf({ pid, host, birth, id }: Holder): Promise<'alive' | 'dead' | 'perhaps'> {
  if (host !== os.hostname()) return 'perhaps';
  const now = await birthOf(pid);
  // Its own locks a process knows, but for those of its other threads.
  if (pid === process.pid) {
    const isHeld = id !== undefined && [...held.values()].some((one) => one.id === id);
    return isHeld || (birth !== undefined && birth === now) ? 'alive' : 'dead';
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'dead';
  }
  if (birth === undefined || now === undefined) return 'perhaps';
  return now === birth ? 'alive' : 'dead';
}

/** Ticks from the machine's start to the process's, field 22 of Linux's /proc/PID/stat; undefined elsewhere. */
async function birthOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in parentheses may hold anything; what follows its end is fields from the third on.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
