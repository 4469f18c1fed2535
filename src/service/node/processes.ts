/**
 * The processes that compute, and the queue before them. Each does one job at a time, within a budget of memory and time. One that dies is
 * replaced, and its job is done again. A job that exceeds its budget takes its process with it, as does one that does not end soon after it
 * was cancelled.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type ErrorCode, type ErrorDetails, RgiError } from '../../errors.ts';
import { watchMemory } from '../../models/node/resident.ts';
import { processArguments, siblingModule } from '../../runtime/node/sibling.ts';
import type { ServiceLimits } from '../limits.ts';
import type { Held, Order, Reply, Request, Results, Stages } from './orders.ts';

/** Called with what happens to a job. */
export interface JobHooks {
  /** Aborted, it takes the job out of the queue, or ends the process that computes it. */
  readonly signal?: AbortSignal;
  readonly onStart?: () => void;
  readonly onProgress?: (share: number, what: string) => void;
}

export interface Computed<K extends keyof Results = keyof Results> {
  readonly result: Results[K];
  /** Seconds: `wait` in the queue, then those of the process. */
  readonly stages: Stages;
}

/** What the processes do at this moment, for metrics and health. */
export interface PoolState {
  readonly ready: number;
  readonly running: number;
  readonly waiting: number;
  /** Processes that died unasked, since the start. */
  readonly died: number;
  readonly held: readonly Held[];
  /** Jobs whose model was open already, and those for which it had to be opened. */
  readonly hits: number;
  readonly misses: number;
}

export interface ProcessPool {
  /** Throws `RgiError` where the job cannot be done, and the signal's reason where it was cancelled. */
  run<O extends Order>(order: O, hooks?: JobHooks): Promise<Computed<O['kind']>>;
  state(): PoolState;
  /** The ids of the processes, for those who watch them. */
  pids(): number[];
  /** Ends the processes, and what they compute. */
  close(): Promise<void>;
}

/** Times that a job is begun in all, where processes die in the middle of it. */
const MAX_ATTEMPTS = 2;

/** How long a process has to end a job that was cancelled: a step of a search, or the compilation of one. */
const CANCEL_MS = 5000;

/** A process that dies before it could take an order is not replaced at once, or a broken installation would spin. */
const RESTART_MS = 1000;

interface Job {
  readonly order: Order;
  readonly hooks: JobHooks;
  attempts: number;
  resolve(computed: Computed): void;
  reject(reason: unknown): void;
}

interface Member {
  readonly process: ChildProcess;
  ready: boolean;
  job?: Job;
  held: Held;
  /** Why its job is not wanted any more. */
  cancelled?: unknown;
  /** Why it was killed, where we did it. */
  killed?: unknown;
  release: () => void;
}

/** What the functions below share. */
interface Pool {
  readonly limits: ServiceLimits;
  readonly threads: number;
  readonly onDeath: (message: string) => void;
  readonly members: Set<Member>;
  readonly waiting: Job[];
  died: number;
  /** Of the requests that were sent. */
  ids: number;
  hits: number;
  misses: number;
  closed: boolean;
}

export function openProcesses(
  limits: ServiceLimits,
  threads: number,
  onDeath: (message: string) => void = () => {},
): ProcessPool {
  const counts = { died: 0, ids: 0, hits: 0, misses: 0 };
  const pool: Pool = { limits, threads, onDeath, members: new Set(), waiting: [], closed: false, ...counts };
  for (let i = 0; i < limits.processes; i++) start(pool);
  return {
    run: (order, hooks = {}) => enqueue(pool, order, hooks),
    state: () => stateOf(pool),
    pids: () => [...pool.members].flatMap((one) => one.process.pid ?? []),
    close: () => close(pool),
  };
}

