/** Traces: a collector of the test's own gets a span of each request, and of its job one for each stage; through the queue, too. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openServiceQueue } from '../../src/batch/node/service-queue.ts';
import { openWorker } from '../../src/batch/node/worker.ts';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { openTracing } from '../../src/service/node/tracing.ts';
import { hasRedis, startRedis } from '../batch/redis.ts';
import { needs } from '../support/needs.ts';
import { MODELS, startService, TROUSERS } from './support.ts';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number; readonly message?: string };
  readonly service: string;
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const RESTORE = '/v1/models/fashion-trousers/restore';

let collector: Server;
const spans: Span[] = [];

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    expect([request.url, request.headers['content-type']]).toEqual(['/v1/traces', 'application/json']);
    for (const { resource, scopeSpans } of JSON.parse(Buffer.concat(chunks).toString()).resourceSpans) {
      const service = resource.attributes.find(({ key }: Attribute) => key === 'service.name').value.stringValue;
      for (const { spans: more } of scopeSpans) spans.push(...more.map((span: Span) => ({ ...span, service })));
    }
    response.end('{}');
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
});
afterEach(() => {
  spans.length = 0;
});
afterAll(() => {
  vi.unstubAllEnvs();
  collector.close();
});

const named = (name: string) => {
  const found = spans.filter((span) => span.name === name);
  expect(found, `spans: ${spans.map((span) => span.name).join(', ')}`).toHaveLength(1);
  return found[0];
};
const seconds = ({ startTimeUnixNano, endTimeUnixNano }: Span) =>
  Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e9;
const STAGES = ['wait', 'open', 'read', 'search', 'write'];

test('a request continues the trace of its caller; its job and the stages are below it', async () => {
  const service = await startService();
  const answer = await service.post(`${RESTORE}?steps=20`, TROUSERS, {
    'content-type': 'image/png',
    traceparent: PARENT,
  });
  const { stages } = await answer.json();
  await service.post(`${RESTORE}?steps=20`, 'no picture', { 'content-type': 'image/png', traceparent: 'nonsense' });
  await service.close();
  const ours = spans.filter(({ traceId }) => traceId === TRACE);
  const [request, job] = ['POST /v1/models/:model/restore', 'rgi restore'].map(
    (name) => ours.find((span) => span.name === name)!,
  );
  expect(request.parentSpanId).toBe('b7ad6b7169203331');
  expect(request.attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: 200 } });
  expect(job.parentSpanId).toBe(request.spanId);
  const parts = ours.filter(({ parentSpanId }) => parentSpanId === job.spanId);
  expect(parts.map(({ name }) => name)).toEqual(STAGES);
  for (const part of parts) expect(seconds(part)).toBeCloseTo(stages[part.name], 2);
  expect(seconds(request)).toBeGreaterThan(seconds(job) - 0.01);
  // The other is a trace of its own, and says what failed.
  const failed = spans.find(({ name, traceId }) => name === 'rgi restore' && traceId !== TRACE);
  expect(failed?.status).toMatchObject({ code: 2, message: expect.stringContaining('is not a picture') });
}, 60_000);

test.skipIf(!hasRedis)(
  needs(hasRedis, 'no redis-server is installed', 'a job that a worker computes is below the request that sent it'),
  async () => {
    const redis = await startRedis();
    const root = mkdtempSync(path.join(tmpdir(), 'rgi-traces-'));
    const shared = path.join(root, 'shared');
    mkdirSync(shared);
    const common = { redis: redis.url, shared };
    const worker = await openWorker({ ...common, models: MODELS, limits: DEFAULT_LIMITS, threads: 1, lockSeconds: 5 });
    const service = await startService({}, { queue: await openServiceQueue(common) });
    try {
      const sent = await service.post(`${RESTORE}/jobs?steps=20`, TROUSERS, { traceparent: PARENT });
      await (await service.get((await sent.json()).links.events)).text();
    } finally {
      await service.close();
      await worker.close();
      await redis.close();
      rmSync(root, { recursive: true });
    }
    const [request, job] = [named('POST /v1/models/:model/restore/jobs'), named('rgi restore')];
    expect([request.service, job.service]).toEqual(['rgi-serve', 'rgi-worker']);
    expect([job.traceId, job.parentSpanId]).toEqual([TRACE, request.spanId]);
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === job.spanId).map(({ name }) => name);
    expect(parts).toEqual(STAGES);
  },
  60_000,
);

test('nothing is loaded where no collector is named', async () => {
  expect(await openTracing('rgi', {})).toBeUndefined();
  expect(
    await openTracing('rgi', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }),
  ).toBe(undefined);
});
