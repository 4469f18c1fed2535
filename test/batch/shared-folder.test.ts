/** The folder that senders and workers share: whoever waits keeps a job's folder; the last one to leave takes it away, whole. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Shared } from '../../src/batch/node/shared.ts';
import { openSharedFolder } from '../../src/batch/node/shared-folder.ts';

const KEY = 'a'.repeat(64);
const RESULT = { record: { status: 'done' }, files: { 'mask.png': 'b'.repeat(64) }, stages: {} };

let root: string;
let folder: string;
let shared: Shared;
const at = (name: string) => path.join(root, name);
const files = () => ({ picture: at('a.png'), mask: at('m.png') });

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-shared-'));
  folder = at('shared');
  for (const name of ['shared', 'made']) mkdirSync(at(name));
  writeFileSync(at('a.png'), 'picture');
  writeFileSync(at('m.png'), 'mask');
  writeFileSync(at('made/picture.mask.png'), 'result');
  shared = await openSharedFolder(folder, 'workers');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a job stays until the last of those who wait has left', async () => {
  await shared.place(KEY, files(), 'one');
  await shared.place(KEY, files(), 'two');
  await shared.fetch(KEY, 'mask', at('fetched'));
  expect(readFileSync(at('fetched'), 'utf8')).toBe('mask');
  await shared.deliver(KEY, at('made'), RESULT);
  await shared.release(KEY, 'one');
  expect(await shared.take(KEY, at('to'))).toEqual({ folder: path.join(folder, KEY, 'out'), result: RESULT });
  expect(await shared.isWanted(KEY)).toBe(true);
  await shared.release(KEY, 'two');
  expect(await shared.isWanted(KEY)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

test('a result that nobody waits for any longer is dropped, and the first of two stays', async () => {
  await shared.deliver(KEY, at('made'), RESULT);
  expect(readdirSync(folder)).toEqual([]);
  await shared.place(KEY, files(), 'one');
  await shared.deliver(KEY, at('made'), RESULT);
  writeFileSync(at('made/picture.mask.png'), 'another');
  await shared.deliver(KEY, at('made'), RESULT);
  expect(readFileSync(path.join(folder, KEY, 'out/mask.png'), 'utf8')).toBe('result');
});

test('those who come while others leave find a whole job, or bring it again', async () => {
  const one = async (sender: string) => {
    for (let round = 0; round < 30; round++) {
      await shared.place(KEY, files(), sender);
      // Nobody may take it away meanwhile.
      await shared.fetch(KEY, 'picture', at(`fetched-${sender}`));
      await shared.deliver(KEY, at('made'), RESULT);
      expect(await shared.take(KEY, at('to'))).toMatchObject({ result: RESULT });
      await shared.release(KEY, sender);
    }
  };
  await Promise.all(['one', 'two', 'three', 'four'].map(one));
  expect(readdirSync(folder)).toEqual([]);
}, 20_000);

test('what a killed run left goes with the next one of its name, and a removal that was cut short is finished', async () => {
  await shared.place(KEY, files(), 'one');
  mkdirSync(path.join(folder, `.${'c'.repeat(64)}.one.0-1`));
  await shared.releaseAll('one', new Set());
  expect(readdirSync(folder)).toEqual([]);
  mkdirSync(path.join(folder, KEY));
  writeFileSync(path.join(folder, KEY, 'picture'), 'half');
  await shared.place(KEY, files(), 'two');
  expect(readFileSync(path.join(folder, KEY, 'picture'), 'utf8')).toBe('picture');
}, 10_000);
