/**
 * A worker: takes pictures from the queue, has them computed by processes of its own, and leaves the results in the shared folder. Locks are
 * renewed here, where nothing is computed. What a lost worker had begun goes to another; a result appears whole, once.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import { INSPECTION_RULES } from '../../detect/inspector.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { reasonOf } from '../../files/node/bucket.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { RESTORE_RULES } from '../../inversion/solve/restore.ts';
import { VERSION } from '../../jobs/node/program.ts';
import type { ServiceLimits } from '../../service/limits.ts';
import type { Order, Stages } from '../../service/node/orders.ts';
import { openProcesses, type ProcessPool } from '../../service/node/processes.ts';
import { openTracing } from '../../service/node/tracing.ts';
import { QUEUE, type Queued, queuedSchema } from '../queue-data.ts';
import type { AnyRecord } from './kinds.ts';
import { modelFinder } from './models.ts';
import { openShared } from './open-shared.ts';
import { connect, keyOfJob } from './redis.ts';
import { isRefusal, MAX_OUTAGE_MS } from './sender.ts';
import type { Shared } from './shared.ts';

export interface WorkerOptions {
  /** Of Redis or Valkey: redis://HOST:PORT. */
  readonly redis: string;
  /** As of `rgi serve`: NAME.onnx, or NAME/generator.onnx. */
  readonly models: string;
  /** A folder or a bucket that senders and workers share. */
  readonly shared: string;
  readonly limits: ServiceLimits;
  /** CPU threads of each process. */
  readonly threads: number;
  /** After this time without a sign of life of a worker, its jobs go to others. */
  readonly lockSeconds: number;
  /** Of the queue. Default: the one that all share. */
  readonly queue?: string;
  readonly onEvent?: (event: WorkerEvent) => void;
}

export type WorkerEvent =
  | {
      readonly kind: 'done' | 'failed';
      readonly key: string;
      readonly model: string;
      readonly seconds: number;
      readonly message?: string;
    }
  | { readonly kind: 'warning'; readonly message: string };

export interface RunningWorker {
  /** Finishes what is in hand, and ends. */
  close(): Promise<void>;
}

/** How often a job may lose its worker, before it counts as one that kills workers. */
const MAX_LOST = 10;

/** How long it takes until a shared place that fails is asked again. */
const AWAY_MS = 2000;

/** Why a job is not computed to its end. */
const UNWANTED = Symbol('unwanted');

/** How often it is asked whether anyone waits for a job, and how often its progress is reported at most. */
const LOOK_MS = 2000;
const REPORT_MS = 250;

/** How long the end of the last picture may take to be reported. */
const CLOSE_MS = 5000;

