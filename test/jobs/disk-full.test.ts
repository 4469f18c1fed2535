/** R8: a full disk fails the pictures that it has no room for, and not the run; what was begun of them is removed. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Bench, makeBench } from '../cli/bench.ts';

/** Files that the disk has no room for. */
const disk = vi.hoisted(() => ({ refuses: (_file: string): boolean => false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (file, ...rest) => {
    const handle = await real.open(file, ...rest);
    const write = handle.writeFile.bind(handle);
    handle.writeFile = (...given) =>
      disk.refuses(String(file))
        ? Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
        : write(...given);
    return handle;
  };
  return { ...real, open };
});

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

const LINE = 'restore @pictures --generator @g.onnx --steps 6 --pool 20 --starts 2 --threads 1 --out';
const journal = (out: string) =>
  readFileSync(bench.file(`${out}/journal.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('one picture has no room: it fails, the others are done, and a resumed run does it', async () => {
  disk.refuses = (file) => path.basename(file).startsWith('.b.softmask.png');
  const said = await bench.rgi(`${LINE} @full`);
  expect(said.code).toBe(4);
  expect(said.err).toContain('b.softmask.png cannot be written (ENOSPC: no space left on device, write).');
  expect(said.err).toContain('2 of 3 restored');
  expect(journal('full').map(({ item, status }) => [item, status])).toEqual([
    ['a', 'done'],
    ['b', 'failed'],
    ['c', 'done'],
  ]);
  expect(readdirSync(bench.file('full')).filter((name) => name.startsWith('b.') || name.startsWith('.'))).toEqual([]);
  disk.refuses = () => false;
  expect((await bench.rgi(`${LINE} @full --resume`)).code).toBe(0);
  expect(journal('full').map(({ item }) => item)).toEqual(['a', 'b', 'c', 'b']);
});

test('the journal has no room for a while: those pictures count as failed, the next is recorded whole', async () => {
  let refusals = 2;
  disk.refuses = (file) => file.endsWith('journal.jsonl') && refusals-- > 0;
  const said = await bench.rgi(`${LINE} @short`);
  expect(said.code).toBe(4);
  expect(said.err).toContain('warning: ');
  expect(journal('short').map(({ item, status }) => [item, status])).toEqual([
    ['b', 'done'],
    ['c', 'done'],
  ]);
  disk.refuses = () => false;
});

test('the manifest alone has no room: that is said, and the run is as good as done', async () => {
  disk.refuses = (file) => path.basename(file).startsWith('.manifest.json');
  const said = await bench.rgi(`${LINE} @nomanifest`);
  expect(said.code).toBe(0);
  expect(said.err).toMatch(/warning: .*manifest\.json cannot be written/);
  expect(journal('nomanifest')).toHaveLength(3);
  // What was asked for is not there to be printed.
  const printed = await bench.rgi(`${LINE} @nojson --json`);
  expect(printed.code).toBe(2);
  expect(JSON.parse(printed.out).error.message).toBe(
    `${bench.file('nojson')}/manifest.json could not be written, so that --json has nothing to print; free some space, and run the same command with --resume.`,
  );
  disk.refuses = () => false;
});
