/** The folder of a run: whose files are replaced and removed, and what of a set of files is there when one of them fails. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { sha256OfContent } from '../../src/files/node/hash.ts';
import type { Outputs } from '../../src/jobs/job.ts';
import { openRunFolder, type RunFolder, type RunFolderOptions } from '../../src/jobs/node/folder.ts';
import { PENDING } from '../../src/jobs/node/outputs.ts';

const record = z.object({ value: z.number() });
type Record = z.infer<typeof record>;

let root: string;
let turn = 0;
let folder: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-folder-'));
});
beforeEach(() => {
  folder = path.join(root, `${turn++}`);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => path.join(folder, name);
const put = (name: string, content: string) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(at(name), content);
};
const names = () => readdirSync(folder).sort();

const open = (over: Partial<RunFolderOptions<Record>> = {}) =>
  openRunFolder(folder, { kind: 'restore', key: 'k', rules: 1, record, derived: ['manifest.json'], ...over });

/** Writes files as one item of a run does. */
async function write(run: RunFolder<Record>, item: string, files: { [name: string]: string }, kind = 'restore') {
  const set = run.outputs();
  try {
    for (const [name, content] of Object.entries(files)) await set.put(name, content);
    await set.commit((outputs) => run.append(entryOf(run, item, outputs, kind)));
  } finally {
    await set.discard();
  }
}

function entryOf({ program }: RunFolder<Record>, item: string, outputs: Outputs, job: string) {
  const done = { status: 'done', record: { value: 1 } } as const;
  return { job, item, source: item, content: 'c', key: 'k', program, rules: 1, outputs, ...done };
}

async function during<T>(options: Partial<RunFolderOptions<Record>>, use: (run: RunFolder<Record>) => Promise<T>) {
  const run = await open(options);
  try {
    return await use(run);
  } finally {
    await run.close();
  }
}

describe('--overwrite', () => {
  test('removes what the journal lists, superseded entries too, and nothing else', async () => {
    put('mine.png', 'mine');
    await during({}, async (run) => {
      await write(run, 'a', { 'a.1.png': 'x' });
      await write(run, 'a', { 'a.2.png': 'y' });
      await run.derive('manifest.json', '{}');
    });
    await during({ overwrite: true }, async () => expect(names()).toEqual(['.rgi.lock', 'mine.png']));
  });

  test('removes nothing where the results could not be uploaded', async () => {
    await during({}, (run) => write(run, 'a', { 'a.png': 'x' }));
    const before = names();
    await expect(open({ overwrite: true, upload: 'results/' })).rejects.toMatchObject({
      code: 'usage',
      message: "'results/' is no address of a bucket; write s3://bucket/key.",
    });
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    await expect(open({ overwrite: true, upload: 's3://results/' })).rejects.toMatchObject({
      code: 'usage',
      message: 'A bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; set these variables.',
    });
    vi.unstubAllEnvs();
    expect(names()).toEqual(before);
  });

  test("does not remove another command's results: the remedy is said", async () => {
    await during({ kind: 'detect' }, (run) => write(run, 'a', { 'a.map.png': 'x' }, 'detect'));
    const before = names();
    await expect(open({ overwrite: true })).rejects.toThrow(
      `${folder} holds results of 'rgi detect': --overwrite replaces those of 'rgi restore' only; use another --out, or delete the folder first.`,
    );
    await expect(open()).rejects.toThrow(`${folder} holds results of 'rgi detect': use another --out.`);
    expect(names()).toEqual(before);
  });

  test('does not remove a file that has the name of a list, where there is no journal', async () => {
    put('manifest.json', 'mine');
    for (const overwrite of [false, true])
      await expect(open({ overwrite })).rejects.toThrow(
        `${folder} holds a manifest.json without a journal.jsonl, of another program or an earlier version: use another --out, or move that file away.`,
      );
    expect(readFileSync(at('manifest.json'), 'utf8')).toBe('mine');
  });
});

