/** The connection to Redis or Valkey, and the queue in it. */

import { setTimeout as later } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { QUEUE, type Queued } from '../queue-data.ts';

/** How long Redis may take to answer at the start. */
const CONNECT_MS = 5000;

/** How often a job is begun that fails otherwise than by its picture, and how long it waits before the next time, doubled each time. */
const ATTEMPTS = 5;
const BACK_OFF_MS = 1000;

/** How long jobs that failed are kept, and how many: of a service whose clients send bad pictures there is no end. */
const LETTER_SECONDS = 30 * 24 * 3600;
const MAX_LETTERS = 10_000;

/** A connection that outlives restarts of Redis: commands wait until it is back. Throws `input` where none answers at the start. */
export async function connect(url: string): Promise<Redis> {
  if (!/^rediss?:\/\//.test(url))
    throw new RgiError('usage', `--redis is an address such as redis://127.0.0.1:6379, not '${withoutSecret(url)}'.`);
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    retryStrategy: (n) => Math.min(n * 100, 2000),
  });
  let last: unknown = `no answer within ${CONNECT_MS / 1000} s`;
  // Each failed attempt is reported here; it is tried again.
  redis.on('error', (error) => {
    last = error;
  });
  const controller = new AbortController();
  const late = later(CONNECT_MS, undefined, { signal: controller.signal }).then(() => Promise.reject(last));
  try {
    // The first attempt may fail and a later one succeed.
    redis.connect().catch(() => undefined);
    const ping = redis.ping();
    ping.catch(() => undefined);
    await Promise.race([ping, late]);
    return redis;
  } catch {
    redis.disconnect();
    throw new RgiError(
      'input',
      `No Redis or Valkey answers at ${withoutSecret(url)} (${messageOf(last)}); start one, for instance with 'redis-server --appendonly yes'.`,
    );
  } finally {
    late.catch(() => undefined);
    controller.abort();
  }
}

/** The password of an address is for no log. */
export function withoutSecret(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

/** The queue of all pictures that are to be done, whoever sent them. */
export function openQueue(redis: Redis, name: string = QUEUE): Queue<Queued> {
  const queue = new Queue<Queued>(name, {
    connection: redis,
    defaultJobOptions: {
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: BACK_OFF_MS },
      // What is done is in the shared folder; what failed stays for a while, to be looked at and sent again.
      removeOnComplete: true,
      removeOnFail: { age: LETTER_SECONDS, count: MAX_LETTERS },
    },
  });
  // The connection tries again by itself; unheard, the error would be printed.
  queue.on('error', () => undefined);
  return queue;
}

/** What a job is known by: two jobs of one key have one result. */
export function keyOfJob(job: Queued): string {
  const { kind, program, rules, model, options, picture, mask } = job;
  const sorted = Object.fromEntries(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sha256OfContent(JSON.stringify([kind, program, rules, model.identity, sorted, picture, mask ?? null]));
}
