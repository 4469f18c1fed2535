/** The service as a server: opens folder, processes and port, and ends in good order. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { serve as listen } from '@hono/node-server';
import { messageOf, RgiError } from '../../errors.ts';
import { DEFAULT_LIMITS, type ServiceLimits } from '../limits.ts';
import type { LogLevel } from '../log-levels.ts';
import { openAdmission } from './admission.ts';
import { createApp } from './app.ts';
import { openCatalogue } from './catalogue.ts';
import type { Service } from './context.ts';
import { type Desk, type Job, openDesk } from './desk.ts';
import type { JobQueue } from './job-queue.ts';
import { type Log, openLog } from './log.ts';
import { openMetrics } from './metrics.ts';
import { openProcesses, type ProcessPool } from './processes.ts';
import { openGate, type Token } from './tokens.ts';
import { openTracing, type Tracing } from './tracing.ts';

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
  /** Who may ask; default: whoever reaches the service. */
  readonly tokens?: readonly Token[];
  /** Workers elsewhere compute the jobs; closed with the service. Default: jobs are computed here, as what is answered at once is. */
  readonly queue?: JobQueue;
  /** Answers what is asked for below /studio/; needs no token. */
  readonly studio?: Service['studio'];
  /** Takes the lines of the log; default: there is none. */
  readonly onLog?: (line: string) => void;
  /** Default 'info'. */
  readonly logLevel?: LogLevel;
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

/** Connections at a time; what comes beyond is closed at once. */
const MAX_CONNECTIONS = 1024;

/** How long answers that are under way may take once all work is done. */
const LAST_ANSWERS_MS = 2000;

/** What is closed when the service ends, or when it cannot be opened. */
interface Parts {
  pool?: ProcessPool;
  desk?: Desk;
  tracing?: Tracing;
}

/** Opens the service. Throws `usage` where the folder or the port cannot be used; the queue is closed then, too. */
export async function serve(options: ServeOptions): Promise<RunningService> {
  const parts: Parts = {};
  const stop = async () => {
    await parts.pool?.close();
    await options.queue?.close();
    await parts.desk?.close();
    await parts.tracing?.close();
  };
  try {
    return await opened(options, parts, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function opened(options: ServeOptions, parts: Parts, stop: () => Promise<void>): Promise<RunningService> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const catalogue = await openCatalogue(options.models);
  const log = openLog(options.onLog ?? (() => {}), options.onLog ? (options.logLevel ?? 'info') : 'silent');
  const tracing = await openTracing('rgi-serve');
  parts.tracing = tracing;
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / limits.processes));
  const pool = openProcesses(limits, threads, (message) => log.warn(message));
  parts.pool = pool;
  const admission = openAdmission(limits);
  const metrics = openMetrics(pool, admission, options.queue);
  const desk = await openDesk(
    pool,
    limits,
    (job, reason) => {
      metrics.job(job);
      const { kind, model, traceparent } = job;
      if (traceparent !== undefined)
        tracing?.job({ kind, model, stages: job.stages ?? {}, problem: job.problem?.detail }, traceparent);
      const { wait = 0, ...stages } = job.stages ?? {};
      if (job.state === 'done') admission.learn(Object.values(stages).reduce((sum, one) => sum + one, 0));
      logJob(log, job, reason);
    },
    options.queue,
  );
  parts.desk = desk;
  const gate = openGate(options.tokens);
  const app = createApp({
    catalogue,
    pool,
    admission,
    desk,
    queue: options.queue,
    gate,
    limits,
    metrics,
    log,
    tracing,
    studio: options.studio,
  });
  const server = await listening(app.fetch, options, limits);
  const url = urlOf(server.address() as AddressInfo);
  log.info({ url, models: options.models, limits, tokens: options.tokens?.length ?? 0 }, 'serving');
  return {
    url,
    pids: () => pool.pids(),
    async close() {
      log.info({ active: admission.active() }, 'draining');
      admission.close();
      desk.detach();
      const timer = setTimeout(() => desk.cancelAll(), limits.drainSeconds * 1000);
      const limit = new Promise((resolve) => setTimeout(resolve, (limits.drainSeconds + 1) * 1000).unref());
      await Promise.race([admission.idle(), limit]);
      clearTimeout(timer);
      await closed(server);
      await stop();
      log.info('ended');
    },
  };
}

function listening(
  fetch: (request: Request) => Response | Promise<Response>,
  { host = '127.0.0.1', port = 8080 }: ServeOptions,
  { bodySeconds }: ServiceLimits,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const ms = bodySeconds * 1000;
    const serverOptions = {
      requestTimeout: ms,
      headersTimeout: ms,
      connectionsCheckingInterval: Math.min(1000, ms / 2),
    };
    const server = listen({ fetch, hostname: host, port, serverOptions }, () => resolve(server)) as Server;
    server.maxConnections = MAX_CONNECTIONS;
    server.once('error', (error) => {
      const sentence = `${host}:${port} cannot be listened on (${messageOf(error)}); choose another --port or --host.`;
      reject(new RgiError('usage', sentence, {}, { cause: error }));
    });
  });
}

/** Answers that are under way are finished; what is left after a while is cut off. */
async function closed(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
}

function urlOf({ family, address, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function logJob(log: Log, { id, kind, model, state, owner, requestId, stages, problem }: Job, reason: unknown): void {
  const facts = {
    job: id,
    kind,
    model,
    state,
    owner,
    requestId,
    stages,
    ...(problem ? { problem: problem.detail } : {}),
  };
  if (problem?.status === 500) log.error({ ...facts, err: reason }, 'job');
  else log.info(facts, 'job');
}
