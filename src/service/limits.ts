/** What the service allows: every limit has a default, an option of `rgi serve`, and a row in docs/serve.md. */

/** Limits of one service. */
export interface ServiceLimits {
  /** Largest body of a request, in bytes. Beyond it: 413. */
  readonly maxBytes: number;
  /** Largest picture, in pixels. Beyond it: 413. */
  readonly maxPixels: number;
  /** Most steps of a restoration: those of all its stages, times the searches that compete. Beyond it: 400. */
  readonly maxSteps: number;
  /** Most seconds that a job may be computed. Beyond it its process is replaced: 422. */
  readonly jobSeconds: number;
  /** Most seconds that a request may take to arrive, so that slow senders hold nothing. Beyond it: 408. */
  readonly bodySeconds: number;
  /** Jobs that may wait beside those that are computed. Beyond it: 429. */
  readonly queue: number;
  /** Processes that compute, each one job at a time. */
  readonly processes: number;
  /** Memory of each, in megabytes (2^20 bytes). Beyond it the process is replaced: 422. */
  readonly processMegabytes: number;
  /** Seconds for which the results of a finished job can be fetched. Afterwards: 404. */
  readonly keepSeconds: number;
  /** Finished jobs that are kept; the oldest go first. */
  readonly keepJobs: number;
  /** Seconds that jobs have to finish when the service is asked to end. */
  readonly drainSeconds: number;
}

export const DEFAULT_LIMITS: ServiceLimits = {
  maxBytes: 32 * 2 ** 20,
  maxPixels: 25_000_000,
  maxSteps: 100_000,
  jobSeconds: 300,
  bodySeconds: 30,
  queue: 32,
  processes: 1,
  processMegabytes: 4096,
  keepSeconds: 600,
  keepJobs: 256,
  drainSeconds: 30,
};
