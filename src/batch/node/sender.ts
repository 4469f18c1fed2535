/** The queue as one sender sees it: puts jobs into it, and waits for what comes of them, whatever is lost meanwhile. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { reasonOf } from '../../files/node/bucket.ts';
import type { JobHooks } from '../../service/node/processes.ts';
import { progressSchema, QUEUE, type Queued } from '../queue-data.ts';
import { connect, keyOfJob, openQueue } from './redis.ts';
import type { SentFiles, Shared, Taken } from './shared.ts';

export interface SenderOptions {
  readonly redis: string;
  /** Of Redis. Default: the one that all share. */
  readonly queue?: string;
  readonly shared: Shared;
  /** Jobs of a smaller number are done first; 0, the default, before all others. */
  readonly priority?: number;
}

/** A result, with the folder of its files; or why there is none, and, of a job that failed, whether the picture is the reason. */
export type Answer = Taken | { readonly error: string; readonly isOfPicture?: boolean };

export interface AnswerOptions extends JobHooks {
  /** Who waits for the result; the same after a restart. */
  readonly name: string;
  /** What is sent; without it, it was sent before. */
  readonly files?: SentFiles | Promise<SentFiles | undefined>;
  /** Does nobody need what is sent any longer? Then it is not put there again. Default: never. */
  readonly isForgotten?: () => Promise<boolean>;
  /** Is a job that failed before tried again? Default true. */
  readonly again?: boolean;
}

export interface Sender {
  readonly redis: Redis;
  readonly queue: Queue<Queued>;
  /**
   * Sends a picture, and waits for what comes of it. A shared place that fails is asked again for a while. Rejects where it refuses or fails
   * for long, and with the reason of an aborted signal: what was sent stays in the queue.
   */
  answer(queued: Queued, options: AnswerOptions): Promise<Answer>;
  /** The files of an answer are no longer needed on this machine. */
  drop(answer: Answer): Promise<void>;
  /** Puts a job into the queue whose files are in the shared place. */
  enqueue(queued: Queued): Promise<void>;
  /** Nobody of that name needs the result any longer. */
  release(queued: Queued, name: string): Promise<void>;
  close(): Promise<void>;
}

/** How often a job is looked at whose end was not reported: Redis may have lost it. */
const LOOK_MS = 2000;

/** How long what is asked of the shared place may fail in a row: outages are waited for. */
export const MAX_OUTAGE_MS = 600_000;

/** How long the end of a connection may take: Redis may be gone. */
const CLOSE_MS = 2000;

