/** The service as a server: opens folder, processes and port, and ends in good order. */

import type { AddressInfo } from 'node:net';
import { serve as listen } from '@hono/node-server';
import { DEFAULT_LIMITS, type ServiceLimits } from '../limits.ts';
import { createApp } from './app.ts';
import { openCatalogue } from './catalogue.ts';
import { openDesk } from './desk.ts';
import { openProcesses } from './processes.ts';

/** What `serve` is given. */
export interface ServeOptions {
  /** The folder of the models: NAME.onnx, or NAME/generator.onnx. */
  readonly models: string;
  /** Default '127.0.0.1': this machine alone. */
  readonly host?: string;
  /** Default 8080; 0 for any that is free. */
  readonly port?: number;
  readonly limits?: Partial<ServiceLimits>;
  /** CPU threads of each process; default: those of the machine, shared out evenly. */
  readonly threads?: number;
}

/** A service that listens. */
export interface RunningService {
  /** For instance 'http://127.0.0.1:8080'. */
  readonly url: string;
  /** Ids of the processes that compute. */
  pids(): number[];
  /** Takes no more jobs, finishes those that are there, and ends. */
  close(): Promise<void>;
}

export async function serve(options: ServeOptions): Promise<RunningService> {
  const { host = '127.0.0.1', port = 8080, threads } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const catalogue = await openCatalogue(options.models);
  const pool = openProcesses(limits, threads);
  const desk = await openDesk(pool, limits);
  const app = createApp({ catalogue, pool, desk, limits });
  const server = await new Promise<ReturnType<typeof listen>>((resolve, reject) => {
    const opened = listen(
      {
        fetch: app.fetch,
        hostname: host,
        port,
        serverOptions: {
          requestTimeout: limits.bodySeconds * 1000,
          headersTimeout: limits.bodySeconds * 1000,
          connectionsCheckingInterval: 1000,
        },
      },
      () => resolve(opened),
    );
    opened.once('error', reject);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    pids: () => pool.pids(),
    async close() {
      await desk.drain();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeIdleConnections' in server) server.closeIdleConnections();
      });
      await pool.close();
      await desk.close();
    },
  };
}
