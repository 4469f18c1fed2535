/** A service whose workers share a bucket with it: a slow one is waited for, and what fails there leaves nothing and names no address. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openServiceQueue } from '../../src/batch/node/service-queue.ts';
import { FORGOTTEN, type JobQueue } from '../../src/service/node/job-queue.ts';
import type { DetectOrder } from '../../src/service/node/orders.ts';
import { MODELS } from '../service/support.ts';
import { needs } from '../support/needs.ts';
import { startBucket, type TestBucket } from '../support/s3.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const IDS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];

describe.skipIf(!hasRedis)(needs(hasRedis, 'no redis-server is installed', 'a service and its bucket'), () => {
  let root: string;
  let redis: TestRedis;
  let client: Redis;
  let s3: TestBucket;
  let queue: JobQueue;
  const folder = (id: string) => path.join(root, id);
  const add = (id: string) => {
    mkdirSync(folder(id), { recursive: true });
    // Each has a picture of its own.
    writeFileSync(path.join(folder(id), 'picture'), id);
    const model = { name: 'trousers', file: path.join(MODELS, 'fashion-trousers/generator.onnx'), stamp: '' };
    const order: DetectOrder = {
      kind: 'detect',
      model,
      folder: folder(id),
      options: { policy: 'default' },
      maxPixels: 1e6,
    };
    const facts = { id, kind: 'detect', model: 'trousers', owner: undefined, requestId: 'r' } as const;
    return queue.add({ ...facts, created: new Date() }, order);
  };
  const placed = () => [...s3.objects.keys()].map((key) => key.replace(/^shared\/jobs\/\w{64}\//, '')).sort();
  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'rgi-service-bucket-'));
    [redis, s3] = await Promise.all([startRedis(), startBucket()]);
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
    queue = await openServiceQueue({ redis: redis.url, shared: 's3://shared/jobs' });
    client = new Redis(redis.url);
  }, 30_000);
  beforeEach(async () => {
    await client.flushall();
    s3.objects.clear();
    s3.fail = () => undefined;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await queue?.close();
    client?.disconnect();
    await redis?.close();
    await s3?.close();
    rmSync(root, { recursive: true, force: true });
  });

  test('a picture may take longer than Redis may take to answer', async () => {
    s3.fail = (request) => (/^PUT .*picture$/.test(request) ? later(5200, undefined) : undefined);
    expect(await add(IDS[0])).toMatchObject({ id: IDS[0] });
    expect(await queue.find(IDS[0])).toMatchObject({ id: IDS[0] });
    expect(placed()).toEqual([`for/${IDS[0]}`, 'picture']);
  }, 20_000);

  test('a picture that may not be put there leaves nothing, and the reason is for the log', async () => {
    s3.fail = (request) => (/^PUT .*picture$/.test(request) ? 403 : undefined);
    await expect(add(IDS[1])).rejects.toThrow(/^The workers' part failed: s3:\/\/shared\/jobs\/\S+ cannot be written/);
    await expect.poll(placed).toEqual([]);
    await expect.poll(() => queue.find(IDS[1])).toBeUndefined();
    expect(await queue.waiting()).toBe(0);
  });

  test('a job that the last one to leave took away is brought again; one that another service cancelled is not', async () => {
    const job = await add(IDS[0]);
    const leave = new AbortController();
    // As the removal of another job of this picture does, which began before this one was there.
    s3.objects.clear();
    const waiting = queue.wait(job, folder(IDS[0]), { signal: leave.signal });
    await expect.poll(placed).toEqual([`for/${IDS[0]}`, 'picture']);
    leave.abort('left');
    await expect(waiting).rejects.toBe('left');
    const cancelled = queue.wait(job, folder(IDS[0]), {});
    // What is waited for elsewhere has no files there.
    const seen = queue.wait(job, folder('elsewhere'), {});
    await Promise.all([
      queue.forget(job),
      expect(cancelled).rejects.toBe(FORGOTTEN),
      expect(seen).rejects.toBe(FORGOTTEN),
    ]);
    expect([placed(), await queue.waiting()]).toEqual([[], 0]);
  }, 20_000);
});