/** Throws `input` where no Redis answers. */
export async function openSender({
  redis: url,
  queue: line = QUEUE,
  shared,
  priority = 0,
}: SenderOptions): Promise<Sender> {
  const redis = await connect(url);
  const queue = openQueue(redis, line);
  const events = new QueueEvents(line, { connection: redis.duplicate() });
  const reports = openReports();
  events.on('completed', ({ jobId }) => reports.tell(jobId, { kind: 'ended' }));
  events.on('failed', ({ jobId }) => reports.tell(jobId, { kind: 'ended' }));
  events.on('active', ({ jobId }) => reports.tell(jobId, { kind: 'started' }));
  events.on('progress', ({ jobId, data }) => {
    const parsed = progressSchema.safeParse(data);
    if (parsed.success) reports.tell(jobId, { kind: 'progress', ...parsed.data });
  });
  events.on('error', () => undefined);
  let isClosed = false;
  // What a place that is not on this machine is copied to.
  const scratch = await mkdtemp(path.join(tmpdir(), 'rgi-send-'));
  const add = (key: string, queued: Queued) =>
    queue.add(queued.kind, queued, { jobId: key, ...(priority > 0 ? { priority } : {}) });

  /** One look: what came of the job, or it is made sure that it waits. */
  const look = async (
    key: string,
    queued: Queued,
    to: string,
    mayRetry: boolean,
    { name, files: given, isForgotten }: AnswerOptions,
  ): Promise<Answer | undefined> => {
    // Before the result is looked for: a job that is gone by now has left one, or is lost.
    const job: Job<Queued> | undefined = await queue.getJob(key);
    const files = await given;
    const isPlaced = files !== undefined;
    const taken = await shared.take(key, to);
    if (taken) {
      // So that nobody else removes it before it is used; where it went meanwhile, it is made again.
      if (isPlaced) await shared.place(key, files, name);
      if (await shared.hasResult(key)) return taken;
    }
    if (isPlaced ? await isForgotten?.() : !(await shared.isWanted(key)))
      return { error: 'What was sent is gone from the shared folder.' };
    if (isPlaced) await shared.place(key, files, name);
    const isDead = job !== undefined && (await job.isFailed());
    // Only a fault of the picture ends a job before its last attempt.
    if (isDead && !mayRetry)
      return { error: job.failedReason, isOfPicture: job.attemptsMade < (job.opts.attempts ?? 1) };
    // A dead letter of an earlier run is tried again. Another sender may have removed it at this moment.
    if (isDead) await job.remove().catch(() => undefined);
    if (!job || isDead) await add(key, queued);
    return undefined;
  };

  return {
    redis,
    queue,
    async answer(queued, options) {
      const key = keyOfJob(queued);
      const { signal } = options;
      const post = reports.open(key, options);
      // Made by a shared place whose files are not on this machine.
      const to = path.join(scratch, randomUUID());
      let answer: Answer | undefined;
      let isFirst = true;
      let failedSince: number | undefined;
      try {
        for (;;) {
          try {
            answer = await unlessAborted(signal, look(key, queued, to, isFirst && (options.again ?? true), options));
            if (answer) return answer;
            isFirst = false;
            failedSince = undefined;
          } catch (error) {
            failedSince ??= performance.now();
            if (signal?.aborted || isClosed || isRefusal(error)) throw error;
            if (performance.now() - failedSince > MAX_OUTAGE_MS) throw error;
          }
          await post.news(LOOK_MS);
        }
      } finally {
        post.close();
        if (!answer) await rm(to, { recursive: true, force: true });
      }
    },
    async drop(answer) {
      // Files that lie in a shared folder are not this sender's.
      if ('folder' in answer && path.dirname(answer.folder) === scratch)
        await rm(answer.folder, { recursive: true, force: true });
    },
    async enqueue(queued) {
      const key = keyOfJob(queued);
      const job = await queue.getJob(key);
      if (job && (await job.isFailed())) await job.remove().catch(() => undefined);
      await add(key, queued);
    },
    async release(queued, name) {
      const key = keyOfJob(queued);
      await shared.release(key, name);
      if (await shared.isWanted(key)) return;
      const job = await queue.getJob(key);
      // One that is computed cannot be taken out: its worker sees that nobody waits.
      if (job && !(await job.isFailed())) await job.remove().catch(() => undefined);
    },
    async close() {
      isClosed = true;
      await Promise.race([events.close(), later(CLOSE_MS, undefined, { ref: false })]);
      await Promise.race([queue.close(), later(CLOSE_MS, undefined, { ref: false })]);
      redis.disconnect();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Asking again is of no use: what is sent or shared may not be used, or does not exist. */
export function isRefusal(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === 'denied' || reason === 'missing';
}

/** Rejects with the reason as soon as the signal is aborted, even where Redis does not answer. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

type Report =
  | { readonly kind: 'started' | 'ended' }
  | { readonly kind: 'progress'; readonly share: number; readonly what: string };

/** Reports of jobs to those who wait for them; a report between two looks is not missed. */
function openReports() {
  const all = new Map<string, Set<(report: Report) => void>>();
  return {
    tell(key: string, report: Report) {
      for (const one of all.get(key) ?? []) one(report);
    },
    open(key: string, { signal, onStart, onProgress }: JobHooks) {
      let ended = new AbortController();
      const ring = () => ended.abort();
      const one = (report: Report) => {
        if (report.kind === 'progress') onProgress?.(report.share, report.what);
        else if (report.kind === 'started') onStart?.();
        else ring();
      };
      const own = all.get(key) ?? new Set();
      all.set(key, own.add(one));
      signal?.addEventListener('abort', ring);
      return {
        /** Resolves when the job ended since the last time, or the signal was aborted, or after `ms`. */
        async news(ms: number) {
          if (!signal?.aborted) await later(ms, undefined, { signal: ended.signal }).catch(() => undefined);
          ended = new AbortController();
        },
        close() {
          signal?.removeEventListener('abort', ring);
          own.delete(one);
          if (own.size === 0 && all.get(key) === own) all.delete(key);
        },
      };
    },
  };
}
