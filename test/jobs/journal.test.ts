/** The journal on disk: what is appended is found again, whatever was torn or damaged; it never shrinks by an entry. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Entry } from '../../src/jobs/job.ts';
import { decodeEntry, encodeEntry, entrySchema } from '../../src/jobs/journal.ts';
import { JOURNAL, openJournal, readJournal } from '../../src/jobs/node/journal-file.ts';

const record = z.object({ text: z.string(), value: z.number().nullable() });
type Record = z.infer<typeof record>;

const entryOf = (item: string, over: Partial<Entry<Record>> = {}): Entry<Record> => ({
  job: 'test',
  item,
  source: `/pictures/${item}`,
  content: 'c',
  key: 'k',
  program: '1.0.0',
  rules: 1,
  status: 'done',
  outputs: { [`${item}.png`]: 'a'.repeat(64) },
  record: { text: `record of ${item}`, value: 1 },
  ...over,
});

let root: string;
let turn = 0;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-journal-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = () => path.join(root, `folder-${turn++}`);
const textOf = (place: string) => readFileSync(path.join(place, JOURNAL), 'utf8');
const itemsOf = async (place: string) => (await readJournal(place, record)).map(({ item }) => item);

async function appended(place: string, ...entries: Entry<Record>[]) {
  const journal = await openJournal(place, 'test', record);
  for (const entry of entries) await journal.append(entry);
  await journal.close();
}

describe('the journal', () => {
  test('keeps the last entry of each item, in the order in which items came first', async () => {
    const place = folder();
    await appended(place, entryOf('a'), entryOf('b'));
    await appended(place, entryOf('a', { content: 'other' }), entryOf('c'));
    const journal = await openJournal(place, 'test', record);
    const entries: Entry<Record>[] = [];
    for await (const entry of journal.entries()) entries.push(entry);
    expect(entries.map(({ item, content }) => [item, content])).toEqual([
      ['a', 'other'],
      ['b', 'c'],
      ['c', 'c'],
    ]);
    expect(await journal.find('b')).toEqual(entryOf('b'));
    expect(await journal.find('d')).toBeUndefined();
    await journal.close();
    expect(textOf(place).trim().split('\n')).toHaveLength(4);
  });

  test('torn at any byte loses the torn entry alone, and the next one is whole', async () => {
    const place = folder();
    await appended(place, entryOf('a'), entryOf('bä'));
    const whole = readFileSync(path.join(place, JOURNAL));
    const first = whole.indexOf(10) + 1;
    for (let length = first; length <= whole.length; length++) {
      writeFileSync(path.join(place, JOURNAL), whole.subarray(0, length));
      // Without its end alone a line is whole.
      const survives = length >= whole.length - 1;
      expect(await itemsOf(place), `${length}`).toEqual(survives ? ['a', 'bä'] : ['a']);
      await appended(place, entryOf('c'));
      expect(await itemsOf(place), `${length}`).toEqual(survives ? ['a', 'bä', 'c'] : ['a', 'c']);
      // Programs that read lines of JSON find nothing else.
      for (const line of textOf(place).trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    }
  });

  test('that is opened and closed is not touched', async () => {
    const place = folder();
    await appended(place, entryOf('a'), entryOf('b'));
    appendFileSync(path.join(place, JOURNAL), '{"job":"test","item":');
    const before = textOf(place);
    const journal = await openJournal(place, 'test', record);
    expect(await journal.find('a')).toEqual(entryOf('a'));
    await journal.close();
    expect(textOf(place)).toBe(before);
  });

  test('passes over lines of wrong types, and says whose other entries are', async () => {
    const place = folder();
    await appended(place, entryOf('a'));
    const wrong: unknown[] = [
      { ...entryOf('b'), record: { text: 5, value: 1 } },
      { ...entryOf('b'), outputs: { 'b.png': 'no hash' } },
      { ...entryOf('b'), outputs: { '../b.png': 'a'.repeat(64) } },
      { ...entryOf('b'), outputs: { '/etc/passwd': 'a'.repeat(64) } },
      { ...entryOf('b'), outputs: { 'C:\\b.png': 'a'.repeat(64) } },
      { ...entryOf('b'), rules: '1' },
      { ...entryOf('b'), status: 'finished' },
      null,
      [],
      'text',
      { ...entryOf('other'), job: 'another' },
    ];
    appendFileSync(path.join(place, JOURNAL), wrong.map((one) => `${JSON.stringify(one)}\n`).join(''));
    appendFileSync(path.join(place, JOURNAL), 'no JSON\n\u0000\n');
    await appended(place, entryOf('c'));
    const journal = await openJournal(place, 'test', record);
    const items: string[] = [];
    for await (const { item } of journal.heads()) items.push(item);
    expect(items).toEqual(['a', 'c']);
    expect([...journal.otherJobs]).toEqual(['another']);
    await journal.close();
  });
});

test('an entry is read as it was written, and no proper beginning of its line is one', () => {
  const schema = entrySchema(record);
  const entries = fc.record({
    item: fc.string({ unit: 'binary' }),
    content: fc.string(),
    status: fc.constantFrom('done' as const, 'failed' as const),
    record: fc.record({ text: fc.string({ unit: 'binary' }), value: fc.option(fc.integer()) }),
  });
  fc.assert(
    fc.property(entries, fc.nat(), ({ item, ...rest }, cut) => {
      const entry = entryOf(item, { ...rest, outputs: {} });
      const line = encodeEntry(entry).slice(0, -1);
      expect(line).not.toContain('\n');
      expect(decodeEntry(line, schema)).toEqual(entry);
      expect(decodeEntry(line.slice(0, cut % line.length), schema)).toBeUndefined();
    }),
  );
});

describe('a journal of one endless line', () => {
  test('is read in time in proportion to its length, and beyond the cap not held in memory', async () => {
    const place = folder();
    await appended(place, entryOf('a'));
    const file = path.join(place, JOURNAL);
    // 160 MiB: joined anew with each MiB these would be 13 GiB.
    for (let i = 0; i < 10; i++) appendFileSync(file, Buffer.alloc(2 ** 24, 120));
    const started = performance.now();
    expect(await itemsOf(place)).toEqual(['a']);
    expect(performance.now() - started).toBeLessThan(2000);
    // It is torn: the next entry takes its place.
    await appended(place, entryOf('b'));
    expect(await itemsOf(place)).toEqual(['a', 'b']);
    expect(statSync(file).size).toBeLessThan(2 ** 12);
  });
});
