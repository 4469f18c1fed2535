/**
 * One process at a time: a lock file that names its holder. It is made by linking a finished file, so that no one sees half of it, and is
 * taken over from a process that no longer runs.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { readTextIfThere } from '../../files/node/regular.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the lock was taken, ISO 8601. */
  start: z.string(),
  /** Tells this process from a later one of the same number, where the system says (Linux). */
  birth: z.string().optional(),
});

export type Holder = z.infer<typeof holderSchema>;

/** Locks of this process, also those that it is about to take. A file of its number that is not among them is another's, long gone. */
const held = new Map<string, Holder>();

/** Attempts to take a lock over, each of which may lose a race with another process. */
const MAX_ATTEMPTS = 5;

/**
 * Takes the lock `file` on `what` (a folder or a model, for the sentence), and returns how it is given back. Throws `usage` where
 * another process holds it, `input` where the file cannot be made.
 */
export async function acquireLock(file: string, what: string): Promise<() => Promise<void>> {
  const key = path.resolve(file);
  const own: Holder = {
    pid: process.pid,
    host: os.hostname(),
    start: new Date().toISOString(),
    birth: await birthOf(process.pid),
  };
  const before = held.get(key);
  if (before) throw refusal(file, what, nameOf(before), before);
  held.set(key, own);
  try {
    const text = `${JSON.stringify(own)}\n`;
    await take(file, what, text);
    return async () => {
      if ((await readTextIfThere(file)) === text) await rm(file, { force: true });
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
    const found = await readTextIfThere(file);
    if (found === undefined) continue;
    const holder = parsed(found);
    if (!holder) throw refusal(file, what, 'a lock file that cannot be read');
    if (await isAlive(holder)) throw refusal(file, what, nameOf(holder), holder);
    await removeDead(file, found);
  }
  throw refusal(file, what, 'another process that began at the same time');
}

function nameOf({ pid, host, start }: Holder): string {
  return `process ${pid} on ${host} since ${start}`;
}

function refusal(file: string, what: string, by: string, holder?: Holder): RgiError {
  const remedy =
    holder && holder.host === os.hostname()
      ? 'wait for it to end, or name another'
      : `wait for it to end, name another, or delete ${file} if that process no longer runs`;
  return new RgiError('usage', `${what} is in use by ${by}; ${remedy}.`, { file });
}

/** False where the file is there already. */
async function create(file: string, text: string): Promise<boolean> {
  const temporary = path.join(path.dirname(file), `.lock.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, text);
    try {
      await link(temporary, file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return false;
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

function parsed(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Of another host nothing is known: its process is taken to be alive. */
async function isAlive({ pid, host, birth }: Holder): Promise<boolean> {
  if (host !== os.hostname()) return true;
  // Its own locks it knows.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await birthOf(pid);
  return birth === undefined || now === undefined || now === birth;
}

/** Ticks from the machine's start to the process's, field 22 of Linux's /proc/PID/stat; undefined elsewhere. */
async function birthOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in parentheses may hold anything; what follows its end is fields from the third on.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** Moves the dead holder's file away; where another process has already put its own there, that is put back. */
async function removeDead(file: string, text: string): Promise<void> {
  const aside = path.join(path.dirname(file), `.lock.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8').catch(() => text)) !== text) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}
