/** The jobs of a service: each has a folder, is computed by the processes, is kept for a while, and is reported to those who ask. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ServiceLimits } from '../limits.ts';
import { HttpError, type Problem, problemOf } from '../problem.ts';
import { FORGOTTEN, type JobQueue, type RecordedJob } from './job-queue.ts';
import type { DetectOrder, RestoreOrder, Results, Stages } from './orders.ts';
import type { Computed, JobHooks, ProcessPool } from './processes.ts';

export type JobKind = 'restore' | 'detect';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** A job as it is at this moment. */
export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  readonly model: string;
  /** The name of the token that it was sent with; undefined where the service has none. */
  readonly owner: string | undefined;
  /** Of the request that it came with, for the log. */
  readonly requestId: string;
  /** Of the span of that request, for the spans of the job where it is computed here. */
  readonly traceparent?: string;
  readonly created: Date;
  readonly state: JobState;
  /** In [0, 1], and what is under way. */
  readonly progress: { readonly share: number; readonly what: string };
  readonly record?: Results[JobKind];
  /** Names of the files of the results. */
  readonly files: readonly string[];
  readonly problem?: Problem;
  readonly stages?: Stages;
}

/** What is known of the request of a job. */
export type Sent = Pick<Job, 'owner' | 'requestId' | 'traceparent'>;

/** The folder of a job to come: takes the files `picture` and `mask`. */
export interface Draft {
  readonly folder: string;
  /** Has the job computed here; `leave` is called when it is finished. */
  submit(order: RestoreOrder | DetectOrder, sent: Sent, leave: () => void): Pick<Job, 'id' | 'owner'>;
  /** As `submit`, by workers elsewhere, where the service has such a queue. Rejects with 503 where that cannot be reached. */
  send(order: RestoreOrder | DetectOrder, sent: Sent, leave: () => void): Promise<Pick<Job, 'id' | 'owner'>>;
  /** Where no job came of it. */
  discard(): Promise<void>;
}

