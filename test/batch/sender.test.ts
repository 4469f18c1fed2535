/** A sender whose shared place fails: for a while, by a refusal; what it copies to this machine goes when it was used. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSender, type Sender } from '../../src/batch/node/sender.ts';
import type { Shared } from '../../src/batch/node/shared.ts';
import { fileError } from '../../src/errors.ts';
import { needs } from '../support/needs.ts';
import { hasRedis, QUEUED, startRedis, type TestRedis } from './redis.ts';

const OPTIONS = { name: 'one', files: { picture: 'a.png' } };
const RESULT = { record: { status: 'done' as const }, files: {}, stages: {} };

describe.skipIf(!hasRedis)(needs(hasRedis, 'no redis-server is installed', 'a sender'), () => {
  let redis: TestRedis;
  let sender: Sender;
  let failures: Error[] = [];
  let folder = '';
  /** A place that is not on this machine: fails, then has the result. */
  const shared: Shared = {
    async take(_, to) {
      folder = to;
      mkdirSync(to, { recursive: true });
      writeFileSync(path.join(to, 'mask.png'), '');
      const failure = failures.shift();
      if (failure) throw failure;
      return { folder: to, result: RESULT };
    },
    place: async () => undefined,
    fetch: async () => undefined,
    hasResult: async () => true,
    isWanted: async () => true,
    deliver: async () => undefined,
    release: async () => undefined,
    releaseAll: async () => undefined,
    discard: async () => undefined,
  };
  beforeAll(async () => {
    redis = await startRedis();
    sender = await openSender({ redis: redis.url, shared });
  }, 30_000);
  afterAll(async () => {
    await sender?.close();
    await redis?.close();
  });

  test('looks again where the shared place fails for a while; its copy goes when the answer was used', async () => {
    failures = [fileError('s3://shared/a', 'unreadable', 'The bucket fails.'), new Error('fetch failed')];
    const answer = await sender.answer(QUEUED, OPTIONS);
    expect(answer).toEqual({ folder, result: RESULT });
    expect(existsSync(folder)).toBe(true);
    await sender.drop(answer);
    expect(existsSync(folder)).toBe(false);
  }, 15_000);

  test('rejects at once where the shared place refuses, and leaves no copy', async () => {
    failures = [fileError('s3://shared/a', 'denied', 'It is not allowed.')];
    await expect(sender.answer(QUEUED, OPTIONS)).rejects.toThrow('It is not allowed.');
    expect(existsSync(folder)).toBe(false);
  });
});
