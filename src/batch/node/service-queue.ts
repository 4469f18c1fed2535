/**
 * The queue of a service: its jobs are recorded in Redis, computed by workers, and waited for by whatever service there is, so that they
 * outlive the one that took them.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { z } from 'zod';
import { INSPECTION_RULES } from '../../detect/inspector.ts';
import { detectRecordSchema } from '../../detect/node/record.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { isThere } from '../../files/node/regular.ts';
import { RESTORE_RULES } from '../../inversion/solve/restore.ts';
import { jsonOf } from '../../jobs/json.ts';
import { VERSION } from '../../jobs/node/program.ts';
import { imageRecordSchema } from '../../restore/node/manifest.ts';
import { FORGOTTEN, type JobQueue, type RecordedJob } from '../../service/node/job-queue.ts';
import type { DetectOrder, RestoreOrder } from '../../service/node/orders.ts';
import { HttpError } from '../../service/problem.ts';
import { QUEUE, type Queued, queuedSchema } from '../queue-data.ts';
import { openIdentities } from './models.ts';
import { openShared } from './open-shared.ts';
import { keyOfJob } from './redis.ts';
import { isRefusal, openSender, type Sender, unlessAborted } from './sender.ts';
import type { SentFiles } from './shared.ts';

export interface ServiceQueueOptions {
  readonly redis: string;
  /** A folder or a bucket that the workers share. */
  readonly shared: string;
  /** Of Redis. Default: the one that all share. */
  readonly queue?: string;
}

/** How long Redis may take to answer a request, and after how long it is worth asking again. */
const REDIS_MS = 5000;
const RETRY_SECONDS = 2;

/** How long the record of a job may be there after what was sent is gone. */
const FORGET_MS = 1000;

const recordSchema = z.object({
  id: z.uuid(),
  kind: z.enum(['restore', 'detect']),
  model: z.string(),
  owner: z.string().optional(),
  requestId: z.string(),
  created: z.coerce.date(),
  queued: queuedSchema,
});

/** Throws `input` where no Redis answers, and `usage` where there is no such folder. */
export async function openServiceQueue(options: ServiceQueueOptions): Promise<JobQueue> {
  const { redis: url, queue: line = QUEUE } = options;
  const shared = await openShared(options.shared, 'workers');
  const sender = await openSender({ redis: url, queue: line, shared });
  const { redis, queue } = sender;
  const identityOf = openIdentities();
  const records = `${line}:service-jobs`;
  const check = () => {
    if (redis.status !== 'ready') throw lost();
  };
  const soon = async <T>(work: () => Promise<T>): Promise<T> => {
    check();
    const timer = new AbortController();
    const late = later(REDIS_MS, undefined, { signal: timer.signal }).then(() => Promise.reject(lost()));
    late.catch(() => undefined);
    try {
      return await Promise.race([work(), late]);
    } finally {
      timer.abort();
    }
  };
  return {
    check,
    async add(job, order, traceparent) {
      const { queued, files } = await queuedOf(order, identityOf, traceparent);
      const recorded: RecordedJob = { ...facts(job), queued };
      let asked: Promise<unknown> = Promise.resolve();
      const ask = (work: () => Promise<unknown>) =>
        soon(() => {
          asked = work();
          return asked;
        });
      try {
        // Recorded first: what is recorded is queued again where it is lost.
        await ask(() => redis.hset(records, job.id, JSON.stringify(recorded)));
        // Takes the time that the picture needs.
        await shared.place(keyOfJob(queued), files, job.id).catch((error: unknown) => {
          throw isRefusal(error) ? internal(messageOf(error), error) : unwritable(error);
        });
        await ask(() => sender.enqueue(queued));
        return recorded;
      } catch (error) {
        // Taken or not, nobody waits for it; what Redis was asked to do may still be done.
        void asked
          .catch(() => undefined)
          .then(() => forget(sender, records, recorded))
          .catch(() => undefined);
        throw error;
      }
    },
    async wait(job, folder, hooks) {
      const began = performance.now();
      let started = began;
      const queued = job.queued as Queued;
      const onStart = () => {
        started = performance.now();
        hooks.onStart?.();
      };
      // Another service may have cancelled it. A Redis that lost its records has lost no job.
      const isForgotten = async () =>
        !(await redis.hexists(records, job.id)) && !(await shared.isWanted(keyOfJob(queued)));
      // Those of a job that this service took: they are put there again where the last one to leave took them away. They are looked for
      // while reports are heard already: a worker may have begun.
      const sent = filesIn(folder);
      const answer = await sender
        .answer(queued, { ...hooks, onStart, name: job.id, again: false, files: sent, isForgotten })
        .catch((error: unknown) => {
          if (hooks.signal?.aborted) throw error;
          throw internal(messageOf(error), error);
        });
      if ('error' in answer) {
        if (answer.isOfPicture) throw new RgiError('input', answer.error);
        // Its record goes after what was sent.
        await unlessAborted(hooks.signal, later(FORGET_MS));
        throw (await isForgotten()) ? FORGOTTEN : internal(answer.error);
      }
      const { record, files, stages } = answer.result;
      try {
        await mkdir(path.join(folder, 'out'), { recursive: true });
        for (const kind of Object.keys(files))
          await copyFile(path.join(answer.folder, kind), path.join(folder, 'out', `picture.${kind}`));
      } finally {
        await sender.drop(answer);
      }
      const result = job.kind === 'restore' ? imageRecordSchema.parse(record) : detectRecordSchema.parse(record);
      return { result, stages: { wait: (started - began) / 1000, ...stages } };
    },
    find: (id) => soon(async () => parsed(await redis.hget(records, id))),
    recorded: async () => Object.values(await redis.hgetall(records)).flatMap((text) => parsed(text) ?? []),
    forget: (job) => soon(() => forget(sender, records, job)),
    waiting: () =>
      soon(async () => {
        const { waiting, prioritized } = await queue.getJobCounts('waiting', 'prioritized');
        return waiting + prioritized;
      }).catch(() => undefined),
    close: () => sender.close(),
  };
}

