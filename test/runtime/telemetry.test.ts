/**
 * ONNX Runtime's telemetry would leave an identifier and a store of events in the home folder of a process that opens a
 * session: that nothing lies there shows that it did not start.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { processArguments } from '../../src/runtime/node/sibling.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'rgi-telemetry-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a process prints, and the files it leaves in its home and working folders. It has no variable of ours or of a CI. */
function run(kind: string) {
  const home = mkdtempSync(path.join(folder, 'home-'));
  const cwd = path.join(home, 'working');
  mkdirSync(cwd);
  const ran = spawnSync(
    process.execPath,
    [...processArguments(new URL('./entries/computes.ts', import.meta.url)), kind],
    {
      cwd,
      env: { PATH: process.env.PATH, HOME: home },
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  expect({ status: ran.status, stderr: ran.stderr }).toEqual({ status: 0, stderr: '' });
  return { printed: ran.stdout, left: readdirSync(home, { recursive: true }) };
}

test.each(['here', 'runtime-thread', 'thread-sharing-environment'])('no telemetry starts: %s', (kind) => {
  expect(run(kind)).toEqual({ printed: '', left: ['working'] });
});

test.skipIf(process.platform === 'win32')('a thread that cannot turn it off is refused', () => {
  expect(run('thread-with-own-environment')).toEqual({
    printed:
      "ONNX Runtime's telemetry cannot be turned off from this worker thread, which has an environment of its own. Start the thread with `env: SHARE_ENV`, or set ORT_DISABLE_TELEMETRY=1 in the main thread before starting it.\n",
    left: ['working'],
  });
});