describe('a journal', () => {
  test('none of whose lines is an entry is not taken for an empty one', async () => {
    put('journal.jsonl', '{"time": 1}\nwhatever\n');
    for (const overwrite of [false, true])
      await expect(open({ overwrite })).rejects.toThrow(
        `${folder} holds a journal.jsonl of which no line can be read, of another program or version: use another --out, or move that file away.`,
      );
    expect(names()).toEqual(['journal.jsonl']);
  });

  test('whose records this version cannot read is not taken for an empty one', async () => {
    await during({}, (run) => write(run, 'a', { 'a.png': 'x' }));
    const text = readFileSync(at('journal.jsonl'), 'utf8');
    writeFileSync(at('journal.jsonl'), text.replace('"value":1', '"value":"one"'));
    await expect(open()).rejects.toThrow(
      / holds results of 'rgi restore' that this version \(rgi .+\) cannot read \(1 items\): use another --out, or replace what is there with --overwrite\.$/,
    );
    await during({ overwrite: true }, async () => expect(existsSync(at('a.png'))).toBe(false));
  });

  test('with a torn line alone is an empty one', async () => {
    put('journal.jsonl', '{"job":"rest');
    await during({}, (run) => write(run, 'a', { 'a.png': 'x' }));
    expect(readFileSync(at('journal.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
  });
});

describe('the files of an item', () => {
  test("do not replace a user's file, whatever run opens the folder", async () => {
    put('a.mask.png', 'mine');
    await during({}, async (run) => {
      await expect(write(run, 'a', { 'a.png': 'x', 'a.mask.png': 'y' })).rejects.toThrow(
        `${at('a.mask.png')} is listed in no journal of rgi and is not replaced; move it away, or take another --out.`,
      );
      expect(names()).toEqual(['.rgi.lock', 'a.mask.png']);
    });
    await during({ overwrite: true }, (run) =>
      expect(write(run, 'a', { 'a.mask.png': 'y' })).rejects.toThrow('is listed in no journal'),
    );
    expect(readFileSync(at('a.mask.png'), 'utf8')).toBe('mine');
  });

  test('replace those of earlier runs, and of this one', async () => {
    await during({}, (run) => write(run, 'a', { 'a.png': '1' }));
    await during({ resume: true }, async (run) => {
      await write(run, 'a', { 'a.png': '2', 'new.png': '3' });
      await write(run, 'b', { 'new.png': '4' });
    });
    expect([readFileSync(at('a.png'), 'utf8'), readFileSync(at('new.png'), 'utf8')]).toEqual(['2', '4']);
    expect(names()).toEqual(['a.png', 'journal.jsonl', 'new.png']);
  });

  test('are as they were where one of them cannot be renamed, or the entry not be written', async () => {
    await during({}, async (run) => {
      await write(run, 'a', { 'a.png': 'old' });
      const set = run.outputs();
      await set.put('a.png', 'new');
      await set.put('b.png', 'new');
      await expect(set.commit(() => Promise.reject(new Error('The disk is full.')))).rejects.toThrow(
        'The disk is full.',
      );
      await set.discard();
      const other = run.outputs();
      await other.put('a.png', 'new');
      await other.put('c.png', 'new');
      // What is stored has gone: the second renaming fails.
      rmSync(at(names().find((name) => name.startsWith('.c.png.'))!));
      await expect(other.commit(async () => {})).rejects.toThrow(`${at('c.png')} cannot be written (ENOENT`);
      await other.discard();
      expect(names()).toEqual(['.rgi.lock', 'a.png', 'journal.jsonl']);
      expect(readFileSync(at('a.png'), 'utf8')).toBe('old');
    });
  });

  test('that a killed process renamed and did not record are removed; a file of other content is not', async () => {
    await during({}, (run) => write(run, 'a', { 'a.png': 'recorded' }));
    const list = { 'a.png': 'recorded', 'b.png': 'renamed', 'c.png': 'planned', 'd.png': 'planned' };
    put('b.png', 'renamed');
    put('c.png', 'mine');
    const hashes = Object.entries(list).map(([name, content]) => [name, sha256OfContent(content)]);
    put(PENDING, JSON.stringify(Object.fromEntries(hashes)));
    await during({ resume: true }, async () =>
      expect(names()).toEqual(['.rgi.lock', 'a.png', 'c.png', 'journal.jsonl']),
    );
    put(PENDING, JSON.stringify({ '../a.png': sha256OfContent('recorded') }));
    await during({ resume: true }, async () => expect(existsSync(at('a.png'))).toBe(true));
  });
});