/** For the log of the service: addresses of what it shares with its workers are no client's business. */
function internal(message: string, cause?: unknown): Error {
  return new Error(`The workers' part failed: ${message}`, { cause });
}

function unwritable(cause: unknown): HttpError {
  const sentence = 'What the service shares with its workers cannot be written now. Send the request again.';
  return new HttpError(503, sentence, { retryAfter: RETRY_SECONDS }, { cause });
}

function lost(): HttpError {
  return new HttpError(503, 'Redis, which holds the jobs, does not answer. Send the request again.', {
    retryAfter: RETRY_SECONDS,
  });
}

function facts({
  id,
  kind,
  model,
  owner,
  requestId,
  created,
}: Omit<RecordedJob, 'queued'>): Omit<RecordedJob, 'queued'> {
  return { id, kind, model, owner, requestId, created };
}

async function forget({ redis, release }: Sender, records: string, { id, queued }: RecordedJob): Promise<void> {
  await release(queued as Queued, id);
  await redis.hdel(records, id);
  // The service that took it may have put it there again meanwhile; from now on it does not.
  await release(queued as Queued, id);
}

function parsed(text: string | null): RecordedJob | undefined {
  const record = recordSchema.safeParse(jsonOf(text ?? '')).data;
  return record && { ...record, owner: record.owner };
}

/** What a request left in the folder of its job; undefined where the job was taken elsewhere. */
async function filesIn(folder: string): Promise<SentFiles | undefined> {
  const [picture, mask] = [path.join(folder, 'picture'), path.join(folder, 'mask')];
  if (!(await isThere(picture))) return undefined;
  return (await isThere(mask)) ? { picture, mask } : { picture };
}

async function queuedOf(
  order: RestoreOrder | DetectOrder,
  identityOf: (file: string) => Promise<string | undefined>,
  traceparent: string | undefined,
): Promise<{ readonly queued: Queued; readonly files: SentFiles }> {
  const { model, folder } = order;
  const identity = await identityOf(model.file);
  if (identity === undefined)
    throw new HttpError(503, `The model '${model.name}' cannot be read now.`, { retryAfter: 1 });
  const picture = path.join(folder, 'picture');
  const common = {
    program: VERSION,
    model: { name: model.name, identity },
    picture: await sha256Of(picture),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  if (order.kind === 'detect')
    return {
      queued: { ...common, kind: 'detect', rules: INSPECTION_RULES, options: order.options },
      files: { picture },
    };
  const files = (await filesIn(folder)) ?? { picture };
  return {
    queued: {
      ...common,
      kind: 'restore',
      rules: RESTORE_RULES,
      options: order.options,
      ...(files.mask === undefined ? {} : { mask: await sha256Of(files.mask) }),
    },
    files,
  };
}
