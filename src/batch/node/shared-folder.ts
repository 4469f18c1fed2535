/**
 * A folder that senders and workers share. The folder of a job appears whole, by a renaming, and goes whole. Whoever waits for a result has a
 * file in its folder `for`: the last one to leave removes that folder, which nobody can join from then on, and with it the job's.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { fileError, messageOf, RgiError } from '../../errors.ts';
import { localFile } from '../../files/node/copies.ts';
import { isFolder, isThere } from '../../files/node/regular.ts';
import { linkTemporary } from '../../images/node/write.ts';
import { jsonOf } from '../../jobs/json.ts';
import { type Delivered, MASK, PICTURE, RECORD, RESULT, resultSchema } from '../queue-data.ts';
import type { SentFiles, Shared, Taken } from './shared.ts';

/** Names of those who wait. */
const WAITING = 'for';

/** How long a folder that nobody may join may take to go; then whoever removed it was killed. */
const REMOVAL_MS = 2000;
const LOOK_MS = 20;

export async function openSharedFolder(shared: string, others: string): Promise<Shared> {
  if (!(await isFolder(shared)))
    throw new RgiError('usage', `--shared ${shared} is no folder; name one that the ${others} have, too.`, {
      file: shared,
    });
  const of = (key: string) => path.join(shared, key);
  const release = async (key: string, sender: string): Promise<void> => {
    await rm(path.join(of(key), WAITING, sender), { force: true });
    // Fails where someone else waits.
    if (await succeeds(rmdir(path.join(of(key), WAITING)))) await removeWhole(of(key));
  };
  return {
    place: (key, files, sender) => place(of(key), files, sender),
    async fetch(key, name, to) {
      const file = path.join(of(key), name);
      if (!(await isIn(shared, file))) throw fileError(file, 'missing', `${file} does not exist.`);
      await copyFile(file, to);
    },
    hasResult: (key) => isIn(shared, path.join(of(key), RESULT)),
    isWanted: (key) => isIn(shared, path.join(of(key), WAITING)),
    async deliver(key, folder, result) {
      // Without its folder, nobody wants the result any more.
      if (await isIn(shared, of(key))) await deliver(of(key), folder, result);
    },
    take: (key) => resultIn(path.join(of(key), RESULT)),
    release,
    discard: (key) => removeWhole(of(key)),
    async releaseAll(sender, but) {
      // What a killed run of the sender had begun to put there.
      for (const key of await readdir(shared))
        if (key.startsWith('.') && key.split('.')[2] === sender) await rm(of(key), { recursive: true, force: true });
        else if (!but.has(key) && (await isThere(path.join(of(key), WAITING, sender)))) await release(key, sender);
    },
  };
}

/** Is there anything of that name? Throws where the folder that is shared cannot be asked: it may be back later. */
async function isIn(shared: string, file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    // Of a folder that is not mounted, nothing is there.
    await stat(shared);
    return false;
  }
}

async function place(own: string, files: SentFiles, sender: string): Promise<void> {
  const join = () => succeeds(writeFile(path.join(own, WAITING, sender), ''));
  const began = performance.now();
  while (!(await join())) {
    const staged = besides(own, sender);
    try {
      await mkdir(path.join(staged, WAITING), { recursive: true });
      await writeFile(path.join(staged, WAITING, sender), '');
      await rename(
        await linkTemporary(await localFile(files.picture), path.join(staged, PICTURE)),
        path.join(staged, PICTURE),
      );
      if (files.mask !== undefined)
        await rename(
          await linkTemporary(await localFile(files.mask), path.join(staged, MASK)),
          path.join(staged, MASK),
        );
      if (await succeeds(rename(staged, own))) return;
    } catch (error) {
      throw new RgiError('input', `${files.picture} cannot be put into the shared folder (${messageOf(error)}).`, {
        file: files.picture,
      });
    } finally {
      await rm(staged, { recursive: true, force: true });
    }
    if (performance.now() - began > REMOVAL_MS) await removeWhole(own);
    else await later(LOOK_MS);
  }
}

/** Those who look at the folder see all of it or nothing. */
async function removeWhole(own: string): Promise<void> {
  const gone = besides(own, 'gone');
  if (await succeeds(rename(own, gone))) await rm(gone, { recursive: true, force: true });
}

function besides(own: string, owner: string): string {
  return path.join(path.dirname(own), `.${path.basename(own)}.${owner}.${randomUUID()}`);
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function deliver(own: string, folder: string, result: Delivered): Promise<void> {
  const staged = path.join(own, `.${RESULT}.${randomUUID()}`);
  try {
    await mkdir(staged);
    for (const kind of Object.keys(result.files))
      await copyFile(path.join(folder, `picture.${kind}`), path.join(staged, kind));
    await writeFile(path.join(staged, RECORD), JSON.stringify(result));
    await rename(staged, path.join(own, RESULT));
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    // Another worker, which was believed lost, was first: its result is the same. Or nobody waits any longer.
    if ((await isThere(own)) && !(await isThere(path.join(own, RESULT)))) throw error;
  }
}

async function resultIn(folder: string): Promise<Taken | { readonly error: string } | undefined> {
  const text = await readFile(path.join(folder, RECORD), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : resultOf(text, folder);
}

/** A record as a worker left it; `folder` holds its files. */
export function resultOf(text: string, folder: string): Taken | { readonly error: string } {
  const parsed = resultSchema.safeParse(jsonOf(text));
  return parsed.success ? { folder, result: parsed.data } : { error: `${folder} holds no result of this version.` };
}
