/** Metrics in the text format of Prometheus: requests, jobs by stage, queue, processes with their memory, cache of models. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Admission } from './admission.ts';
import type { Job } from './desk.ts';
import type { JobQueue } from './job-queue.ts';
import type { ProcessPool } from './processes.ts';

export interface Metrics {
  readonly contentType: string;
  /** All of them, as text. */
  text(): Promise<string>;
  request(route: string, method: string, status: number, seconds: number): void;
  job(job: Job): void;
  /** Seconds of a stage of an order. */
  stage(kind: string, stage: string, seconds: number): void;
}

/** From a picture of 32 x 32 pixels to one that takes minutes. */
const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

export function openMetrics(pool: ProcessPool, admission: Admission, queue?: JobQueue): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: 'rgi_http_request_seconds',
    help: 'Seconds from the head of a request to that of its answer.',
    labelNames: ['route', 'method', 'status'],
    buckets: SECONDS,
    registers,
  });
  const stages = new Histogram({
    name: 'rgi_job_stage_seconds',
    help: 'Seconds of a job by stage: wait (in the queue), open (the model), read (the picture), search, write (the results); of tensors compute in place of the last three.',
    labelNames: ['kind', 'stage'],
    buckets: SECONDS,
    registers,
  });
  const jobs = new Counter({
    name: 'rgi_jobs_total',
    help: 'Jobs by how they ended.',
    labelNames: ['kind', 'state'],
    registers,
  });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  const held = (of: (one: ReturnType<ProcessPool['state']>['held'][number]) => number) =>
    pool.state().held.reduce((sum, one) => sum + of(one), 0);
  gauge('rgi_queue_jobs', 'Jobs that wait for a process.', () => pool.state().waiting);
  gauge('rgi_active_jobs', 'Jobs that wait, are computed, or whose bodies arrive.', admission.active);
  gauge('rgi_running_jobs', 'Jobs that are computed.', () => pool.state().running);
  gauge('rgi_processes_ready', 'Processes that can compute.', () => pool.state().ready);
  gauge('rgi_process_deaths', 'Processes that died unasked, since the start.', () => pool.state().died);
  gauge('rgi_models_open', 'Models that are open, of all processes.', () => held(({ models }) => models.length));
  gauge('rgi_compiled_steps', 'Compiled steps that are kept, of all processes.', () => held(({ steps }) => steps));
  gauge('rgi_processes_resident_bytes', 'Resident memory of all processes after their last job.', () =>
    held(({ bytes }) => bytes),
  );
  new Gauge({
    name: 'rgi_shared_queue_jobs',
    help: 'Jobs that wait in Redis, of all senders; -1 where it does not answer. Absent without --redis.',
    registers: queue ? registers : [],
    async collect() {
      this.set((await queue?.waiting()) ?? -1);
    },
  });
  new Gauge({
    name: 'rgi_model_lookups',
    help: 'Jobs whose model was open already (hit), or had to be opened (miss).',
    labelNames: ['result'],
    registers,
    collect() {
      const { hits, misses } = pool.state();
      this.set({ result: 'hit' }, hits);
      this.set({ result: 'miss' }, misses);
    },
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request: (route, method, status, seconds) => requests.observe({ route, method, status }, seconds),
    stage: (kind, stage, seconds) => stages.observe({ kind, stage }, seconds),
    job({ kind, state, stages: by = {} }) {
      jobs.inc({ kind, state });
      for (const [stage, seconds] of Object.entries(by)) stages.observe({ kind, stage }, seconds);
    },
  };
}
