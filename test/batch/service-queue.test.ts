/** A service whose jobs are computed by workers elsewhere, over a real Redis: they outlive the service, and what is answered at once does not need Redis. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openServiceQueue } from '../../src/batch/node/service-queue.ts';
import { openWorker, type RunningWorker } from '../../src/batch/node/worker.ts';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { MODELS, problemIn, ready, startService, type TestService, TROUSERS } from '../service/support.ts';
import { needs } from '../support/needs.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const RESTORE = '/v1/models/fashion-trousers/restore';

describe.skipIf(!hasRedis)(needs(hasRedis, 'no redis-server is installed', 'a service and its workers'), () => {
  let redis: TestRedis;
  let root: string;
  let service: TestService;
  let worker: RunningWorker | undefined;
  const shared = () => path.join(root, 'shared');
  const start = async () => {
    const queue = await openServiceQueue({ redis: redis.url, shared: shared() });
    service = await startService({ keepSeconds: 60, drainSeconds: 5 }, { queue });
    await ready(service);
  };
  const work = async () => {
    worker = await openWorker({
      redis: redis.url,
      models: MODELS,
      shared: shared(),
      limits: DEFAULT_LIMITS,
      threads: 1,
      lockSeconds: 2,
    });
  };
  const send = async (query: string) => {
    const answer = await service.post(`${RESTORE}/jobs?${query}`, TROUSERS);
    expect(answer.status).toBe(202);
    return (await answer.json()) as { id: string; state: string; links: { self: string; events: string } };
  };
  const job = async (id: string) => (await service.get(`/v1/jobs/${id}`)).json();
  const ended = async (id: string) => {
    for (;;) {
      const found = await job(id);
      if (!['queued', 'running'].includes(found.state)) return found;
      await later(50);
    }
  };
  beforeAll(async () => {
    redis = await startRedis();
    root = mkdtempSync(path.join(tmpdir(), 'rgi-service-queue-'));
    mkdirSync(shared());
    await Promise.all([start(), work()]);
  }, 60_000);
  afterAll(async () => {
    await service?.close();
    await worker?.close();
    await redis?.close();
    rmSync(root, { recursive: true, force: true });
  }, 60_000);

  test('a job has the results that are answered at once, with progress as events', async () => {
    const { id, links } = await send('steps=40');
    const events = await (await service.get(links.events)).text();
    const states = [...events.matchAll(/^data: (.*)$/gm)].map(([, text]) => JSON.parse(text));
    expect(states.at(-1)).toMatchObject({ id, state: 'done', progress: { share: 1 } });
    expect(states.some(({ state, progress }) => state === 'running' && progress.share > 0)).toBe(true);
    const done = await job(id);
    expect(done.stages).toMatchObject({ wait: expect.any(Number), search: expect.any(Number) });
    const here = await service.post(`${RESTORE}?steps=40&answer=composite.png`, TROUSERS);
    const there = await service.get(done.files['composite.png']);
    expect(Buffer.from(await there.arrayBuffer()).equals(Buffer.from(await here.arrayBuffer()))).toBe(true);
    const record = (await (await service.post(`${RESTORE}?steps=40`, TROUSERS)).json()).record;
    const { seconds: _, ...rest } = done.record;
    expect(record).toMatchObject(rest);
  }, 60_000);

  test('a bad picture fails with the reason; another job of it does too', async () => {
    const bytes = new TextEncoder().encode('no picture');
    for (let i = 0; i < 2; i++) {
      const { id } = await (await service.post(`${RESTORE}/jobs`, bytes)).json();
      const { state, problem } = await ended(id);
      expect(state).toBe('failed');
      expect(problem).toMatchObject({ status: 422, detail: expect.stringContaining('The picture is not a picture') });
    }
  }, 60_000);

  test('cancelling ends what waits and what is computed, and leaves nothing', async () => {
    const before = readdirSync(shared());
    const running = await send('steps=20000&seed=5&method=rrgi');
    while ((await job(running.id)).state !== 'running') await later(20);
    const waiting = await send('steps=20000&seed=6');
    for (const { id } of [waiting, running]) {
      expect((await service.get(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(202);
      expect(await ended(id)).toMatchObject({ state: 'cancelled' });
    }
    // The worker is free again.
    expect(await ended((await send('steps=3&seed=7')).id)).toMatchObject({ state: 'done' });
    expect(readdirSync(shared()).length).toBe(before.length + 1);
  }, 60_000);

  test('jobs and results outlive the service and their worker, and another service has them, too', async () => {
    const done = await send('steps=5&seed=8');
    await ended(done.id);
    await worker?.close();
    const waiting = await send('steps=5&seed=9');
    await service.close();
    await start();
    expect(await job(done.id)).toMatchObject({ state: expect.stringMatching('done|queued') });
    expect(await ended(done.id)).toMatchObject({ state: 'done' });
    expect((await service.get((await job(done.id)).files['mask.png'])).status).toBe(200);
    expect(await job(waiting.id)).toMatchObject({ state: 'queued' });
    await work();
    const other = await startService({}, { queue: await openServiceQueue({ redis: redis.url, shared: shared() }) });
    const later1 = await send('steps=5&seed=10');
    expect((await other.get(`/v1/jobs/${later1.id}`)).status).toBe(200);
    await other.close();
    expect(await ended(later1.id)).toMatchObject({ state: 'done' });
    expect(await ended(waiting.id)).toMatchObject({ state: 'done' });
  }, 90_000);

  test('without Redis jobs are refused with 503, what is answered at once is not, and all is well when it is back', async () => {
    const sent = await send('steps=3&seed=11');
    await redis.stop();
    await later(200);
    const refused = await service.post(`${RESTORE}/jobs?steps=3`, TROUSERS);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(await problemIn(refused)).toMatchObject({
      status: 503,
      detail: 'Redis, which holds the jobs, does not answer. Send the request again.',
    });
    expect((await service.get('/readyz')).status).toBe(503);
    expect((await service.get('/healthz')).status).toBe(200);
    expect((await service.post(`${RESTORE}?steps=3`, TROUSERS)).status).toBe(200);
    expect(await (await service.get('/metrics')).text()).toContain('\nrgi_shared_queue_jobs -1\n');
    await redis.start();
    await ready(service);
    expect(await ended((await send('steps=3&seed=12')).id)).toMatchObject({ state: 'done' });
    expect(await ended(sent.id)).toMatchObject({ state: 'done' });
    expect(await (await service.get('/metrics')).text()).toContain('\nrgi_shared_queue_jobs 0\n');
  }, 90_000);
});
