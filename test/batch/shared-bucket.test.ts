/** The bucket that senders and workers share: results are whole whoever interleaves, and what cannot be read is no endless loop. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Shared } from '../../src/batch/node/shared.ts';
import { openSharedBucket } from '../../src/batch/node/shared-bucket.ts';
import { startBucket, type TestBucket } from '../support/s3.ts';

const KEY = 'a'.repeat(64);

let root: string;
let s3: TestBucket;
let shared: Shared;
const at = (name: string) => path.join(root, name);

/** What a worker made: its folder, and the result. */
function made(text: string) {
  mkdirSync(at(text), { recursive: true });
  writeFileSync(at(`${text}/picture.mask.png`), text);
  const files = { 'mask.png': createHash('sha256').update(text).digest('hex') };
  return [at(text), { record: { status: 'done' }, files }] as const;
}
const maskOf = async () => {
  const taken = await shared.take(KEY, at('to'));
  return taken && 'folder' in taken ? readFileSync(path.join(taken.folder, 'mask.png'), 'utf8') : taken;
};

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-shared-bucket-'));
  s3 = await startBucket();
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  writeFileSync(at('a.png'), 'picture');
});
beforeEach(async () => {
  s3.objects.clear();
  s3.fail = () => undefined;
  shared = openSharedBucket('s3://shared/jobs');
  await shared.place(KEY, { picture: at('a.png') }, 'one');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3?.close();
  rmSync(root, { recursive: true, force: true });
});

test('a worker that puts its files there between the files and the record of another one leaves that result whole', async () => {
  const deliver = (text: string) => shared.deliver(KEY, ...made(text));
  let second: Promise<unknown> | undefined;
  s3.fail = (request) => {
    if (!request.startsWith('PUT') || !request.endsWith('record.json')) return undefined;
    // The first one tries again after a pause; the second one is lost before its record.
    if (second) return records++ === 0 ? 403 : undefined;
    second = deliver('second').catch(() => undefined);
    return 503;
  };
  let records = 0;
  await deliver('first');
  await second;
  expect(records).toBe(2);
  expect(await maskOf()).toBe('first');
  await shared.release(KEY, 'one');
  expect([...s3.objects.keys()]).toEqual([]);
});

test('a result that is damaged or incomplete goes, and another one can be delivered', async () => {
  const [folder, result] = made('result');
  const file = `shared/jobs/${KEY}/out/mask.png-${result.files['mask.png']}`;
  for (const spoil of [() => s3.put(file, 'another'), () => s3.objects.delete(file)]) {
    await shared.deliver(KEY, folder, result);
    spoil();
    expect(await maskOf()).toBeUndefined();
    expect(await shared.hasResult(KEY)).toBe(false);
  }
  await shared.deliver(KEY, folder, result);
  expect(await maskOf()).toBe('result');
});

test('files of a result that may not be read are said, and the result stays', async () => {
  await shared.deliver(KEY, ...made('result'));
  s3.fail = (request) => (/^GET .*mask\.png/.test(request) ? 403 : undefined);
  await expect(maskOf()).rejects.toThrow(/mask\.png\S* cannot be read \(403 AccessDenied\)/);
  s3.fail = () => undefined;
  expect(await maskOf()).toBe('result');
});
