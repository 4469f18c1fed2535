/**
 * The folder of an evaluation. `records.jsonl` grows by whole lines, so that an interrupted run keeps all it finished; what
 * an earlier run of the same settings left there is taken over.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import type { Results, TrialRecord } from '../record.ts';
import { csvOf, markdownOf } from '../tables.ts';

export const RECORDS = 'records.jsonl';
export const RESULTS = 'results.json';

export interface Store {
  readonly folder: string;
  /** The last record of a key, of this run or of earlier ones. */
  find(key: string): TrialRecord | undefined;
  /** Written in one go: all of them are there afterwards, or (a torn line aside) none. */
  append(records: readonly TrialRecord[]): Promise<void>;
}

/** Opens the folder. Without `resume` a folder that holds records is refused: hours of work are not written over. */
export async function openStore(folder: string, resume: boolean): Promise<Store> {
  const file = path.join(folder, RECORDS);
  const earlier = await readRecords(folder);
  if (earlier.length > 0 && !resume) {
    throw new RgiError(
      'usage',
      `${folder} already holds an evaluation (${earlier.length} trials); go on with --resume, or take another --out.`,
      { file: folder },
    );
  }
  const known = new Map(earlier.map((record) => [record.key, record]));
  let sound = false;
  return {
    folder,
    find: (key) => known.get(key),
    async append(records) {
      const lines = (all: Iterable<TrialRecord>) => [...all].map((record) => `${JSON.stringify(record)}\n`).join('');
      try {
        if (!sound) {
          // A torn last line would swallow the first of ours.
          await mkdir(folder, { recursive: true });
          await writeFileAtomic(file, lines(known.values()));
          sound = true;
        }
        await appendFile(file, lines(records));
      } catch (error) {
        if (error instanceof RgiError) throw error;
        throw new RgiError('input', `${file} cannot be written (${messageOf(error)}).`, { file }, { cause: error });
      }
      for (const record of records) known.set(record.key, record);
    },
  };
}

/** The records in a folder, in their order; lines that are no records (a torn last one) are left out. */
export async function readRecords(folder: string): Promise<TrialRecord[]> {
  const text = await readFile(path.join(folder, RECORDS), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const record = recordOf(line);
    return record ? [record] : [];
  });
}

function recordOf(line: string): TrialRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<TrialRecord> | null;
    const texts = [value?.key, value?.set, value?.case, value?.method, value?.image, value?.code];
    const whole = texts.every((text) => typeof text === 'string') && typeof value?.metrics === 'object';
    return whole && value.metrics !== null ? (value as TrialRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** `results.json`, `results.csv`, `results.md`. */
export async function writeResults(folder: string, results: Results): Promise<void> {
  await writeFileAtomic(path.join(folder, RESULTS), `${JSON.stringify(results, null, 2)}\n`);
  await writeFileAtomic(path.join(folder, 'results.csv'), csvOf(results));
  await writeFileAtomic(path.join(folder, 'results.md'), markdownOf(results));
}

/** A hash of plain data; members named `file` do not count: where a network lies does not matter, its hash does. */
export function hashOf(value: unknown): string {
  const text = JSON.stringify(value, (name, member: unknown) => (name === 'file' ? undefined : member));
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

/** A name as a file name: letters, digits and . + = - are kept. */
export function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9.+=-]+/g, '_').slice(0, 80) || '_';
}
