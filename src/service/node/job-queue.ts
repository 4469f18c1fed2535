/** A queue from which workers elsewhere take the jobs of a service, as the service sees it. */
import type { DetectOrder, RestoreOrder } from './orders.ts';
import type { Computed, JobHooks } from './processes.ts';

/** What is known of a job wherever the service runs, also after it was killed. */
export interface RecordedJob {
  readonly id: string;
  readonly kind: 'restore' | 'detect';
  /** Its name in the folder of models. */
  readonly model: string;
  /** The name of the token that it was sent with. */
  readonly owner: string | undefined;
  readonly requestId: string;
  readonly created: Date;
  /** What the queue knows of it. */
  readonly queued: unknown;
}

/** Why a job is waited for no longer: another service cancelled it. */
export const FORGOTTEN = Symbol('forgotten');

export interface JobQueue {
  /** Throws 503 where the queue cannot be reached now. */
  check(): void;
  /** Records a job and queues it: it outlives the service from then on. Rejects with 503 where the queue cannot be reached. */
  add(
    job: Omit<RecordedJob, 'queued'>,
    order: RestoreOrder | DetectOrder,
    /** Of the trace of its request (W3C Trace Context). */
    traceparent?: string,
  ): Promise<RecordedJob>;
  /** Waits for a worker to do it; the files of the results are put into `folder`/out. Rejects with the signal's reason, or `FORGOTTEN`. */
  wait(job: RecordedJob, folder: string, hooks: JobHooks): Promise<Computed<'restore' | 'detect'>>;
  /** A job that was recorded by this or another service. */
  find(id: string): Promise<RecordedJob | undefined>;
  /** All that are recorded. */
  recorded(): Promise<RecordedJob[]>;
  /** Nobody needs the job or its results any longer: it is taken out of the queue, or its worker ends it. */
  forget(job: RecordedJob): Promise<void>;
  /** Jobs that wait, of all senders; undefined where the queue cannot be reached. */
  waiting(): Promise<number | undefined>;
  close(): Promise<void>;
}
