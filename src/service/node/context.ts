/** What the routes work with, and what is known of a request. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ServiceLimits } from '../limits.ts';
import type { Admission } from './admission.ts';
import type { Catalogue } from './catalogue.ts';
import type { Desk } from './desk.ts';
import type { JobQueue } from './job-queue.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { ProcessPool } from './processes.ts';
import type { Gate } from './tokens.ts';
import type { Tracing } from './tracing.ts';

export interface Service {
  readonly catalogue: Catalogue;
  readonly pool: ProcessPool;
  readonly admission: Admission;
  readonly desk: Desk;
  /** Where workers elsewhere compute the jobs. */
  readonly queue?: JobQueue;
  readonly gate: Gate;
  readonly limits: ServiceLimits;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Where a collector of traces is named. */
  readonly tracing?: Tracing;
  /** The pages of the studio, by addresses without /studio. */
  readonly studio?: (request: Request) => Response | Promise<Response>;
}

export interface Env {
  Variables: {
    /** Of the log; echoed as X-Request-Id. */
    requestId: string;
    /** Of the request's span (W3C Trace Context); undefined without a collector. */
    traceparent: string | undefined;
    /** Name of the token; undefined where the service has none. */
    owner: string | undefined;
    /** Jobs that the token may have at a time. */
    mayHave: number | undefined;
  };
}

export type App = OpenAPIHono<Env>;
