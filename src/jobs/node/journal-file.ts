/** `journal.jsonl` on disk: entries are only ever appended. A torn last line goes when the next is written. Where each item's last entry lies is held in memory, the entries are not. */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { openRegular } from '../../files/node/regular.ts';
import type { Entry } from '../job.ts';
import { decodeEntry, encodeEntry, entrySchema } from '../journal.ts';

const anyEntry = entrySchema(z.unknown());

export const JOURNAL = 'journal.jsonl';

/** What is held in memory of an item's last entry. */
export interface EntryHead
  extends Pick<Entry<unknown>, 'job' | 'item' | 'source' | 'content' | 'key' | 'program' | 'rules' | 'status'> {
  /** Bytes of the line in the file. */
  readonly offset: number;
  readonly length: number;
}

export interface JournalFile<R> {
  /** Kinds of jobs other than this one of which the journal holds entries. */
  readonly otherJobs: ReadonlySet<string>;
  /** The last entry of each item, in the order in which items appeared first. */
  heads(): IterableIterator<EntryHead>;
  find(item: string): Promise<Entry<R> | undefined>;
  /** The last entry of each item, read one by one. */
  entries(): AsyncGenerator<Entry<R>>;
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
  const heads = new Map<string, EntryHead>();
  const otherJobs = new Set<string>();
  const put = ({ record: _record, outputs: _outputs, ...rest }: Entry<unknown>, offset: number, length: number) =>
    heads.set(rest.item, { ...rest, offset, length });
  const found = await scan(file, (line, offset, length) => {
    const entry = decodeEntry(line, anyEntry);
    if (entry && entry.job !== kind) otherJobs.add(entry.job);
    else if (entry && record.safeParse(entry.record).success) put(entry, offset, length);
  });
  // Where the next line begins: what lies beyond is torn. A last line that lacks its end alone is whole.
  const isWhole = decodeEntry(found.rest.toString('utf8'), anyEntry) !== undefined;
  let size = isWhole ? found.size : found.size - found.rest.length;
  let isTorn = found.rest.length > 0 && !isWhole;
  let lead = isWhole ? '\n' : '';
  let handle: FileHandle | undefined;
  const opened = async (): Promise<FileHandle> => {
    if (handle) return handle;
    await mkdir(folder, { recursive: true });
    handle = await open(file, 'a+');
    return handle;
  };
  const read = async ({ offset, length }: EntryHead): Promise<Entry<R> | undefined> => {
    const bytes = Buffer.alloc(length);
    await (await opened()).read(bytes, 0, length, offset);
    return decodeEntry(bytes.toString('utf8'), schema);
  };
  return {
    otherJobs,
    heads: () => heads.values(),
    find: async (item) => {
      const head = heads.get(item);
      return head && read(head);
    },
    async *entries() {
      for (const head of [...heads.values()]) {
        const entry = await read(head);
        if (entry) yield entry;
      }
    },
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
      put(entry, size + lead.length, line.length - 1);
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
    const entry = decodeEntry(line, schema);
    if (entry) last.set(entry.item, entry);
  });
  return [...last.values()];
}

/** Lines with their place in bytes; says how long the file is, and what of a last line without an end is there. */
async function scan(
  file: string,
  onLine: (line: string, offset: number, length: number) => void,
): Promise<{ size: number; rest: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  try {
    const handle = await openRegular(file);
    // The stream closes the file at its end.
    for await (const chunk of handle.createReadStream({ highWaterMark: 2 ** 20 })) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let from = 0;
      for (let end = rest.indexOf(10, from); end >= 0; end = rest.indexOf(10, from)) {
        onLine(rest.toString('utf8', from, end), offset + from, end - from);
        from = end + 1;
      }
      offset += from;
      rest = rest.subarray(from);
    }
  } catch (error) {
    if (error instanceof RgiError && error.details?.kind === 'file' && error.details.reason === 'missing')
      return { size: 0, rest };
    if (error instanceof RgiError) throw error;
    throw new RgiError('input', `${file} cannot be read (${messageOf(error)}).`, { file }, { cause: error });
  }
  if (rest.length > 0) onLine(rest.toString('utf8'), offset, rest.length);
  return { size: offset + rest.length, rest };
}
