/** What a run never touches, and what it never waits for: its own inputs, pipes, names that are paths. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256Of } from '../../src/files/node/hash.ts';
import { removeLeftovers } from '../../src/images/node/write.ts';
import { nameBook } from '../../src/jobs/names.ts';
import { outputSet } from '../../src/jobs/node/outputs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-guards-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('an input of the run is not replaced by an output of its name, and nothing of the set appears', async () => {
  const mask = path.join(folder, '0.mask.png');
  writeFileSync(mask, 'mine');
  const outputs = outputSet(folder, { isGiven: (file) => file === mask, isOwned: async () => true });
  await outputs.put('0.restored.png', 'theirs');
  await outputs.put('0.mask.png', 'theirs');
  await expect(outputs.commit(async () => {})).rejects.toThrow(
    `${mask} is an input of this run and is not replaced; take another --out.`,
  );
  await outputs.discard();
  expect(readFileSync(mask, 'utf8')).toBe('mine');
  expect(() => readFileSync(path.join(folder, '0.restored.png'))).toThrow('ENOENT');
});

test.skipIf(process.platform === 'win32')(
  'a pipe is refused by the content hash, where it would be waited for',
  async () => {
    const pipe = path.join(folder, 'pipe.png');
    execFileSync('mkfifo', [pipe]);
    await expect(sha256Of(pipe)).rejects.toThrow(
      `${pipe} is not a regular file (a device, a pipe or a socket); give a file.`,
    );
  },
);

describe('names', () => {
  test.each([
    ['a\\b', 'a_b'],
    ['c:x', 'c_x'],
    ['d/e', 'd_e'],
  ])('%s becomes %s', (stem, name) => {
    expect(nameBook([]).claim({ source: stem, stems: [stem], contents: ['1'] })).toEqual([name]);
  });

  test('that become equal are told apart', () => {
    const names = nameBook([]);
    expect(names.claim({ source: 'a', stems: ['a:b'], contents: ['1'] })).toEqual(['a_b']);
    expect(names.claim({ source: 'b', stems: ['a\\b'], contents: ['2'] })).toEqual(['a_b-2']);
  });
});

test('a folder that is named like a temporary file stays', async () => {
  mkdirSync(path.join(folder, '.a.png.12345678.tmp'));
  writeFileSync(path.join(folder, '.a.png.87654321.tmp'), '');
  await removeLeftovers(folder, () => true);
  expect(() => readFileSync(path.join(folder, '.a.png.12345678.tmp'))).toThrow('EISDIR');
  expect(() => readFileSync(path.join(folder, '.a.png.87654321.tmp'))).toThrow('ENOENT');
});
