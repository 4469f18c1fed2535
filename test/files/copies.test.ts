/** Local copies of objects: each is there when it is opened, and those that are asked for again and again are made once. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { localFile } from '../../src/files/node/copies.ts';
import { readRegular } from '../../src/files/node/regular.ts';
import { startBucket, type TestBucket } from '../support/s3.ts';

let s3: TestBucket;
const requests = (name: string) => s3.requests.filter((one) => one === `GET pictures/${name}`).length;

beforeAll(async () => {
  s3 = await startBucket();
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  vi.useFakeTimers({ toFake: ['performance'] });
});
beforeEach(() => {
  s3.objects.clear();
  s3.requests.length = 0;
});
afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await s3.close();
});

async function copy(name: string): Promise<string> {
  s3.put(`pictures/${name}`, name);
  return localFile(`s3://pictures/${name}`);
}

test('copies of many objects that are read at a time are all there', async () => {
  const files = await Promise.all(Array.from({ length: 300 }, (_, i) => copy(`many-${i}`)));
  await copy('another');
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

test('those that were not asked for the longest are removed after a while, one that is used often is not', async () => {
  const mask = await copy('mask');
  const first = await copy('0');
  for (let i = 1; i < 300; i++) {
    vi.advanceTimersByTime(11_000);
    await copy(String(i));
    expect(await localFile('s3://pictures/mask')).toBe(mask);
  }
  expect(requests('mask')).toBe(1);
  await vi.waitFor(() => expect(existsSync(first)).toBe(false));
  expect(existsSync(mask)).toBe(true);
});

test('an object that is too large is not copied', async () => {
  s3.put('pictures/large', Buffer.alloc(2 ** 21));
  await expect(readRegular('s3://pictures/large', 2 ** 20)).rejects.toThrow(
    's3://pictures/large has 2 MiB; files of at most 1 MiB are read here.',
  );
});
