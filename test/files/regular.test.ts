import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RgiError } from '../../src/errors.ts';
import { readRegular, readTextIfThere } from '../../src/files/node/regular.ts';
import { readMask, readPicture } from '../../src/images/node/read.ts';
import { openModel } from '../../src/models/node/model-file.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);
const posix = process.platform !== 'win32';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-files-'));
  writeFileSync(at('some'), 'twelve bytes');
  writeFileSync(at('large.png'), '');
  // A hole: it takes no room.
  truncateSync(at('large.png'), 2 ** 30 + 1);
  if (posix) execFileSync('mkfifo', [at('pipe.png')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const refusal = async (made: Promise<unknown>) => {
  const error = await made.then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RgiError);
  const { message, details } = error as RgiError;
  return {
    message: message.replaceAll(`${folder}${path.sep}`, ''),
    reason: details?.kind === 'file' && details.reason,
  };
};

describe('only regular files are opened', () => {
  test('all bytes of a file, or its text; nothing where there is none', async () => {
    expect(new TextDecoder().decode(await readRegular(at('some')))).toBe('twelve bytes');
    expect(await readTextIfThere(at('some'))).toBe('twelve bytes');
    expect(await readTextIfThere(at('missing'))).toBeUndefined();
    if (posix) expect(await readTextIfThere(at('pipe.png'))).toBeUndefined();
  });

  test('a cap holds before anything is read', async () => {
    expect(await refusal(readRegular(at('some'), 11))).toEqual({
      message: 'some has 0 MiB; files of at most 0 MiB are read here.',
      reason: 'too-large',
    });
    expect(await refusal(readPicture(at('large.png')))).toEqual({
      message: 'large.png has 1024 MiB; files of at most 1024 MiB are read here.',
      reason: 'too-large',
    });
  });

  test.runIf(posix)('a pipe, a device and a socket are refused at once, as whatever they are given', async () => {
    const server = createServer().listen(at('socket.png'));
    await new Promise((done) => server.once('listening', done));
    const words = 'is not a regular file (a device, a pipe or a socket); give a file.';
    for (const name of ['pipe.png', 'socket.png'])
      expect(await refusal(readPicture(at(name)))).toEqual({ message: `${name} ${words}`, reason: 'not-regular' });
    expect(await refusal(readPicture('/dev/zero'))).toEqual({ message: `/dev/zero ${words}`, reason: 'not-regular' });
    const picture = { path: 'p', image: { type: 'float32', dims: [1, 1, 1, 1], data: new Float32Array(1) } } as never;
    expect((await refusal(readMask(at('pipe.png'), picture))).reason).toBe('not-regular');
    expect(await refusal(openModel(at('pipe.png')))).toEqual({
      message: 'pipe.png: The file is not a regular file (a device, a pipe or a socket).',
      reason: 'not-regular',
    });
    server.close();
  });

  test('a folder', async () => {
    expect(await refusal(readPicture(folder))).toEqual({
      message: `${folder} is a folder; give a picture file.`,
      reason: 'folder',
    });
  });
});
