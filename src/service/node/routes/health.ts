/** Is it alive, is it ready, and how is it doing. */
import { createRoute, z } from '@hono/zod-openapi';
import { HttpError } from '../../problem.ts';
import type { App, Service } from '../context.ts';
import { problems } from './parts.ts';

const tags = ['Health'];
const statusSchema = z.object({ status: z.literal('ok') });
const ok = { description: 'Yes.', content: { 'application/json': { schema: statusSchema } } };

const live = createRoute({
  method: 'get',
  path: '/healthz',
  tags,
  summary: 'Is the service alive?',
  responses: { 200: ok },
});

const ready = createRoute({
  method: 'get',
  path: '/readyz',
  tags,
  summary: 'Can it take work now?',
  responses: { 200: ok, ...problems(503) },
});

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags,
  summary: 'Metrics in the text format of Prometheus',
  responses: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: z.string() } } }, ...problems() },
});

/** Seconds after which a process has probably started. */
const START_SECONDS = 2;

export function addHealthRoutes(app: App, service: Service): void {
  app.openapi(live, (c) => c.json({ status: 'ok' } as const, 200));
  app.openapi(ready, (c) => {
    checkReady(service);
    return c.json({ status: 'ok' } as const, 200);
  });
  app.openAPIRegistry.registerPath(metricsRoute);
  app.get('/metrics', async (c) =>
    c.body(await service.metrics.text(), 200, { 'content-type': service.metrics.contentType }),
  );
}

/** Throws 503 where no work could be done now. */
export function checkReady({ admission, pool, queue }: Pick<Service, 'admission' | 'pool' | 'queue'>): void {
  if (admission.isDraining()) throw new HttpError(503, 'The service is about to end.');
  if (pool.state().ready === 0)
    throw new HttpError(503, 'No process that computes is ready yet.', { retryAfter: START_SECONDS });
  queue?.check();
}