export interface Desk {
  draft(): Promise<Draft>;
  /** Throws 404 where there is none of that id, or it is another token's. */
  find(id: string, owner: string | undefined): Promise<Job>;
  /** Ends it where it is not finished yet. */
  cancel(id: string, owner: string | undefined): Promise<Job>;
  /** Calls `onChange` at each change until the job is finished; returns what ends this. */
  follow(id: string, onChange: (job: Job) => void): () => void;
  /** Resolves with the job when it is finished. */
  finished(id: string): Promise<Job>;
  /** The bytes of a file of the results; throws 404 where there is none. */
  file(job: Job, name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Waits no longer, from now on, for what workers elsewhere compute: it stays recorded. */
  detach(): void;
  /** Cancels what is computed here and not finished. */
  cancelAll(): void;
  /** Removes all folders. */
  close(): Promise<void>;
}

/** Called when a job is finished; with the reason of a failure. */
export type OnFinished = (job: Job, reason?: unknown) => void;

interface Entry {
  job: Job;
  readonly folder: string;
  readonly controller: AbortController;
  readonly listeners: Set<(job: Job) => void>;
  /** Of a job that workers elsewhere compute. */
  readonly recorded?: RecordedJob;
  done: Promise<Job>;
}

/** Why a job was ended by its sender. */
const CANCELLED = Symbol('cancelled');

/** Why this service waits no longer for a job. */
const DETACHED = Symbol('detached');

/** What the functions below share. */
interface Shelf {
  readonly root: string;
  readonly pool: ProcessPool;
  readonly limits: ServiceLimits;
  readonly onFinished: OnFinished;
  readonly queue: JobQueue | undefined;
  readonly entries: Map<string, Entry>;
  /** Does this service wait no longer for what workers elsewhere compute? */
  isDetached: boolean;
}

/** What is recorded in the queue is waited for again. */
export async function openDesk(
  pool: ProcessPool,
  limits: ServiceLimits,
  onFinished: OnFinished,
  queue?: JobQueue,
): Promise<Desk> {
  const root = await mkdtemp(path.join(tmpdir(), 'rgi-serve-'));
  const entries = new Map<string, Entry>();
  const shelf: Shelf = { root, pool, limits, onFinished, queue, entries, isDetached: false };
  for (const job of (await queue?.recorded()) ?? []) await adopt(shelf, job);
  return {
    draft: () => draft(shelf),
    find: async (id, owner) => (await entryOf(shelf, id, owner)).job,
    async cancel(id, owner) {
      const entry = await entryOf(shelf, id, owner);
      entry.controller.abort(CANCELLED);
      // This service waits for it no longer: whoever does finds it forgotten.
      if (shelf.isDetached && entry.recorded && !isFinished(entry.job)) await queue?.forget(entry.recorded);
      return entry.job;
    },
    follow(id, onChange) {
      const entry = entries.get(id);
      entry?.listeners.add(onChange);
      return () => void entry?.listeners.delete(onChange);
    },
    finished: (id) => entries.get(id)!.done,
    file: (job, name) => readResult(shelf, job, name),
    detach() {
      shelf.isDetached = true;
      for (const { recorded, controller } of entries.values()) if (recorded) controller.abort(DETACHED);
    },
    cancelAll() {
      for (const { recorded, controller } of entries.values()) if (!recorded) controller.abort(CANCELLED);
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

async function draft(shelf: Shelf): Promise<Draft> {
  const id = randomUUID();
  const folder = path.join(shelf.root, id);
  await mkdir(folder);
  const submit: Draft['submit'] = (order, sent, leave) => {
    const entry = enter(shelf, folder, newJob(id, order, sent));
    entry.done = compute(shelf, entry, (hooks) => shelf.pool.run(order, hooks)).finally(leave);
    return entry.job;
  };
  return {
    folder,
    submit,
    async send(order, sent, leave) {
      if (!shelf.queue) return submit(order, sent, leave);
      // Its spans are the worker's.
      const { traceparent, ...rest } = sent;
      const job = newJob(id, order, rest);
      const entry = enter(shelf, folder, job, await shelf.queue.add(job, order, traceparent));
      entry.done = elsewhere(shelf, entry).finally(leave);
      return job;
    },
    discard: () => rm(folder, { recursive: true, force: true }),
  };
}

function newJob(id: string, { kind, model }: RestoreOrder | DetectOrder, sent: Sent): Job {
  return { id, kind, model: model.name, ...sent, created: new Date(), ...WAITING };
}

const WAITING = { state: 'queued', progress: { share: 0, what: 'waiting' }, files: [] } as const;

function enter(shelf: Shelf, folder: string, job: Job, recorded?: RecordedJob): Entry {
  const controller = new AbortController();
  const entry: Entry = { job, folder, controller, recorded, listeners: new Set(), done: Promise.resolve(job) };
  shelf.entries.set(job.id, entry);
  if (recorded && shelf.isDetached) controller.abort(DETACHED);
  return entry;
}

/** Waits for a job that this service or another one recorded. */
async function adopt(shelf: Shelf, recorded: RecordedJob): Promise<Entry> {
  const known = shelf.entries.get(recorded.id);
  if (known) return known;
  const { queued: _, ...facts } = recorded;
  const entry = enter(shelf, path.join(shelf.root, recorded.id), { ...facts, ...WAITING }, recorded);
  await mkdir(entry.folder, { recursive: true });
  entry.done = elsewhere(shelf, entry);
  return entry;
}

function elsewhere(shelf: Shelf, entry: Entry): Promise<Job> {
  return compute(shelf, entry, (hooks) => shelf.queue!.wait(entry.recorded!, entry.folder, hooks));
}

async function compute(shelf: Shelf, entry: Entry, run: (hooks: JobHooks) => Promise<Computed<JobKind>>): Promise<Job> {
  try {
    const { result, stages } = await run({
      signal: entry.controller.signal,
      onStart: () => change(entry, { state: 'running' }),
      onProgress: (share, what) => change(entry, { progress: { share, what } }),
    });
    const files = await resultFiles(entry.folder);
    change(entry, { state: 'done', record: result, files, stages, progress: { share: 1, what: 'done' } });
    shelf.onFinished(entry.job);
  } catch (error) {
    if (error === DETACHED) return entry.job;
    const isCancelled = error === CANCELLED || error === FORGOTTEN;
    if (isCancelled) {
      change(entry, { state: 'cancelled' });
      if (entry.recorded) await shelf.queue?.forget(entry.recorded).catch(() => undefined);
    } else change(entry, { state: 'failed', problem: problemOf(error, entry.job.requestId) });
    shelf.onFinished(entry.job, isCancelled ? undefined : error);
  }
  retire(shelf, entry);
  return entry.job;
}

function change(entry: Entry, more: Partial<Job>): void {
  entry.job = { ...entry.job, ...more };
  for (const listener of entry.listeners) listener(entry.job);
}

/** Keeps a finished job for its time, and the oldest no longer than there is room. */
function retire(shelf: Shelf, entry: Entry): void {
  const { keepSeconds, keepJobs } = shelf.limits;
  setTimeout(() => void forget(shelf, entry), keepSeconds * 1000).unref();
  const finished = [...shelf.entries.values()].filter(({ job }) => isFinished(job));
  for (const old of finished.slice(0, Math.max(0, finished.length - keepJobs))) void forget(shelf, old);
}

async function forget({ entries, queue }: Shelf, { job, folder, recorded }: Entry): Promise<void> {
  entries.delete(job.id);
  // What cannot be forgotten now is kept until a service starts again.
  if (recorded) await queue?.forget(recorded).catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
}

async function entryOf(shelf: Shelf, id: string, owner: string | undefined): Promise<Entry> {
  let entry = shelf.entries.get(id);
  if (!entry) {
    const recorded = await shelf.queue?.find(id);
    if (recorded) entry = await adopt(shelf, recorded);
  }
  if (entry && entry.job.owner === owner) return entry;
  throw new HttpError(404, 'There is no such job: its id is wrong, or its results were kept long enough.');
}

async function readResult({ entries }: Shelf, job: Job, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const entry = entries.get(job.id);
  if (!entry || !job.files.includes(name)) {
    const has = job.files.length > 0 ? `it has ${job.files.join(', ')}` : `it is ${job.state}`;
    throw new HttpError(404, `The job has no file '${name.slice(0, 100)}'; ${has}.`);
  }
  return new Uint8Array(await readFile(path.join(entry.folder, 'out', `picture.${name}`)));
}

export function isFinished({ state }: Pick<Job, 'state'>): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** The files of the one picture, without its name. */
async function resultFiles(folder: string): Promise<string[]> {
  const names = await readdir(path.join(folder, 'out'));
  return names
    .filter((name) => name.startsWith('picture.'))
    .map((name) => name.slice('picture.'.length))
    .sort();
}
