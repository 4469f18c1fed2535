/** Buckets: objects come and go over signed requests; what fails is tried again or said in a sentence without credentials. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RgiError } from '../../src/errors.ts';
import { openBucket, parseBucketAddress } from '../../src/files/node/bucket.ts';
import { startBucket, type TestBucket } from '../support/s3.ts';

let s3: TestBucket;
let root: string;
const at = (name: string) => path.join(root, name);
const bucket = () => openBucket(s3.env);

beforeAll(async () => {
  s3 = await startBucket();
  root = mkdtempSync(path.join(tmpdir(), 'rgi-s3-'));
});
beforeEach(() => {
  s3.objects.clear();
  s3.requests.length = 0;
  s3.fail = () => undefined;
  s3.broken = () => undefined;
});
afterAll(async () => {
  await s3.close();
  rmSync(root, { recursive: true, force: true });
});

test('objects are written, found by the hash of their bytes, read and removed, whatever their keys hold', async () => {
  for (const key of ['plain', "a b/ü+1 (2)'*!.png", 'x%20y&z=1']) {
    const address = `s3://pictures/${key}`;
    expect(await bucket().hashOf(address)).toBeUndefined();
    writeFileSync(at('a'), 'bytes');
    await bucket().upload(address, at('a'));
    expect(s3.objects.get(`pictures/${key}`)?.bytes.toString()).toBe('bytes');
    // sha256sum says the same of 'bytes'.
    expect(await bucket().hashOf(address)).toBe('277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9');
    await bucket().download(address, at('b'));
    expect(readFileSync(at('b'), 'utf8')).toBe('bytes');
    expect(await bucket().text(address)).toBe('bytes');
    await bucket().remove(address);
    expect(await bucket().text(address)).toBeUndefined();
    await bucket().remove(address);
  }
});

test('lists come in pages', async () => {
  const keys = ['in/1.png', 'in/2 & 3.png', 'in/deep/4+5.png', 'in/6<.png', 'in/7.png', 'in/8.png', 'in/9.png'];
  for (const key of [...keys, 'other/10.png']) s3.put(`pictures/${key}`, '');
  const found: string[] = [];
  for await (const address of bucket().list('s3://pictures/in/')) found.push(address);
  expect(found).toEqual([...keys].sort().map((key) => `s3://pictures/${key}`));
  expect(s3.requests).toHaveLength(3);
  // One page at a time: nothing is asked for that is not needed.
  s3.requests.length = 0;
  for await (const _ of bucket().list('s3://pictures/in/')) break;
  expect(s3.requests).toHaveLength(1);
});

describe('what fails', () => {
  test('is tried again where that may help', async () => {
    let times = 0;
    s3.put('pictures/a', 'bytes');
    s3.fail = () => (times++ < 2 ? 503 : undefined);
    expect(await bucket().text('s3://pictures/a')).toBe('bytes');
    expect(times).toBe(3);
  });

  test('also where the answer ends in the middle', async () => {
    s3.put('pictures/a', 'bytes');
    for (const use of [
      () => bucket().text('s3://pictures/a'),
      async () => {
        for await (const found of bucket().list('s3://pictures/')) return found;
      },
      async () => {
        await bucket().download('s3://pictures/a', at('d'));
        return readFileSync(at('d'), 'utf8');
      },
    ]) {
      let times = 0;
      s3.broken = () => (times++ === 0 ? 'cut' : undefined);
      expect(await use()).toMatch(/^(bytes|s3:\/\/pictures\/a)$/);
      expect(times).toBe(2);
    }
    s3.broken = () => 'cut';
    await expect(bucket().text('s3://pictures/a')).rejects.toThrow(
      /^s3:\/\/pictures\/a cannot be read: the bucket does not answer \(.*\)\.$/,
    );
  }, 15_000);

  test('but not where an answer is only slow: what counts is how long nothing arrives', async () => {
    s3.put('pictures/a', '123456789');
    s3.broken = () => 'slow';
    await openBucket(s3.env, 300).download('s3://pictures/a', at('d'));
    expect(readFileSync(at('d'), 'utf8')).toBe('123456789');
    expect(s3.requests).toHaveLength(1);
    s3.broken = () => 'stalled';
    await expect(openBucket(s3.env, 100).download('s3://pictures/a', at('d'))).rejects.toThrow(
      's3://pictures/a cannot be read: the bucket does not answer (nothing arrived for 0.1 s).',
    );
    expect(s3.requests).toHaveLength(6);
  }, 15_000);

  test('nor where the object is too large, or its copy cannot be written here', async () => {
    s3.put('pictures/a', Buffer.alloc(3 * 2 ** 20));
    await expect(bucket().download('s3://pictures/a', at('d'), 2 ** 20)).rejects.toMatchObject({
      message: 's3://pictures/a has 3 MiB; files of at most 1 MiB are read here.',
      details: { reason: 'too-large' },
    });
    await expect(bucket().download('s3://pictures/a', at('none/d'))).rejects.toThrow(
      `s3://pictures/a cannot be copied to ${at('none/d')} (ENOENT`,
    );
    expect(s3.requests).toHaveLength(2);
  });

  test.each([
    [
      403,
      's3://pictures/a cannot be read (403 AccessDenied): it is not allowed; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their rights.',
      1,
    ],
    [503, 's3://pictures/a cannot be read (503 SlowDown): the bucket fails; try again later.', 5],
    [301, 's3://pictures/a cannot be read (301 SlowDown): the bucket is in another region; set AWS_REGION.', 1],
  ])(
    'is said in a sentence: %i',
    async (status, sentence, times) => {
      s3.fail = () => status;
      await expect(bucket().download('s3://pictures/a', at('c'))).rejects.toMatchObject({ message: sentence });
      expect(s3.requests).toHaveLength(times);
    },
    15_000,
  );

  test('of objects and buckets that are not there, of credentials, and of a server that is not', async () => {
    const download = (address: string, env: Record<string, string> = {}) =>
      openBucket({ ...s3.env, ...env }).download(address, at('c'));
    await expect(download('s3://pictures/none')).rejects.toMatchObject({
      message: 's3://pictures/none does not exist.',
    });
    await expect(download('s3://no-such-bucket/a')).rejects.toMatchObject({
      message: "There is no bucket 'no-such-bucket'.",
    });
    await expect(download('s3://pictures/a', { AWS_SECRET_ACCESS_KEY: 'wrong' })).rejects.toThrow(
      'cannot be read (403 SignatureDoesNotMatch): it is not allowed',
    );
    await expect(download('s3://pictures/a', { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' })).rejects.toThrow(
      /^s3:\/\/pictures\/a cannot be read: the bucket does not answer \(.*\)\.$/,
    );
    expect(() => openBucket({})).toThrow(
      'A bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; set these variables.',
    );
    expect(() => parseBucketAddress('s3://A/b')).toThrow(
      "'s3://A/b' is no address of a bucket; write s3://bucket/key.",
    );
    for (const address of ['s3://pictures/../other/x', 's3://pictures/a/./b', 's3://pictures/..'])
      await expect(download(address)).rejects.toMatchObject({
        code: 'usage',
        message: `'${address}' has a part '.' or '..'; write the key itself.`,
      });
    expect(parseBucketAddress('s3://pictures/.a/..b/c..')).toEqual({ bucket: 'pictures', key: '.a/..b/c..' });
  }, 15_000);
  test('for a variable that cannot be used, before a request is sent and without its value', () => {
    const said = (env: Record<string, string>) => {
      try {
        openBucket({ ...s3.env, ...env });
      } catch (error) {
        return [(error as RgiError).code, (error as RgiError).message];
      }
    };
    const noServer = (name: string) => [
      'usage',
      `${name} is no address of a server; write http://host:port or https://host, without a user and a password.`,
    ];
    for (const url of ['http://user:secret@minio:9000', 'localhost', 'minio:9000', 'http://minio/?a=b'])
      expect(said({ AWS_ENDPOINT_URL_S3: url })).toEqual(noServer('AWS_ENDPOINT_URL_S3'));
    expect(said({ AWS_ENDPOINT_URL_S3: '', AWS_ENDPOINT_URL: 'localhost' })).toEqual(noServer('AWS_ENDPOINT_URL'));
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'])
      expect(said({ [name]: 'secret\n' })).toEqual([
        'usage',
        `${name} has a space, a line break or another unusable character; set it again.`,
      ]);
    expect(said({ AWS_REGION: 'eu/1' })).toEqual([
      'usage',
      'AWS_REGION is no name of a region; write one such as eu-central-1.',
    ]);
  });
});
