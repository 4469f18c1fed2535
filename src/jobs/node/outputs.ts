/**
 * The files of one item: written under temporary names, renamed together when all are there, and recorded. What fails or is killed before
 * the record is undone: by the set itself, or by the next run that opens the folder (`removeUnrecorded`).
 */
import { lstat, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256Of, sha256OfContent } from '../../files/node/hash.ts';
import { readTextIfThere } from '../../files/node/regular.ts';
import { linkTemporary, temporaryName, writeTemporary } from '../../images/node/write.ts';
import type { OutputSet, Outputs } from '../job.ts';
import { outputsSchema } from '../journal.ts';

/** Which files of the folder may be replaced. */
export interface OutputRules {
  /** Is this file (an absolute path) one that the run reads? It is never replaced. */
  isGiven(file: string): boolean;
  /** Does an entry of the folder's journal list this file (as outputs are named)? Any other file is the user's and is never replaced. */
  isOwned(file: string): Promise<boolean>;
}

/** Lists the files of the set that is being renamed; it is there between the first renaming and the record only. */
export const PENDING = '.rgi.pending.json';

export function outputSet(folder: string, rules: OutputRules): OutputSet {
  const put = new Map<string, { readonly temporary: string; readonly sha256: string }>();
  return {
    async put(file, content) {
      // In the folder itself, whatever folder below it the file is for: there a killed run's temporary files are found at once.
      const temporary = await writeTemporary(path.join(folder, path.basename(file)), content);
      put.set(file, { temporary, sha256: sha256OfContent(content) });
    },
    async putFile(file, from, sha256) {
      const place = path.join(folder, path.basename(file));
      put.set(file, { temporary: await orInput(place, () => linkTemporary(from, place)), sha256 });
    },
    names: () => [...put.keys()],
    async commit(record) {
      for (const [file, { sha256 }] of put) await checkReplaceable(folder, file, sha256, rules);
      const outputs = Object.fromEntries([...put].map(([file, { sha256 }]) => [file, sha256]));
      const files = [...put].map(([file, { temporary }]) => ({ name: path.join(folder, file), temporary }));
      for (const { name } of files) await orInput(name, () => mkdir(path.dirname(name), { recursive: true }));
      if (files.length > 0) await renameAll(folder, files, outputs, record);
      else await record(outputs);
      put.clear();
    },
    async discard() {
      for (const { temporary } of put.values()) await rm(temporary, { force: true }).catch(() => undefined);
      put.clear();
    },
  };
}

async function checkReplaceable(
  folder: string,
  file: string,
  sha256: string,
  { isGiven, isOwned }: OutputRules,
): Promise<void> {
  const name = path.resolve(folder, file);
  const refuse = (what: string) => {
    throw new RgiError('input', `${name} ${what}.`, { file: name });
  };
  if (isGiven(name)) refuse('is an input of this run and is not replaced; take another --out');
  const found = await lstat(name).catch(() => undefined);
  if (found?.isDirectory()) refuse('is a folder, where a file is to be written; take another --out');
  if (found && !(await isOwned(file)) && !(await holds(name, sha256)))
    refuse('is listed in no journal of rgi and is not replaced; move it away, or take another --out');
}

/** With the same bytes nothing is lost: they are of a run whose journal is gone or was cut. */
async function holds(name: string, sha256: string): Promise<boolean> {
  return (await sha256Of(name).catch(() => undefined)) === sha256;
}

interface Renaming {
  readonly name: string;
  readonly temporary: string;
}

/** Renames all and has them recorded, or leaves everything as it was. */
async function renameAll(
  folder: string,
  files: readonly Renaming[],
  outputs: Outputs,
  record: (outputs: Outputs) => Promise<void>,
): Promise<void> {
  const pending = path.join(folder, PENDING);
  const renamed: { readonly name: string; readonly earlier?: string }[] = [];
  try {
    await orInput(pending, () => writeFile(pending, JSON.stringify(outputs)));
    for (const { name, temporary } of files) {
      renamed.push({ name, earlier: await orInput(name, () => movedAside(name, folder)) });
      await orInput(name, () => rename(temporary, name));
    }
    await record(outputs);
  } catch (error) {
    for (const { name, earlier } of renamed.reverse()) {
      const undone = earlier === undefined ? rm(name, { force: true }) : rename(earlier, name);
      await undone.catch(() => undefined);
    }
    throw error;
  } finally {
    await rm(pending, { force: true }).catch(() => undefined);
  }
  for (const { earlier } of renamed)
    if (earlier !== undefined) await rm(earlier, { force: true }).catch(() => undefined);
}

/** Where an earlier file of that name is now; under a name that `removeLeftovers` knows. */
async function movedAside(name: string, folder: string): Promise<string | undefined> {
  const aside = temporaryName(path.join(folder, path.basename(name)));
  try {
    await rename(name, aside);
    return aside;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function orInput<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new RgiError('input', `${name} cannot be written (${messageOf(error)}).`, { file: name }, { cause: error });
  }
}

/**
 * Removes the files of a set that a killed process had begun to rename and that no entry lists: those with the very bytes that were to be
 * written. Only the holder of the folder's lock may do this.
 */
export async function removeUnrecorded(folder: string, isOwned: OutputRules['isOwned']): Promise<void> {
  const pending = path.join(folder, PENDING);
  const text = await readTextIfThere(pending);
  if (text === undefined) return;
  for (const [file, sha256] of Object.entries(parsedOutputs(text))) {
    const name = path.join(folder, file);
    if (!(await isOwned(file)) && (await holds(name, sha256))) await rm(name, { force: true });
  }
  await rm(pending, { force: true });
}

/** None where the process was killed while it wrote the list: nothing is renamed by then. */
function parsedOutputs(text: string): Outputs {
  try {
    return outputsSchema.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return {};
    throw error;
  }
}

/** Are all files there, with the bytes that were written? */
export async function confirmOutputs(folder: string, outputs: Outputs): Promise<boolean> {
  for (const [file, sha256] of Object.entries(outputs)) {
    const name = path.join(folder, file);
    // An emptied or missing file is found without reading the others.
    const size = await stat(name).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    );
    if (size === 0 || !(await holds(name, sha256))) return false;
  }
  return true;
}
