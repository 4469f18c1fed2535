/** Jobs: their state, their events, their results; and their end before time. */
import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { jobSchema } from '../../schemas.ts';
import type { App, Service } from '../context.ts';
import { isFinished, type Job } from '../desk.ts';
import { jobAnswer } from './answers.ts';
import { jobParameter, problems } from './parts.ts';
import { fileResponse } from './pictures.ts';

const params = z.object({ id: jobParameter });
const tags = ['Jobs'];

const state = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}',
  tags,
  summary: 'The state of a job',
  request: { params },
  responses: {
    200: { description: 'The job.', content: { 'application/json': { schema: jobSchema } } },
    ...problems(404, 503),
  },
});

const cancel = createRoute({
  method: 'delete',
  path: '/v1/jobs/{id}',
  tags,
  summary: 'Cancel a job that is not finished; of a finished one nothing changes',
  request: { params },
  responses: {
    202: { description: 'It ends; its state says when.', content: { 'application/json': { schema: jobSchema } } },
    ...problems(404, 503),
  },
});

const events = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}/events',
  tags,
  summary: "The job at each change, as server-sent events named 'job', until it is finished",
  request: { params },
  responses: {
    200: { description: 'Each event holds the job as JSON.', content: { 'text/event-stream': { schema: z.string() } } },
    ...problems(404, 503),
  },
});

const file = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}/files/{file}',
  tags,
  summary: 'A file of the results',
  request: {
    params: params.extend({
      file: z.string().openapi({ param: { name: 'file', in: 'path' }, example: 'composite.png' }),
    }),
  },
  responses: {
    200: {
      description: 'The file.',
      content: {
        'image/png': { schema: { type: 'string', format: 'binary' } },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
      },
    },
    ...problems(404, 503),
  },
});

/** Comments that keep proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000;

export function addJobRoutes(app: App, { desk }: Service): void {
  app.openapi(state, async (c) => c.json(jobAnswer(await desk.find(c.req.valid('param').id, c.get('owner'))), 200));
  app.openapi(cancel, async (c) => c.json(jobAnswer(await desk.cancel(c.req.valid('param').id, c.get('owner'))), 202));
  app.openAPIRegistry.registerPath(events);
  app.get('/v1/jobs/:id/events', async (c) => {
    const found = await desk.find(c.req.param('id'), c.get('owner'));
    return streamSSE(c, async (stream) => {
      const write = (job: Job) => stream.writeSSE({ event: 'job', data: JSON.stringify(jobAnswer(job)) });
      const beat = setInterval(() => void stream.write(': still here\n\n'), HEARTBEAT_MS);
      const unfollow = desk.follow(found.id, (job) => void (isFinished(job) || write(job)));
      stream.onAbort(unfollow);
      try {
        await write(await desk.find(found.id, found.owner));
        const gone = new Promise<void>((resolve) => stream.onAbort(resolve));
        await Promise.race([
          desk.finished(found.id).then(async (job) => (isFinished(found) ? undefined : write(job))),
          gone,
        ]);
      } finally {
        unfollow();
        clearInterval(beat);
      }
    });
  });
  app.openAPIRegistry.registerPath(file);
  app.get('/v1/jobs/:id/files/:file', async (c) => {
    const job = await desk.find(c.req.param('id'), c.get('owner'));
    const name = c.req.param('file');
    return fileResponse(await desk.file(job, name), name);
  });
}
