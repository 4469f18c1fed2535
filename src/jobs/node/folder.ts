/**
 * The folder of a run: locked for one process, swept of what a killed one left, its journal open. What may be resumed, added to or
 * refused is decided here.
 */
import { mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { isThere } from '../../files/node/regular.ts';
import { type FileContent, removeLeftovers, writeFileAtomic } from '../../images/node/write.ts';
import type { Entry, Storage } from '../job.ts';
import { type NameBook, nameBook } from '../names.ts';
import { type EntryHead, JOURNAL, type JournalFile, openJournal } from './journal-file.ts';
import { acquireLock } from './lock.ts';
import { confirmOutputs, outputSet, removeUnrecorded } from './outputs.ts';
import { VERSION } from './program.ts';
import { uploading, uploadTarget } from './upload.ts';

export interface RunFolderOptions<R> {
  readonly kind: string;
  /** As in `Job`, where all items of the folder are to be of one; a folder of many settings has none of its own. */
  readonly key?: string;
  /** Is what is there refused without `resume` or `overwrite`, even if it is of the same settings? For items that take hours. */
  readonly guarded?: boolean;
  readonly rules: number;
  /** Checks every field of a record that is read back. */
  readonly record: z.ZodType<R>;
  /** Files that are derived from the journal: where they lie without one, another program or version wrote them. */
  readonly derived: readonly string[];
  /** Go on with what is there: items are skipped that the journal confirms. */
  readonly resume?: boolean;
  /** Remove what an earlier run wrote, and start again. */
  readonly overwrite?: boolean;
  /** Every file of the run is put into this bucket, too: s3://bucket/prefix. */
  readonly upload?: string;
}

export interface RunFolder<R> extends Storage<R> {
  readonly folder: string;
  /** The last entry of each item of all runs, in the order in which items appeared first. */
  entries(): AsyncGenerator<Entry<R>>;
  /** Unique names for items, those of earlier runs respected. */
  names(): Promise<NameBook>;
  /** Names files that the run reads: none of them is replaced by an output. */
  guard(files: readonly string[]): void;
  /** Absolute paths of all files that the journal lists. */
  ownFiles(): Promise<Set<string>>;
  /** Writes a file that is derived from the journal. */
  derive(file: string, content: FileContent): Promise<void>;
  /** Gives the folder back; one that was made for the run and holds nothing is removed. */
  close(): Promise<void>;
}

const LOCK = '.rgi.lock';

/**
 * Throws `usage` where another process is at work in the folder, or where it holds what this run would mix with: results of other settings,
 * or (without `resume`) of another version; also where `upload` is no address of a bucket, or the bucket cannot be opened.
 */
export async function openRunFolder<R>(folder: string, options: RunFolderOptions<R>): Promise<RunFolder<R>> {
  // Before anything is removed or made: an address may be wrong.
  const target = options.upload === undefined ? undefined : uploadTarget(options.upload);
  const made = await make(folder);
  const release = await acquireLock(path.join(folder, LOCK), `The folder ${folder}`);
  let journal: JournalFile<R> | undefined;
  const close = async () => {
    await journal?.close();
    await release();
    if (made !== undefined) await removeEmpty(folder, made);
  };
  try {
    // Temporary files that a killed process left: no other is at work here, since the lock is ours. Those of the lock are `acquireLock`'s.
    await removeLeftovers(folder, (name) => name !== LOCK);
    const opened = await openJournal(folder, options.kind, options.record);
    journal = opened;
    await checkOwner(folder, opened, options);
    await removeUnrecorded(folder, opened.lists);
    if (options.overwrite) {
      await removeResults(folder, opened, options.derived);
      journal = await openJournal(folder, options.kind, options.record);
    } else await checkMixing(folder, opened, options);
    const local = runFolder(folder, journal, close);
    return target === undefined ? local : uploading<R, RunFolder<R>>(local, target);
  } catch (error) {
    await close();
    throw error;
  }
}

function runFolder<R>(folder: string, journal: JournalFile<R>, close: () => Promise<void>): RunFolder<R> {
  const given = new Set<string>();
  return {
    folder,
    program: VERSION,
    guard(files) {
      for (const file of files) given.add(path.resolve(file));
    },
    find: journal.find,
    confirms: ({ outputs }) => confirmOutputs(folder, outputs),
    outputs: () => outputSet(folder, { isGiven: (file) => given.has(file), isOwned: journal.lists }),
    append: journal.append,
    entries: journal.entries,
    names: async () => nameBook(await collected(journal.heads())),
    async ownFiles() {
      return new Set([...(await journal.files())].map((file) => path.resolve(folder, file)));
    },
    async derive(file, content) {
      // Where derived files are, a journal is, an empty one where nothing was finished: a later run knows them for its own.
      await journal.touch();
      await writeFileAtomic(path.join(folder, file), content);
    },
    close,
  };
}

/** Makes the folder; returns the first one made, undefined where it was there. */
async function make(folder: string): Promise<string | undefined> {
  try {
    return await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new RgiError(
      'input',
      `--out ${folder} cannot be made (${messageOf(error)}).`,
      { file: folder },
      { cause: error },
    );
  }
}

async function removeEmpty(folder: string, topmost: string): Promise<void> {
  const last = path.resolve(topmost);
  for (let place = path.resolve(folder); place.startsWith(last); place = path.dirname(place)) {
    // A folder that holds something stays.
    const isGone = await rmdir(place).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

async function removeResults<R>(folder: string, journal: JournalFile<R>, derived: readonly string[]): Promise<void> {
  // Without a journal nothing here is known to be of rgi; `checkOwner` has refused what could be mistaken for it.
  for (const file of [...(await journal.files()), ...derived]) await remove(path.join(folder, file));
  await journal.close();
  await rm(path.join(folder, JOURNAL), { force: true });
}

/** A file that cannot be removed (a folder has its name, say) is named. */
async function remove(file: string): Promise<void> {
  try {
    await rm(file, { force: true });
  } catch (error) {
    throw new RgiError('input', `${file} cannot be removed (${messageOf(error)}).`, { file }, { cause: error });
  }
}

function refuse(folder: string, what: string, remedy: string): never {
  throw new RgiError('usage', `${folder} ${what}: ${remedy}.`, { file: folder });
}

/**
 * Refuses a folder whose files are not known to be of this kind of run, with `overwrite` too: what another command computed, or what no
 * journal lists, is never removed.
 */
async function checkOwner<R>(
  folder: string,
  journal: JournalFile<R>,
  { kind, derived, overwrite = false }: RunFolderOptions<R>,
): Promise<void> {
  const [job] = journal.otherJobs;
  if (job !== undefined)
    refuse(
      folder,
      `holds results of 'rgi ${job}'`,
      overwrite
        ? `--overwrite replaces those of 'rgi ${kind}' only; use another --out, or delete the folder first`
        : 'use another --out',
    );
  if (!journal.isReadable)
    refuse(
      folder,
      `holds a ${JOURNAL} of which no line can be read, of another program or version`,
      'use another --out, or move that file away',
    );
  if (await isThere(path.join(folder, JOURNAL))) return;
  for (const file of derived)
    if (await isThere(path.join(folder, file)))
      refuse(
        folder,
        `holds a ${file} without a ${JOURNAL}, of another program or an earlier version`,
        'use another --out, or move that file away',
      );
}

async function checkMixing<R>(
  folder: string,
  journal: JournalFile<R>,
  { kind, key, rules, guarded = false, resume = false }: RunFolderOptions<R>,
): Promise<void> {
  const others = 'use another --out, or replace what is there with --overwrite';
  if (journal.size === 0 && journal.unreadable > 0)
    refuse(
      folder,
      `holds results of 'rgi ${kind}' that this version (rgi ${VERSION}) cannot read (${journal.unreadable} items)`,
      others,
    );
  if (guarded && journal.size > 0 && !resume)
    refuse(folder, `already holds results (${journal.size} items)`, `continue with --resume, ${others}`);
  if (key === undefined) return;
  let foreign: EntryHead | undefined;
  for await (const head of journal.heads()) {
    if (head.key !== key)
      refuse(
        folder,
        `holds results of 'rgi ${kind}' with other settings or networks`,
        resume
          ? `--resume continues with the same settings only; ${others}`
          : `give the same settings (--resume continues with them), ${others}`,
      );
    if (head.program !== VERSION || head.rules !== rules) foreign ??= head;
  }
  if (foreign && !resume)
    refuse(
      folder,
      `holds results of another version (rgi ${foreign.program}, rules ${foreign.rules}; this is ${VERSION}, rules ${rules})`,
      `--resume does them again, or ${others}`,
    );
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
