/** The jobs of a service: each has a folder, is computed by the processes, is kept for a while, and is reported to those who ask. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ServiceLimits } from '../limits.ts';
import { HttpError, type Problem, problemOf } from '../problem.ts';
import type { DetectOrder, RestoreOrder, Results, Stages } from './orders.ts';
import type { ProcessPool } from './processes.ts';

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

/** The folder of a job to come: takes the files `picture` and `mask`. */
export interface Draft {
  readonly folder: string;
  /** Queues the job; `leave` is called when it is finished. */
  submit(
    order: RestoreOrder | DetectOrder,
    sent: Pick<Job, 'owner' | 'requestId'>,
    leave: () => void,
  ): Pick<Job, 'id' | 'owner'>;
  /** Where no job came of it. */
  discard(): Promise<void>;
}

export interface Desk {
  draft(): Promise<Draft>;
  /** Throws 404 where there is none of that id, or it is another token's. */
  find(id: string, owner: string | undefined): Job;
  /** Ends it where it is not finished yet. */
  cancel(id: string, owner: string | undefined): Job;
  /** Calls `onChange` at each change until the job is finished; returns what ends this. */
  follow(id: string, onChange: (job: Job) => void): () => void;
  /** Resolves with the job when it is finished. */
  finished(id: string): Promise<Job>;
  /** The bytes of a file of the results; throws 404 where there is none. */
  file(job: Job, name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Cancels what is not finished. */
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
  done: Promise<Job>;
}

/** Why a job was ended by its sender. */
const CANCELLED = Symbol('cancelled');

/** What the functions below share. */
interface Shelf {
  readonly root: string;
  readonly pool: ProcessPool;
  readonly limits: ServiceLimits;
  readonly onFinished: OnFinished;
  readonly entries: Map<string, Entry>;
}

export async function openDesk(pool: ProcessPool, limits: ServiceLimits, onFinished: OnFinished): Promise<Desk> {
  const root = await mkdtemp(path.join(tmpdir(), 'rgi-serve-'));
  const entries = new Map<string, Entry>();
  const shelf: Shelf = { root, pool, limits, onFinished, entries };
  return {
    draft: () => draft(shelf),
    find: (id, owner) => entryOf(shelf, id, owner).job,
    cancel(id, owner) {
      const entry = entryOf(shelf, id, owner);
      entry.controller.abort(CANCELLED);
      return entry.job;
    },
    follow(id, onChange) {
      const entry = entries.get(id);
      entry?.listeners.add(onChange);
      return () => void entry?.listeners.delete(onChange);
    },
    finished: (id) => entries.get(id)!.done,
    file: (job, name) => readResult(shelf, job, name),
    cancelAll() {
      for (const { controller } of entries.values()) controller.abort(CANCELLED);
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

async function draft(shelf: Shelf): Promise<Draft> {
  const id = randomUUID();
  const folder = path.join(shelf.root, id);
  await mkdir(folder);
  return {
    folder,
    submit: (order, sent, leave) => submit(shelf, { id, folder }, order, sent, leave),
    discard: () => rm(folder, { recursive: true, force: true }),
  };
}

function submit(
  shelf: Shelf,
  { id, folder }: { readonly id: string; readonly folder: string },
  order: RestoreOrder | DetectOrder,
  sent: Pick<Job, 'owner' | 'requestId'>,
  leave: () => void,
): Job {
  const { kind, model } = order;
  const progress = { share: 0, what: 'waiting' };
  const job: Job = { id, kind, model: model.name, ...sent, created: new Date(), state: 'queued', progress, files: [] };
  const controller = new AbortController();
  const entry: Entry = { job, folder, controller, listeners: new Set(), done: Promise.resolve(job) };
  shelf.entries.set(id, entry);
  entry.done = compute(shelf, entry, order).finally(leave);
  return job;
}

async function compute(shelf: Shelf, entry: Entry, order: RestoreOrder | DetectOrder): Promise<Job> {
  try {
    const { result, stages } = await shelf.pool.run(order, {
      signal: entry.controller.signal,
      onStart: () => change(entry, { state: 'running' }),
      onProgress: (share, what) => change(entry, { progress: { share, what } }),
    });
    const files = await resultFiles(entry.folder);
    change(entry, { state: 'done', record: result, files, stages, progress: { share: 1, what: 'done' } });
    shelf.onFinished(entry.job);
  } catch (error) {
    if (error === CANCELLED) change(entry, { state: 'cancelled' });
    else change(entry, { state: 'failed', problem: problemOf(error, entry.job.requestId) });
    shelf.onFinished(entry.job, error === CANCELLED ? undefined : error);
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

async function forget({ entries }: Shelf, { job, folder }: Entry): Promise<void> {
  entries.delete(job.id);
  await rm(folder, { recursive: true, force: true });
}

function entryOf({ entries }: Shelf, id: string, owner: string | undefined): Entry {
  const entry = entries.get(id);
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