/** Works until it is closed. Throws `input` where no Redis answers, and `usage` where a folder is none. */
export async function openWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { limits, threads, lockSeconds, queue = QUEUE, onEvent = () => {} } = options;
  const shared = await openShared(options.shared, 'senders');
  const find = await modelFinder(options.models);
  const tracing = await openTracing('rgi-worker');
  const redis = await connect(options.redis);
  const scratch = await mkdtemp(path.join(tmpdir(), 'rgi-worker-')).catch((error) => {
    redis.disconnect();
    throw error;
  });
  const pool = openProcesses(limits, threads, (message) => onEvent({ kind: 'warning', message }));
  const worker = new Worker<Queued>(queue, (job) => process(job), {
    connection: redis,
    concurrency: limits.processes,
    lockDuration: 1000 * lockSeconds,
    stalledInterval: 500 * lockSeconds,
    maxStalledCount: MAX_LOST,
  });
  const closing = new AbortController();
  const atShared = patience(closing.signal, (message) => onEvent({ kind: 'warning', message }));
  worker.on('error', (error) => onEvent({ kind: 'warning', message: messageOf(error) }));

  const inHand = new Set<Promise<void>>();
  const process = (job: Job<Queued>): Promise<void> => {
    const processed = processOne(job).finally(() => inHand.delete(processed));
    inHand.add(processed);
    return processed;
  };
  const trace = ({ data, timestamp, processedOn = timestamp }: Job<Queued>, stages: Stages, problem?: string) =>
    tracing?.job(
      {
        kind: String(data?.kind),
        model: String(data?.model?.name),
        stages: { wait: (processedOn - timestamp) / 1000, ...stages },
        problem,
      },
      data?.traceparent,
    );
  const processOne = async (job: Job<Queued>): Promise<void> => {
    const began = performance.now();
    const finished = (kind: 'done' | 'failed', message?: string) =>
      onEvent({
        kind,
        key: job.id ?? '',
        model: String(job.data?.model?.name),
        seconds: (performance.now() - began) / 1000,
        message,
      });
    try {
      const stages = await work(checked(job), { shared, atShared, scratch, limits, pool, find }, reporter(job));
      trace(job, stages);
      finished('done');
    } catch (error) {
      trace(job, {}, messageOf(error));
      finished('failed', messageOf(error));
      throw isOfPicture(error) ? new UnrecoverableError(messageOf(error)) : error;
    }
  };

  return {
    async close() {
      closing.abort();
      const closed = worker.close();
      await Promise.allSettled(inHand);
      // A connection that has just come back may keep BullMQ waiting; what was in hand is reported long before.
      await Promise.race([closed, later(CLOSE_MS, undefined, { ref: false })]);
      await pool.close();
      await tracing?.close();
      redis.disconnect();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Trying again is of no use. */
function isOfPicture(error: unknown): boolean {
  return error instanceof RgiError && (error.code === 'input' || error.code === 'usage' || error.code === 'check');
}

/** What comes out of the queue is believed as little as any other input. */
function checked({ data, id }: Job<Queued>): Queued {
  const parsed = queuedSchema.safeParse(data);
  if (!parsed.success || keyOfJob(parsed.data) !== id)
    throw new UnrecoverableError('The job is none of rgi: its data are not of the form that rgi batch sends.');
  const { program, kind, rules } = parsed.data;
  const own = kind === 'restore' ? RESTORE_RULES : INSPECTION_RULES;
  if (program === VERSION && rules === own) return parsed.data;
  throw new Error(
    `The job is of rgi ${program}, rules ${rules}; this worker is ${VERSION}, rules ${own}. Start workers of that version.`,
  );
}

/** Does what is to be done at the shared place, which may fail for a while. */
type Patience = <T>(ask: () => Promise<T>) => Promise<T>;

interface Place {
  readonly shared: Shared;
  readonly atShared: Patience;
  readonly scratch: string;
  readonly limits: ServiceLimits;
  readonly pool: ProcessPool;
  find(identity: string, name: string): ReturnType<Awaited<ReturnType<typeof modelFinder>>>;
}

async function work(job: Queued, place: Place, onProgress: (share: number, what: string) => void): Promise<Stages> {
  const { shared, atShared, scratch, limits, pool, find } = place;
  const key = keyOfJob(job);
  if (await atShared(() => shared.hasResult(key))) return {};
  const model = await find(job.model.identity, job.model.name);
  const folder = await mkdtemp(path.join(scratch, 'job-'));
  try {
    await fetched(place, key, 'picture', path.join(folder, 'picture'), job.picture);
    if (job.mask !== undefined) await fetched(place, key, 'mask', path.join(folder, 'mask'), job.mask);
    const { maxPixels, maxSteps } = limits;
    const order: Order =
      job.kind === 'restore'
        ? { kind: job.kind, model, folder, options: job.options, masked: job.mask !== undefined, maxPixels, maxSteps }
        : { kind: job.kind, model, folder, options: job.options, maxPixels };
    const { result, stages } = await whileWanted(shared, key, (signal) => pool.run(order, { signal, onProgress }));
    const made = path.join(folder, 'out');
    const files = await hashesOf(made, result);
    await atShared(() => shared.deliver(key, made, { record: result, files, stages }));
    return stages;
  } catch (error) {
    if (error !== UNWANTED) throw error;
    return {};
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends what nobody waits for any longer. */
async function whileWanted<T>(shared: Shared, key: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setInterval(async () => {
    // What cannot be asked now is asked again.
    if (!(await shared.isWanted(key).catch(() => true))) controller.abort(UNWANTED);
  }, LOOK_MS);
  try {
    return await run(controller.signal);
  } finally {
    clearInterval(timer);
  }
}

/** Reports at most so often to whoever sent the job. */
function reporter(job: Job<Queued>): (share: number, what: string) => void {
  let next = 0;
  return (share, what) => {
    const now = performance.now();
    if (now < next) return;
    next = now + REPORT_MS;
    job.updateProgress({ share, what }).catch(() => undefined);
  };
}

/** Asks a shared place that fails again, as long as senders do; a refusal is none of that. What fails then is no fault of the picture. */
function patience(signal: AbortSignal, warn: (message: string) => void): Patience {
  return async (ask) => {
    const began = performance.now();
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const sentence = `The shared folder cannot be used now (${messageOf(error)}).`;
        if (isRefusal(error) || signal.aborted || performance.now() - began > MAX_OUTAGE_MS)
          throw new Error(sentence, { cause: error });
        warn(`${sentence} It is asked again in ${AWAY_MS / 1000} s.`);
        await later(AWAY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };
}

async function fetched({ shared, atShared }: Place, key: string, name: 'picture' | 'mask', to: string, sha256: string) {
  const isThere = await atShared(() =>
    shared.fetch(key, name, to).then(
      () => true,
      (error) => {
        if (reasonOf(error) === 'missing') return false;
        throw error;
      },
    ),
  );
  if (!isThere) throw new Error(`The shared folder lacks the ${name} of the job; is it the sender's?`);
  if ((await sha256Of(to)) !== sha256) throw new Error(`${name} in the shared folder is not the one that was sent.`);
}

/** By kind. */
async function hashesOf(made: string, { files = [] }: AnyRecord): Promise<Record<string, string>> {
  const entries = files.map(async (name) => [name.slice('picture.'.length), await sha256Of(path.join(made, name))]);
  return Object.fromEntries(await Promise.all(entries));
}
