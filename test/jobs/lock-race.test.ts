/** The lock of a dead holder, taken over by several processes at once, each step of which may be delayed: one has it at a time. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { randomFrom } from '../../src/random.ts';

const pauses = vi.hoisted(() => ({ next: async () => {} }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const slow =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A) => {
      await pauses.next();
      return call(...given);
    };
  return { ...real, link: slow(real.link), rename: slow(real.rename), rm: slow(real.rm), open: slow(real.open) };
});

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'rgi-race-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A module of its own knows no locks but its own, as a process does; the system says that all are of one living process. */
async function separate() {
  vi.resetModules();
  return (await import('../../src/jobs/node/lock.ts')).acquireLock;
}

test.skipIf(process.platform !== 'linux')('three at once', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const contenders = [await separate(), await separate(), await separate()];
  const file = path.join(root, 'lock');
  const random = randomFrom(14);
  pauses.next = () => later(Math.floor(4 * random.uniform()));
  let taken = 0;
  for (let round = 0; round < 30; round++) {
    writeFileSync(file, `${JSON.stringify({ pid, host: os.hostname(), start: `2026-01-01T00:00:00.${round}Z` })}\n`);
    let holders = 0;
    let most = 0;
    await Promise.all(
      contenders.map(async (acquire) => {
        const release = await acquire(file, 'It').catch((error: Error) => {
          expect(error.message).toMatch(/^It is in use by /);
        });
        if (!release) return;
        taken++;
        most = Math.max(most, ++holders);
        const text = readFileSync(file, 'utf8');
        await later(8);
        // Nobody moved it.
        expect(readFileSync(file, 'utf8')).toBe(text);
        holders--;
        await release();
      }),
    );
    expect(most).toBe(1);
    expect(readdirSync(root)).toEqual([]);
  }
  expect(taken).toBeGreaterThanOrEqual(30);
});

test('a guard whose holder died too is taken over, and nothing is left', async () => {
  pauses.next = async () => {};
  const acquire = await separate();
  const file = path.join(root, 'lock');
  const holder = (start: string) => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    return `${JSON.stringify({ pid, host: os.hostname(), start })}\n`;
  };
  const [dead, guard] = [holder('2026-01-01T00:00:00.000Z'), holder('2026-01-01T00:00:01.000Z')];
  writeFileSync(file, dead);
  const { createHash } = await import('node:crypto');
  const tag = createHash('sha256').update(dead).digest('hex').slice(0, 8);
  writeFileSync(path.join(root, `.lock.${tag}.tmp`), guard);
  await (await acquire(file, 'It'))();
  expect(readdirSync(root)).toEqual([]);
});

test('what a living process or one that cannot be named has beside the lock stays', async () => {
  const acquire = await separate();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const of = (over: object) => JSON.stringify({ pid, host: os.hostname(), start: '2026', ...over });
  writeFileSync(path.join(root, '.lock.00000001.tmp'), of({ host: 'elsewhere' }));
  writeFileSync(path.join(root, '.lock.00000002.tmp'), 'half');
  writeFileSync(path.join(root, '.lock.00000003.tmp'), of({}));
  writeFileSync(path.join(root, '.lock.00000004.tmp'), of({ pid: process.ppid }));
  await (await acquire(path.join(root, 'lock'), 'It'))();
  expect(readdirSync(root).sort()).toEqual(['.lock.00000001.tmp', '.lock.00000002.tmp', '.lock.00000004.tmp']);
});
