/** The HTTP service on web-standard handlers: routes, errors, authorisation. It listens to nothing; see `serve.ts`. */
import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import { matchedRoutes } from 'hono/route';
import { escapeControls } from '../../errors.ts';
import { HttpError, problemOf } from '../problem.ts';
import type { App, Env, Service } from './context.ts';
import { checkOrigin } from './origin.ts';
import { addDocuments } from './routes/documents.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addModelRoutes } from './routes/models.ts';
import { addPictureRoutes } from './routes/pictures.ts';
import { addProtocolRoutes } from './routes/protocol.ts';

/** Request ids of a caller are taken where they are harmless. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

/** What is answered without a token: health, the documentation, and the studio's pages. */
const OPEN = /^\/($|openapi\.json$|healthz$|readyz$|v2\/health\/|studio(\/|$))/;

export function createApp(service: Service): App {
  const app: App = new OpenAPIHono<Env>({
    defaultHook(result) {
      if (result.success) return;
      const [{ path, message }] = result.error.issues;
      throw new HttpError(400, `'${path.join('.')}': ${message}`);
    },
  });
  addRecording(app, service);
  app.use(async (c, next) => {
    if (!service.gate.hasTokens) checkOrigin(c.req.raw);
    const caller = OPEN.test(c.req.path) ? undefined : service.gate.check(c.req.header('authorization'));
    c.set('owner', caller?.owner);
    c.set('mayHave', caller?.mayHave);
    await next();
  });
  app.onError((error, c) => {
    const problem = problemOf(error, c.get('requestId'));
    if (problem.status === 500) service.log.error({ requestId: c.get('requestId'), err: error }, 'unexpected error');
    // The Open Inference Protocol has a form of its own.
    const [type, body] = c.req.path.startsWith('/v2')
      ? ['application/json', { error: problem.detail }]
      : ['application/problem+json', problem];
    return c.body(JSON.stringify(body), problem.status, { 'content-type': type, ...headersOf(error) });
  });
  app.notFound((c) => {
    throw new HttpError(404, `There is no ${c.req.method} ${c.req.path.slice(0, 200)} here; GET / says what there is.`);
  });
  addHealthRoutes(app, service);
  addModelRoutes(app, service);
  addPictureRoutes(app, service);
  addJobRoutes(app, service);
  addProtocolRoutes(app, service);
  addDocuments(app, service);
  if (service.studio) addStudio(app, service.studio);
  return app;
}

function addStudio(app: App, studio: NonNullable<Service['studio']>): void {
  // Its addresses are relative to its folder.
  app.get('/studio', (c) => c.redirect('studio/'));
  app.mount('/studio/', studio);
}

/** Every request has an id, a line in the log, and counts. */
function addRecording(app: App, { log, metrics, tracing }: Service): void {
  app.use(async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given && REQUEST_ID.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    const span = tracing?.begin(c.req.method, c.req.header('traceparent'));
    c.set('traceparent', span?.traceparent);
    const from = performance.now();
    await next();
    c.res.headers.set('x-request-id', requestId);
    c.res.headers.set('x-content-type-options', 'nosniff');
    const seconds = (performance.now() - from) / 1000;
    const { method, path } = c.req;
    const { status } = c.res;
    const route = status === 404 ? 'none' : (matchedRoutes(c).at(-1)?.path ?? 'none');
    metrics.request(route, method, status, seconds);
    const attributes = { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status };
    span?.end(`${method} ${route}`, { ...attributes, 'rgi.request_id': requestId }, status >= 500);
    log.info(
      { requestId, method, path: escapeControls(path.slice(0, 200)), status, seconds, owner: c.get('owner') },
      'request',
    );
  });
}

function headersOf(error: unknown): Record<string, string> {
  if (!(error instanceof HttpError)) return {};
  return {
    ...(error.retryAfter === undefined ? {} : { 'retry-after': String(error.retryAfter) }),
    ...(error.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  };
}
