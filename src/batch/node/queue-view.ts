/** The queue as its operator sees it: how much waits, what failed and why, and what is to become of that. */
import type { Job } from 'bullmq';
import { RgiError } from '../../errors.ts';
import { isKey, type Queued } from '../queue-data.ts';
import { openShared } from './open-shared.ts';
import { connect, openQueue } from './redis.ts';

/** Jobs by state. */
export type Counts = Readonly<Record<'waiting' | 'running' | 'delayed' | 'failed', number>>;

/** A job that failed for good. */
export interface DeadLetter {
  readonly key: string;
  readonly kind: string;
  readonly model: string;
  readonly reason: string;
  readonly attempts: number;
  readonly failedAt?: string;
}

export interface QueueView {
  counts(): Promise<Counts>;
  /** What failed, the latest first, page by page. */
  failed(): AsyncGenerator<DeadLetter>;
  /** Sends jobs that failed again: those of the keys, or all. Returns how many. Throws `usage` where a key is of none. */
  retry(keys: readonly string[]): Promise<number>;
  /** Forgets jobs that failed, as `retry`. */
  discard(keys: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

const PAGE = 100;

/**
 * @param shared The folder or bucket of senders and workers, from which what was sent with discarded jobs is removed; absent: it stays.
 *
 * Throws `input` where no Redis answers, and `usage` where there is no such folder.
 */
export async function openQueueView(url: string, shared?: string): Promise<QueueView> {
  const place = shared === undefined ? undefined : await openShared(shared, 'workers');
  const redis = await connect(url);
  const queue = openQueue(redis);

  async function* dead(): AsyncGenerator<Job<Queued>> {
    for (let from = 0; ; from += PAGE) {
      const page = await queue.getFailed(from, from + PAGE - 1);
      yield* page;
      if (page.length < PAGE) return;
    }
  }

  const each = async (keys: readonly string[], change: (job: Job<Queued>) => Promise<void>): Promise<number> => {
    const jobs: Job<Queued>[] = [];
    // All are found before one is changed: the list is read page by page.
    if (keys.length === 0) for await (const job of dead()) jobs.push(job);
    for (const key of keys) {
      const job = await queue.getJob(key);
      if (!job || !(await job.isFailed()))
        throw new RgiError('usage', `No job of the key ${key} has failed; 'rgi queue failed' lists those that have.`);
      jobs.push(job);
    }
    for (const job of jobs) await change(job);
    return jobs.length;
  };

  return {
    async counts() {
      const found = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
      return {
        waiting: found.waiting + found.prioritized,
        running: found.active,
        delayed: found.delayed,
        failed: found.failed,
      };
    },
    async *failed() {
      for await (const { id, data, failedReason, attemptsMade, finishedOn } of dead())
        yield {
          key: String(id),
          kind: String(data?.kind),
          model: String(data?.model?.name),
          reason: failedReason,
          attempts: attemptsMade,
          ...(finishedOn === undefined ? {} : { failedAt: new Date(finishedOn).toISOString() }),
        };
    },
    retry: (keys) => each(keys, (job) => job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })),
    async discard(keys) {
      // What was sent with jobs that Redis has forgotten is known by the names of its folders.
      const forgotten: string[] = [];
      for (const key of keys) if (place && isKey(key) && !(await queue.getJob(key))) forgotten.push(key);
      const known = keys.filter((key) => !forgotten.includes(key));
      const discardJob = async (job: Job<Queued>) => {
        // It may have been sent again meanwhile.
        if (!(await job.isFailed())) return;
        if (isKey(String(job.id))) await place?.discard(String(job.id));
        await job.remove();
      };
      // Without a key, each is about all.
      const removed = known.length === 0 && forgotten.length > 0 ? 0 : await each(known, discardJob);
      for (const key of forgotten) await place?.discard(key);
      return removed + forgotten.length;
    },
    async close() {
      await queue.close();
      redis.disconnect();
    },
  };
}
