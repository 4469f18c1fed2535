/** The HTTP service on web-standard handlers: routes, errors, authorisation. It listens to nothing; see `serve.ts`. */
import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { ServiceLimits } from '../limits.ts';
import { HttpError, problemOf } from '../problem.ts';
import type { Catalogue } from './catalogue.ts';
import type { Desk } from './desk.ts';
import type { ProcessPool } from './processes.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addModelRoutes } from './routes/models.ts';
import { addPictureRoutes } from './routes/pictures.ts';

/** What the routes work with. */
export interface Service {
  readonly catalogue: Catalogue;
  readonly pool: ProcessPool;
  readonly desk: Desk;
  readonly limits: ServiceLimits;
}

/** What is known of a request. */
export interface Env {
  Variables: {
    /** Of the log; echoed as X-Request-Id. */
    requestId: string;
    /** Name of the token; undefined where the service has none. */
    owner: string | undefined;
    /** Jobs that the token may have at a time. */
    mayHave: number | undefined;
  };
}

export type App = OpenAPIHono<Env>;

/** Request ids of a caller are taken where they are harmless. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

export function createApp(service: Service): App {
  const app: App = new OpenAPIHono<Env>();
  app.use(async (c, next) => {
    const given = c.req.header('x-request-id');
    c.set('requestId', given && REQUEST_ID.test(given) ? given : randomUUID());
    await next();
    c.res.headers.set('x-request-id', c.get('requestId'));
  });
  app.onError((error, c) => {
    const problem = problemOf(error, c.get('requestId'));
    const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
    if (error instanceof HttpError && error.retryAfter !== undefined) headers['retry-after'] = String(error.retryAfter);
    return c.body(JSON.stringify(problem), problem.status, headers);
  });
  app.notFound((c) => {
    throw new HttpError(
      404,
      `There is no ${c.req.method} ${c.req.path.slice(0, 200)} here; GET / describes what there is.`,
    );
  });
  addModelRoutes(app, service);
  addPictureRoutes(app, service);
  addJobRoutes(app, service);
  return app;
}
