/** The jobs of a service: admitted within the limits, computed by the processes, kept for a while, and told of to those who ask. */
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

/** The right to send one job: held while its body arrives, so that bodies are read only where there is room. */
export interface Ticket {
  /** The folder of the job: takes `picture` and `mask`. */
  readonly folder: string;
  /** Queues the job. */
  submit(order: RestoreOrder | DetectOrder, requestId: string): Job;
  /** Gives the right back where no job came of it. */
  release(): Promise<void>;
}

export interface Desk {
  /** Throws 429 where the queue is full or the token has too many jobs, 503 while draining. */
  admit(owner: string | undefined, mayHave?: number): Promise<Ticket>;
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
  /** Jobs that are queued or running, and those whose bodies arrive. */
  active(): number;
  /** Bytes waited for: seconds until a place in the queue is likely to be free. */
  retryAfter(): number;
  /** Takes no more jobs; resolves when those that are there are finished, or after the limit's seconds, when they are cancelled. */
  drain(): Promise<void>;
  isDraining(): boolean;
  close(): Promise<void>;
}

export interface DeskHooks {
  /** Called when a job is finished, for logs and metrics. */
  readonly onFinished?: (job: Job, requestId: string) => void;
  /** Called before, with the reason of a failure. */
  readonly onFailed?: (job: Job, requestId: string, reason: unknown) => void;
}

interface Entry {
  job: Job;
  readonly folder: string;
  readonly controller: AbortController;
  readonly listeners: Set<(job: Job) => void>;
  done: Promise<Job>;
}

/** Seconds of a job that are assumed before one was computed. */
const FIRST_GUESS = 2;

/** Why a job was ended by its sender. */
const CANCELLED = Symbol('cancelled');

export async function openDesk(pool: ProcessPool, limits: ServiceLimits, hooks: DeskHooks = {}): Promise<Desk> {
  const root = await mkdtemp(path.join(tmpdir(), 'rgi-serve-'));
  const entries = new Map<string, Entry>();
  const owners = new Map<string, number>();
  let active = 0;
  let draining = false;
  let seconds = FIRST_GUESS;

  const entryOf = (id: string, owner: string | undefined) => {
    const entry = entries.get(id);
    if (entry && entry.job.owner === owner) return entry;
    throw new HttpError(404, 'There is no such job: its id is wrong, or its results were kept long enough.');
  };
  const change = (entry: Entry, more: Partial<Job>) => {
    entry.job = { ...entry.job, ...more };
    for (const listener of entry.listeners) listener(entry.job);
  };
  const forget = async (id: string) => {
    const entry = entries.get(id);
    entries.delete(id);
    if (entry) await rm(entry.folder, { recursive: true, force: true });
  };
  const retire = (id: string) => {
    setTimeout(() => void forget(id), limits.keepSeconds * 1000).unref();
    const finished = [...entries.values()].filter(({ job }) => isFinished(job));
    for (const { job } of finished.slice(0, Math.max(0, finished.length - limits.keepJobs))) void forget(job.id);
  };
  const leave = (owner: string | undefined) => {
    active--;
    if (owner !== undefined) owners.set(owner, owners.get(owner)! - 1);
  };
  const retryAfter = () => Math.max(1, Math.ceil((seconds * active) / limits.processes));

  const compute = async (entry: Entry, order: RestoreOrder | DetectOrder, requestId: string): Promise<Job> => {
    const started = performance.now();
    try {
      const { result, stages } = await pool.run(order, {
        signal: entry.controller.signal,
        onStart: () => change(entry, { state: 'running' }),
        onProgress: (share, what) => change(entry, { progress: { share, what } }),
      });
      const files = await resultFiles(entry.folder);
      seconds += 0.2 * ((performance.now() - started) / 1000 - stages.wait - seconds);
      change(entry, { state: 'done', record: result, files, stages, progress: { share: 1, what: 'done' } });
    } catch (error) {
      if (error === CANCELLED) change(entry, { state: 'cancelled' });
      else {
        change(entry, { state: 'failed', problem: problemOf(error, requestId) });
        hooks.onFailed?.(entry.job, requestId, error);
      }
    }
    return entry.job;
  };

  return {
    async admit(owner, mayHave = Number.POSITIVE_INFINITY) {
      if (draining)
        throw new HttpError(503, 'The service is about to end; send the job to another one.', { retryAfter: 5 });
      if (active >= limits.queue + limits.processes) {
        throw new HttpError(429, `${active} jobs are queued or computed; no more are taken now. Try again later.`, {
          retryAfter: retryAfter(),
        });
      }
      const own = owner === undefined ? 0 : (owners.get(owner) ?? 0);
      if (own >= mayHave) {
        throw new HttpError(
          429,
          `Your token has ${own} jobs queued or computed, as many as it may have. Wait for one to finish.`,
          { retryAfter: retryAfter() },
        );
      }
      active++;
      if (owner !== undefined) owners.set(owner, own + 1);
      const id = randomUUID();
      const folder = path.join(root, id);
      await mkdir(folder);
      return {
        folder,
        submit(order, requestId) {
          const controller = new AbortController();
          const { kind, model } = order;
          const job: Job = {
            id,
            kind,
            model: model.name,
            owner,
            created: new Date(),
            state: 'queued',
            progress: { share: 0, what: 'waiting' },
            files: [],
          };
          const entry: Entry = { job, folder, controller, listeners: new Set(), done: Promise.resolve(job) };
          entries.set(id, entry);
          entry.done = compute(entry, order, requestId).then((finished) => {
            leave(owner);
            retire(id);
            hooks.onFinished?.(finished, requestId);
            return finished;
          });
          return entry.job;
        },
        async release() {
          leave(owner);
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
    find: (id, owner) => entryOf(id, owner).job,
    cancel(id, owner) {
      const entry = entryOf(id, owner);
      entry.controller.abort(CANCELLED);
      return entry.job;
    },
    follow(id, onChange) {
      const entry = entries.get(id);
      entry?.listeners.add(onChange);
      return () => void entry?.listeners.delete(onChange);
    },
    finished: (id) => entries.get(id)!.done,
    async file(job, name) {
      const entry = entries.get(job.id);
      if (!entry || !job.files.includes(name)) {
        const has = job.files.length > 0 ? `it has ${job.files.join(', ')}` : `it is ${job.state}`;
        throw new HttpError(404, `The job has no file '${name.slice(0, 100)}'; ${has}.`);
      }
      return new Uint8Array(await readFile(path.join(entry.folder, 'out', `picture.${name}`)));
    },
    active: () => active,
    retryAfter,
    isDraining: () => draining,
    async drain() {
      draining = true;
      const all = Promise.all([...entries.values()].map(({ done }) => done));
      const timeout = new Promise((resolve) => setTimeout(resolve, limits.drainSeconds * 1000).unref());
      await Promise.race([all, timeout]);
      for (const { controller } of entries.values()) controller.abort(CANCELLED);
      await Promise.all([...entries.values()].map(({ done }) => done));
    },
    async close() {
      for (const { controller } of entries.values()) controller.abort(CANCELLED);
      await rm(root, { recursive: true, force: true });
    },
  };
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