function start(pool: Pool): void {
  const { processMegabytes } = pool.limits;
  const entry = processArguments(siblingModule('child-entry', import.meta.url));
  const child = spawn(process.execPath, [...entry, String(processMegabytes), String(pool.threads)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const member: Member = {
    process: child,
    ready: false,
    held: { models: [], bytes: 0, steps: 0 },
    release: () => {},
  };
  pool.members.add(member);
  const unwatch =
    child.pid === undefined
      ? () => {}
      : watchMemory(child.pid, processMegabytes, () => kill(member, overMemory(processMegabytes)));
  child.on('message', (reply: Reply) => hear(pool, member, reply));
  child.on('error', () => gone(pool, member, unwatch));
  child.on('exit', () => gone(pool, member, unwatch));
}

function gone(pool: Pool, member: Member, unwatch: () => void): void {
  if (!pool.members.delete(member)) return;
  unwatch();
  const { job, killed = member.cancelled } = member;
  if (killed === undefined && !pool.closed) {
    pool.died++;
    pool.onDeath(
      `A process that computes died${job ? ` in the middle of a job for ${job.order.model.name}` : ''}; another takes its place.`,
    );
  }
  if (job) {
    finish(member);
    if (killed !== undefined) job.reject(killed);
    else if (pool.closed || job.attempts >= MAX_ATTEMPTS) job.reject(pool.closed ? ended() : crashed());
    else pool.waiting.unshift(job);
  }
  if (pool.closed) return;
  if (member.ready) start(pool);
  else setTimeout(() => pool.closed || start(pool), RESTART_MS).unref();
  dispatch(pool);
}

function hear(pool: Pool, member: Member, reply: Reply): void {
  if (reply.kind === 'ready') {
    member.ready = true;
    dispatch(pool);
    return;
  }
  const { job } = member;
  if (!job) return;
  if (reply.kind === 'progress') {
    job.hooks.onProgress?.(reply.share, reply.what);
    return;
  }
  member.held = reply.held;
  const { cancelled } = member;
  finish(member);
  if (cancelled !== undefined) job.reject(cancelled);
  else if (reply.kind === 'done') job.resolve({ result: reply.result, stages: reply.stages });
  else job.reject(errorOf(reply.failure));
  dispatch(pool);
}

function finish(member: Member): void {
  member.release();
  member.release = () => {};
  member.job = undefined;
  member.cancelled = undefined;
}

function kill(member: Member, reason: unknown): void {
  member.killed ??= reason;
  member.process.kill('SIGKILL');
}

/** Gives waiting jobs, the oldest first, to free processes: to one that holds the model, where there is one. */
function dispatch(pool: Pool): void {
  while (pool.waiting.length > 0) {
    const free = [...pool.members].filter((one) => one.ready && !one.job && one.killed === undefined);
    if (free.length === 0) return;
    const job = pool.waiting.shift()!;
    const member = free.find((one) => one.held.models.includes(job.order.model.name)) ?? free[0];
    begin(pool, member, job);
  }
}

function begin(pool: Pool, member: Member, job: Job): void {
  const { jobSeconds } = pool.limits;
  member.job = job;
  job.attempts++;
  pool[member.held.models.includes(job.order.model.name) ? 'hits' : 'misses']++;
  const { signal, onStart } = job.hooks;
  const id = ++pool.ids;
  let grace: NodeJS.Timeout | undefined;
  const cancel = () => {
    member.cancelled = signal!.reason;
    tell(member, { cancel: id });
    grace = setTimeout(() => kill(member, signal!.reason), CANCEL_MS);
  };
  const timer = setTimeout(() => kill(member, overTime(jobSeconds)), jobSeconds * 1000);
  signal?.addEventListener('abort', cancel);
  member.release = () => {
    clearTimeout(timer);
    clearTimeout(grace);
    signal?.removeEventListener('abort', cancel);
  };
  onStart?.();
  tell(member, { id, order: job.order });
}

function enqueue<O extends Order>(pool: Pool, order: O, hooks: JobHooks): Promise<Computed<O['kind']>> {
  const { signal } = hooks;
  return new Promise((resolve, reject) => {
    if (pool.closed) return reject(ended());
    if (signal?.aborted) return reject(signal.reason);
    const queued = performance.now();
    let began = queued;
    const job: Job = {
      order,
      attempts: 0,
      hooks: {
        ...hooks,
        onStart() {
          began = performance.now();
          hooks.onStart?.();
        },
      },
      resolve: ({ result, stages }) =>
        resolve({ result: result as Results[O['kind']], stages: { wait: (began - queued) / 1000, ...stages } }),
      reject,
    };
    signal?.addEventListener('abort', () => {
      const at = pool.waiting.indexOf(job);
      if (at < 0) return;
      pool.waiting.splice(at, 1);
      reject(signal.reason);
    });
    pool.waiting.push(job);
    dispatch(pool);
  });
}

function stateOf({ members, waiting, died, hits, misses }: Pool): PoolState {
  return {
    ready: [...members].filter((one) => one.ready).length,
    running: [...members].filter((one) => one.job).length,
    waiting: waiting.length,
    died,
    held: [...members].map((one) => one.held),
    hits,
    misses,
  };
}

async function close(pool: Pool): Promise<void> {
  pool.closed = true;
  for (const job of pool.waiting.splice(0)) job.reject(ended());
  await Promise.all([...pool.members].map(ending));
}

function ending(member: Member): Promise<void> {
  return new Promise((resolve) => {
    member.process.once('exit', () => resolve());
    if (!member.process.kill('SIGKILL')) resolve();
  });
}

/** Where the process has just ended, its end says so. */
function tell(member: Member, request: Request): void {
  member.process.send(request, () => {});
}

function errorOf({
  code,
  message,
  details,
}: {
  code: ErrorCode | 'unexpected';
  message: string;
  details?: ErrorDetails;
}): Error {
  return code === 'unexpected' ? new Error(message) : new RgiError(code, message, {}, { details });
}

function overMemory(megabytes: number): RgiError {
  return new RgiError(
    'runtime',
    `The job took more than ${megabytes} MB of memory, and was stopped. Send a smaller picture, or ask for fewer starts.`,
  );
}

function overTime(seconds: number): RgiError {
  return new RgiError(
    'runtime',
    `The job took more than ${seconds} s, and was stopped. Ask for fewer steps or starts, or for the preset 'fast'.`,
  );
}

function crashed(): RgiError {
  return new RgiError(
    'runtime',
    `The process that computed the job died ${MAX_ATTEMPTS} times in the middle of it; it is not tried again.`,
  );
}

function ended(): RgiError {
  return new RgiError('runtime', 'The service has ended.');
}
