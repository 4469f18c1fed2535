/**
 * The built site and the shipped models over HTTP: `rgi studio`, to this machine alone, and a part of `rgi serve`. It takes nothing, and stores
 * nothing.
 */
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve as listen } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { messageOf, RgiError } from '../../errors.ts';
import { STUDIO_HEADERS } from '../policy.ts';
import { SERVER_FILE, type ServerFacts } from '../server.ts';

/** What `serveStudio` is given. */
export interface StudioOptions {
  /** 0 for any that is free. */
  readonly port: number;
  /** The built site; default: the one of this package. */
  readonly site?: string;
  /** Folder of the shipped models; default: the one of this package. */
  readonly models?: string;
}

/** A studio that listens. */
export interface RunningStudio {
  /** For instance 'http://127.0.0.1:8090/'. */
  readonly url: string;
  close(): Promise<void>;
}

/** Loopback: pictures are shown to whoever sits here. */
const HOST = '127.0.0.1';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** The site as `npm run build` writes it. */
export const SITE_FOLDER = path.join(root, 'dist', 'studio', 'site');

/** The models that come with the package. */
export const MODELS_FOLDER = path.join(root, 'models');

/** Opens the studio. Throws `usage` where the site is not built or the port cannot be used. */
export async function serveStudio({
  port,
  site = SITE_FOLDER,
  models = MODELS_FOLDER,
}: StudioOptions): Promise<RunningStudio> {
  assertBuilt(site);
  const server = await listening(studioApp(site, models), port);
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${own}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function isBuilt(site: string): boolean {
  return existsSync(path.join(site, 'index.html'));
}

/** Throws `usage` where there is no built site in a folder. */
export function assertBuilt(site: string): void {
  if (isBuilt(site)) return;
  throw new RgiError('usage', `The studio is not built (no index.html in ${site}); run 'npm run build' first.`);
}

/** What answers the requests; `facts` is what the page learns of the service that it belongs to. */
export function studioApp(site: string, models: string, facts: ServerFacts = {}): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(STUDIO_HEADERS)) context.header(name, value);
  });
  app.get(`/${SERVER_FILE}`, (context) => context.json(facts));
  app.on(['GET', 'HEAD'], '*', serveStatic({ root: site }));
  // The index of models and its thumbnails are of the site; the models themselves lie beside it.
  app.on(
    ['GET', 'HEAD'],
    '/models/*',
    serveStatic({ root: models, rewriteRequestPath: (asked) => asked.replace(/^\/models\//, '/') }),
  );
  app.all('*', (context) => context.text('The studio has no such file.\n', 404));
  return app;
}

function listening(app: Hono, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = listen({ fetch: app.fetch, hostname: HOST, port }, () => resolve(server)) as Server;
    server.once('error', (error) => {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const why = taken ? 'another program uses it' : messageOf(error);
      const sentence = `Port ${port} cannot be listened on (${why}); choose another --port.`;
      reject(new RgiError('usage', sentence, {}, { cause: error }));
    });
  });
}
