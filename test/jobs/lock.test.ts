/** The lock of a folder: one holder, named; taken over from the dead, also where several try at once. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acquireLock } from '../../src/jobs/node/lock.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'rgi-lock-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => path.join(root, name);
const holder = (over: object) =>
  `${JSON.stringify({ pid: process.pid, host: os.hostname(), start: '2026-01-01T00:00:00.000Z', ...over })}\n`;

test('is held once, says by whom, and can be had again when it was given back', async () => {
  const release = await acquireLock(at('one'), 'The folder out');
  const { pid, host, start } = JSON.parse(readFileSync(at('one'), 'utf8'));
  expect([pid, host]).toEqual([process.pid, os.hostname()]);
  await expect(acquireLock(at('one'), 'The folder out')).rejects.toThrow(
    `The folder out is in use by process ${pid} on ${host} since ${start}; wait for it to end, or name another.`,
  );
  await release();
  expect(existsSync(at('one'))).toBe(false);
  await (await acquireLock(at('one'), 'The folder out'))();
  expect(readdirSync(root)).toEqual([]);
});

test('is taken over from a process that has ended', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(at('dead'), holder({ pid }));
  await (await acquireLock(at('dead'), 'It'))();
});

test('is taken over from an earlier process of this number', async () => {
  writeFileSync(at('own'), holder({}));
  await (await acquireLock(at('own'), 'It'))();
});

test.skipIf(process.platform !== 'linux')('is taken over where the number belongs to a later process', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
  try {
    writeFileSync(at('reused'), holder({ pid: child.pid, birth: '1' }));
    await (await acquireLock(at('reused'), 'It'))();
    writeFileSync(at('living'), holder({ pid: child.pid }));
    await expect(acquireLock(at('living'), 'It')).rejects.toThrow('in use by process');
    rmSync(at('living'));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('of another host is not taken over: the file to be deleted is named', async () => {
  writeFileSync(at('far'), holder({ host: 'elsewhere', pid: 1 }));
  await expect(acquireLock(at('far'), 'It')).rejects.toThrow(
    `It is in use by process 1 on elsewhere since 2026-01-01T00:00:00.000Z; wait for it to end, name another, or delete ${at('far')} if that process no longer runs.`,
  );
  rmSync(at('far'));
});

test('of a process of which the system does not say when it began is not taken over: the file to be deleted is named', async () => {
  writeFileSync(at('perhaps'), holder({ pid: process.ppid }));
  await expect(acquireLock(at('perhaps'), 'It')).rejects.toThrow(
    `It is in use by process ${process.ppid} on ${os.hostname()} since 2026-01-01T00:00:00.000Z; wait for it to end, name another, or delete ${at('perhaps')} if that process no longer runs.`,
  );
  rmSync(at('perhaps'));
});

test('that is none is refused in one sentence', async () => {
  writeFileSync(at('odd'), 'nothing');
  await expect(acquireLock(at('odd'), 'It')).rejects.toThrow(
    `It cannot be locked: ${at('odd')} is not a lock file that can be read; delete it if no other rgi is at work there, or name another.`,
  );
  rmSync(at('odd'));
  mkdirSync(at('odd'));
  await expect(acquireLock(at('odd'), 'It')).rejects.toThrow(
    `It cannot be locked: ${at('odd')} is a folder, not a file; remove it if no other rgi is at work there, or name another.`,
  );
  rmSync(at('odd'), { recursive: true });
});

test('of this process is known under another name of the folder too', async () => {
  mkdirSync(at('real'));
  symlinkSync(at('real'), at('linked'));
  const release = await acquireLock(at('real/lock'), 'It');
  await expect(acquireLock(at('linked/lock'), 'It')).rejects.toThrow(`It is in use by process ${process.pid}`);
  await release();
  rmSync(at('linked'));
  rmSync(at('real'), { recursive: true });
});

test('of a dead holder goes to one of many that try at once', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  for (let round = 0; round < 20; round++) {
    writeFileSync(at('many'), holder({ pid }));
    const tried = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(at('many'), 'It')));
    const won = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).toHaveLength(1);
    await won[0]();
    expect(readdirSync(root)).toEqual([]);
  }
});
