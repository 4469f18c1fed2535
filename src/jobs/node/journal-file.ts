/**
 * `journal.jsonl` on disk: entries are only ever appended. A torn last line goes when the next is written. Where each item's last entry
 * lies is held in memory, the entries are not.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { readLines } from '../../files/node/lines.ts';
import type { Entry } from '../job.ts';
import { decodeEntry, encodeEntry, entrySchema } from '../journal.ts';

const anyEntry = entrySchema(z.unknown());

export const JOURNAL = 'journal.jsonl';

/** A longer line is no entry, and is passed over unread: the largest that a run writes (thousands of regions) have a few MiB. */
export const MAX_LINE_BYTES = 2 ** 26;

/** What is needed of the last entry of an item to tell whose it is. */
export type EntryHead = Omit<Entry<unknown>, 'record' | 'outputs'>;

/** Bytes of an entry's line in the file: all that is held in memory of it, so that a journal may have millions. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

export interface JournalFile<R> {
  /** Kinds of jobs other than this one of which the journal holds entries. */
  readonly otherJobs: ReadonlySet<string>;
  /** False where there are whole lines and none of them is an entry, of any kind. */
  readonly isReadable: boolean;
  /** Entries of this kind whose record the schema refuses. */
  readonly unreadable: number;
  /** Items that have an entry. */
  readonly size: number;
  /** Of the last entry of each item, read one by one. */
  heads(): AsyncGenerator<EntryHead>;
  find(item: string): Promise<Entry<R> | undefined>;
  /** The last entry of each item, read one by one. */
  entries(): AsyncGenerator<Entry<R>>;
  /** The files that any entry lists, superseded ones included, as outputs are named. */
  files(): Promise<ReadonlySet<string>>;
  /** Is a file among them? */
  lists(file: string): Promise<boolean>;
  /** Throws `input` where it cannot be written; what was written of the line is then torn, and swallows nothing. */
  append(entry: Entry<R>): Promise<void>;
  /** Makes the file where it is not there yet. */
  touch(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The journal of a folder, for jobs of `kind` whose records `record` checks. A folder without one has an empty journal; the file is
 * made with the first entry.
 */
export async function openJournal<R>(folder: string, kind: string, record: z.ZodType<R>): Promise<JournalFile<R>> {
  const file = path.join(folder, JOURNAL);
  const schema = entrySchema(record);
  const places = new Map<string, Place>();
  const otherJobs = new Set<string>();
  let isWhole = false;
  const counts = { lines: 0, entries: 0, unreadable: 0 };
  const found = await scan(file, (line, offset, length, isEnded) => {
    if (isEnded) counts.lines++;
    const entry = line === undefined ? undefined : decodeEntry(line, anyEntry);
    if (!entry) return;
    counts.entries++;
    if (entry.job !== kind) otherJobs.add(entry.job);
    else if (record.safeParse(entry.record).success) places.set(entry.item, { offset, length });
    else counts.unreadable++;
    // A last line that lacks its end alone is whole.
    if (!isEnded) isWhole = true;
  });
  // Where the next line begins: what lies beyond is torn.
  let size = isWhole ? found.size : found.size - found.rest;
  let isTorn = found.rest > 0 && !isWhole;
  let lead = isWhole ? '\n' : '';
  let listed: Promise<Set<string>> | undefined;
  const files = () => {
    listed ??= filesOf(file);
    return listed;
  };
  let handle: FileHandle | undefined;
  const opened = async (): Promise<FileHandle> => {
    if (handle) return handle;
    await mkdir(folder, { recursive: true });
    handle = await open(file, 'a+');
    return handle;
  };
  const read = async ({ offset, length }: Place): Promise<Entry<R> | undefined> => {
    const bytes = Buffer.alloc(length);
    await (await opened()).read(bytes, 0, length, offset);
    return decodeEntry(bytes.toString('utf8'), schema);
  };
  const entries = async function* () {
    // A snapshot: what is appended meanwhile is of the next reading.
    for (const place of [...places.values()]) {
      const entry = await read(place);
      if (entry) yield entry;
    }
  };
  return {
    otherJobs,
    get size() {
      return places.size;
    },
    isReadable: counts.lines === 0 || counts.entries > 0,
    unreadable: counts.unreadable,
    files,
    lists: async (name) => (await files()).has(name),
    async *heads() {
      for await (const { record: _record, outputs: _outputs, ...head } of entries()) yield head;
    },
    find: async (item) => {
      const place = places.get(item);
      return place && read(place);
    },
    entries,
    async append(entry) {
      const line = Buffer.from(encodeEntry(entry));
      try {
        const own = await opened();
        if (isTorn) await own.truncate(size);
        isTorn = true;
        await own.writeFile(Buffer.concat([Buffer.from(lead), line]));
        isTorn = false;
      } catch (error) {
        throw new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
      }
      places.set(entry.item, { offset: size + lead.length, length: line.length - 1 });
      // Only where it was asked for: reading the file anew finds this entry, too.
      if (listed) for (const name of Object.keys(entry.outputs)) (await listed).add(name);
      size += lead.length + line.length;
      lead = '';
    },
    touch: async () => {
      await opened();
    },
    close: async () => {
      await handle?.close();
      handle = undefined;
    },
  };
}

/** The last entry of each item of a folder's journal, in order; none where there is no journal. It is only read. */
export async function readJournal<R>(folder: string, record: z.ZodType<R>): Promise<Entry<R>[]> {
  const schema = entrySchema(record);
  const last = new Map<string, Entry<R>>();
  await scan(path.join(folder, JOURNAL), (line) => {
    const entry = line === undefined ? undefined : decodeEntry(line, schema);
    if (entry) last.set(entry.item, entry);
  });
  return [...last.values()];
}

/** The files that any entry of a journal lists. */
async function filesOf(file: string): Promise<Set<string>> {
  const files = new Set<string>();
  await scan(file, (line) => {
    const entry = line === undefined ? undefined : decodeEntry(line, anyEntry);
    for (const name of Object.keys(entry?.outputs ?? {})) files.add(name);
  });
  return files;
}

/** A line with its place in bytes, and whether it has its end; its text is undefined where it is longer than `MAX_LINE_BYTES`. */
type OnLine = (text: string | undefined, offset: number, length: number, isEnded: boolean) => void;

/** Gives every line that is not empty to `onLine`; returns the bytes of the file, and those of a last line without an end. */
async function scan(file: string, onLine: OnLine): Promise<{ size: number; rest: number }> {
  const found = { size: 0, rest: 0 };
  try {
    for await (const { text, offset, length, isEnded } of readLines(file, MAX_LINE_BYTES)) {
      onLine(text, offset, length, isEnded);
      found.size = offset + length + (isEnded ? 1 : 0);
      found.rest = isEnded ? 0 : length;
    }
  } catch (error) {
    const isMissing = error instanceof RgiError && error.details?.kind === 'file' && error.details.reason === 'missing';
    if (!isMissing) throw error;
  }
  return found;
}
