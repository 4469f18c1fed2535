/** The queue as one sender sees it: puts jobs into it, and waits for what comes of them, whatever is lost meanwhile. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { type Job, QueueEvents } from 'bullmq';
import { QUEUE, type Queued } from '../queue-data.ts';
import { connect, keyOfJob, openQueue } from './redis.ts';
import type { SentFiles, Shared, Taken } from './shared.ts';

export interface SenderOptions {
  readonly redis: string;
  /** Of Redis. Default: the one that all share. */
  readonly queue?: string;
  readonly shared: Shared;
  /** Who waits for the results; the same after a restart. */
  readonly name: string;
  /** Jobs of a smaller number are done first; 0, the default, before all others. */
  readonly priority?: number;
  /** Aborted: nothing is waited for any longer; what was sent stays in the queue. */
  readonly signal?: AbortSignal;
}

/** A result, with the folder of its files; or why there is none. */
export type Answer = Taken | { readonly error: string };

export interface Sender {
  /** Sends a picture, and waits for what comes of it. Rejects where the run is interrupted. */
  answer(queued: Queued, files: SentFiles): Promise<Answer>;
  /** The result is not needed any longer. */
  release(queued: Queued): Promise<void>;
  isStopped(): boolean;
  close(): Promise<void>;
}

/** How often a job is looked at whose end was not reported: Redis may have lost it. */
const LOOK_MS = 2000;

/** Throws `input` where no Redis answers. */
export async function openSender(options: SenderOptions): Promise<Sender> {
  const { redis: url, queue: line = QUEUE, shared, name, priority = 0, signal } = options;
  const redis = await connect(url);
  const queue = openQueue(redis, line);
  const events = new QueueEvents(line, { connection: redis.duplicate() });
  const bells = openBells(signal);
  events.on('completed', ({ jobId }) => bells.ring(jobId));
  events.on('failed', ({ jobId }) => bells.ring(jobId));
  events.on('error', () => undefined);
  // What a place that is not on this machine is copied to.
  const scratch = await mkdtemp(path.join(tmpdir(), 'rgi-send-'));

  return {
    async answer(queued, files) {
      const key = keyOfJob(queued);
      const bell = bells.open(key);
      const to = await mkdtemp(path.join(scratch, 'job-'));
      try {
        for (let isFirst = true; ; isFirst = false) {
          // Before the result is looked for: a job that is gone by now has left one, or is lost.
          const job: Job<Queued> | undefined = await queue.getJob(key);
          const taken = await shared.take(key, to);
          if (taken) {
            // So that nobody else removes it before it is used; where it went meanwhile, it is made again.
            await shared.place(key, files, name);
            if (await shared.hasResult(key)) return taken;
          }
          await shared.place(key, files, name);
          const isDead = job !== undefined && (await job.isFailed());
          if (isDead && !isFirst) return { error: job.failedReason };
          // A dead letter of an earlier run is tried again. Another sender may have removed it at this moment.
          if (isDead) await job.remove().catch(() => undefined);
          if (!job || isDead)
            await queue.add(queued.kind, queued, { jobId: key, ...(priority > 0 ? { priority } : {}) });
          if (signal?.aborted) throw signal.reason;
          await bell.wait(LOOK_MS);
        }
      } finally {
        bell.close();
      }
    },
    release: (queued) => shared.release(keyOfJob(queued), name),
    isStopped: () => signal?.aborted ?? false,
    async close() {
      bells.close();
      await events.close();
      await queue.close();
      redis.disconnect();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

interface Bell {
  /** Resolves when it was rung since the last time, or after `ms`. */
  wait(ms: number): Promise<void>;
  close(): void;
}

/** Reports of jobs to those who wait for them; a report between two looks is not missed. */
function openBells(signal: AbortSignal | undefined) {
  const all = new Map<string, Set<() => void>>();
  const ring = (key: string) => {
    for (const one of all.get(key) ?? []) one();
  };
  const ringAll = () => {
    for (const key of all.keys()) ring(key);
  };
  signal?.addEventListener('abort', ringAll);
  return {
    ring,
    open(key: string): Bell {
      let rung = new AbortController();
      const one = () => rung.abort();
      const own = all.get(key) ?? new Set();
      all.set(key, own.add(one));
      return {
        async wait(ms) {
          if (!signal?.aborted) await later(ms, undefined, { signal: rung.signal }).catch(() => undefined);
          rung = new AbortController();
        },
        close() {
          own.delete(one);
          if (own.size === 0 && all.get(key) === own) all.delete(key);
        },
      };
    },
    close: () => signal?.removeEventListener('abort', ringAll),
  };
}
