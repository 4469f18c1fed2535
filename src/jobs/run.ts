/** Runs a job: takes items batch by batch, skips what is done, isolates what fails, records each item when its files are there. */
import { RgiError } from '../errors.ts';
import { evenBatch } from './batches.ts';
import type { Entry, Job, JobEvent, Outcome, Planned, Status, Storage } from './job.ts';

export interface RunOptions<R> {
  /** Skip items whose key, version, content and files an earlier entry confirms. */
  readonly resume?: boolean;
  /** Aborted: the current batch is finished (see `Job.together`), and no other is started. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent<R>) => void;
  /** Writes what is derived from the journal; called now and then, and at the end. */
  readonly save?: (complete: boolean) => Promise<void>;
}

/** Smallest interval between two calls of `save`, absolute and as a multiple of the time that the last one took. */
const MIN_SAVE_MS = 5000;
const MIN_SAVE_RATIO = 10;

interface State<Item, Loaded, Result, R> {
  readonly job: Job<Item, Loaded, Result, R>;
  readonly storage: Storage<R>;
  readonly options: RunOptions<R>;
  readonly emit: (event: JobEvent<R>) => void;
  readonly save: (complete: boolean, now?: boolean) => Promise<void>;
  readonly counts: { done: number; kept: number; failed: number; total: number };
  begun: boolean;
  /** The last batch ended before its last item. */
  stopped: boolean;
}

/** Errors of a single item are recorded as such; any other ends the run, and what was done stays done. */
export async function runJob<Item, Loaded, Result, R>(
  job: Job<Item, Loaded, Result, R>,
  storage: Storage<R>,
  options: RunOptions<R> = {},
): Promise<Outcome> {
  const { onEvent: emit = () => {} } = options;
  const counts = { done: 0, kept: 0, failed: 0, total: 0 };
  const state: State<Item, Loaded, Result, R> = {
    job,
    storage,
    options,
    emit,
    save: saver(options.save, emit),
    counts,
    begun: false,
    stopped: false,
  };
  const isOver = () => state.stopped || (options.signal?.aborted ?? false);
  const waiting: Planned<Item>[] = [];
  let left: number | undefined;
  const flush = async (isLast: boolean) => {
    const size = () =>
      job.even && (isLast || left !== undefined) ? evenBatch(waiting.length + (left ?? 0), job.batch) : job.batch;
    while (waiting.length > 0 && (isLast || waiting.length >= size()) && !isOver()) {
      const batch = waiting.splice(0, size());
      counts.total = finishedOf(state) + batch.length + waiting.length + (left ?? 0);
      await runBatch(state, batch);
    }
  };
  let isCut = false;
  try {
    for await (const planned of job.items()) {
      if (isOver()) {
        isCut = true;
        break;
      }
      waiting.push(planned);
      left = planned.left;
      await flush(false);
    }
    if (!isCut) left = 0;
    await flush(true);
  } catch (error) {
    // What is derived from the journal shows what was done before the run failed; where nothing was, nothing is left behind.
    if (finishedOf(state) > 0) await state.save(false, true);
    throw error;
  }
  const interrupted = isCut || state.stopped || waiting.length > 0;
  await state.save(!interrupted, true);
  const outcome = { done: counts.done, kept: counts.kept, failed: counts.failed, interrupted };
  emit({ kind: 'end', ...outcome });
  if (!interrupted) await storage.settle?.();
  return outcome;
}

/** A member of a batch: done by an earlier run, failed to load, or loaded. */
interface Member<Item, Loaded, R> {
  readonly planned: Planned<Item>;
  readonly earlier?: Entry<R>;
  readonly failure?: RgiError;
  readonly loaded?: { readonly value: Loaded };
}

async function runBatch<Item, Loaded, Result, R>(
  state: State<Item, Loaded, Result, R>,
  batch: readonly Planned<Item>[],
): Promise<void> {
  const { job, options } = state;
  const members = await loadMissing(state, batch);
  const loaded = members.flatMap((member) => (member.loaded ? [member.loaded.value] : []));
  if (loaded.length > 0 && !state.begun) {
    state.begun = true;
    state.emit({ kind: 'begin' });
  }
  const before = finishedOf(state);
  const report = (share: number, what: string) => {
    const done = before + Math.min(1, share) * batch.length;
    state.emit({ kind: 'progress', done, total: state.counts.total, what });
  };
  const results = loaded.length > 0 ? job.run(loaded, report)[Symbol.asyncIterator]() : undefined;
  try {
    for (const { planned, earlier, failure, loaded: own } of members) {
      if (failure) await fail(state, planned, failure.message);
      else if (!own) keep(state, earlier!);
      else {
        if (!job.together && options.signal?.aborted) state.stopped = true;
        const next = state.stopped ? undefined : await results?.next();
        if (!next || next.done) {
          state.stopped = true;
          return;
        }
        if (earlier) keep(state, earlier);
        else await write(state, planned, own.value, next.value);
      }
      await state.save(false);
    }
  } finally {
    await results?.return?.();
  }
}

/** What earlier runs did of a batch, and what is to be computed of it, loaded. */
async function loadMissing<Item, Loaded, Result, R>(
  state: State<Item, Loaded, Result, R>,
  batch: readonly Planned<Item>[],
): Promise<Member<Item, Loaded, R>[]> {
  const { job, options } = state;
  const found: Member<Item, Loaded, R>[] = [];
  for (const planned of batch) {
    if (planned.error && isOfRun(job, planned.error)) throw planned.error;
    const earlier = options.resume && !planned.error ? await confirmed(state, planned) : undefined;
    found.push({ planned, earlier, failure: planned.error });
  }
  if (found.every(({ earlier, failure }) => earlier || failure)) return found;
  const members: Member<Item, Loaded, R>[] = [];
  for (const member of found) {
    const { planned, earlier, failure } = member;
    if (failure || (earlier && !job.together)) members.push(member);
    else {
      try {
        members.push({ ...member, loaded: { value: await job.load(planned) } });
      } catch (error) {
        if (isOfRun(job, error)) throw error;
        members.push({ planned, failure: error as RgiError });
      }
    }
  }
  return members;
}

/** The one rule of which errors end a run: all but those of an input, or of a file that cannot be written, among several items. */
function isOfRun({ alone }: { readonly alone: boolean }, error: unknown): boolean {
  return alone || !(error instanceof RgiError) || error.code !== 'input';
}

/** The entry of an earlier run that stands for doing the item again; undefined where there is none to be trusted. */
async function confirmed<Item, Loaded, Result, R>(
  { job, storage }: State<Item, Loaded, Result, R>,
  planned: Planned<Item>,
): Promise<Entry<R> | undefined> {
  const entry = await storage.find(planned.name);
  if (entry?.status !== 'done') return undefined;
  const isSame =
    entry.job === job.kind &&
    entry.key === job.key &&
    entry.rules === job.rules &&
    entry.program === storage.program &&
    entry.content === planned.content;
  if (!isSame || job.suffices?.(entry.record, planned) === false) return undefined;
  return (await storage.confirms(entry)) ? entry : undefined;
}

function keep<Item, Loaded, Result, R>(state: State<Item, Loaded, Result, R>, entry: Entry<R>): void {
  state.counts.done++;
  state.counts.kept++;
  state.emit({ kind: 'record', entry, kept: true });
}

async function write<Item, Loaded, Result, R>(
  state: State<Item, Loaded, Result, R>,
  planned: Planned<Item>,
  loaded: Loaded,
  result: Result,
): Promise<void> {
  const { job, storage } = state;
  const outputs = storage.outputs();
  let entry: Entry<R> | undefined;
  try {
    const { status, record } = await job.write(outputs, planned, loaded, result);
    if (status === 'failed') await outputs.discard();
    await outputs.commit(async (files) => {
      entry = entryOf(state, planned, status, files, record);
      await storage.append(entry);
    });
  } catch (error) {
    await outputs.discard();
    if (isOfRun(job, error)) throw error;
    return fail(state, planned, (error as RgiError).message);
  }
  if (!entry) throw new Error(`The storage committed ${planned.name} without recording it.`);
  state.counts[entry.status]++;
  state.emit({ kind: 'record', entry, kept: false });
}

async function fail<Item, Loaded, Result, R>(
  state: State<Item, Loaded, Result, R>,
  planned: Planned<Item>,
  message: string,
): Promise<void> {
  const entry = entryOf(state, planned, 'failed', {}, state.job.failed(planned, message));
  state.counts.failed++;
  try {
    await state.storage.append(entry);
  } catch (error) {
    warnOr(error, state.emit);
  }
  state.emit({ kind: 'record', entry, kept: false });
}

function entryOf<Item, Loaded, Result, R>(
  { job, storage }: State<Item, Loaded, Result, R>,
  { name, source, content }: Planned<Item>,
  status: Status,
  outputs: Entry<R>['outputs'],
  record: R,
): Entry<R> {
  const { kind, key, rules } = job;
  return { job: kind, item: name, source, content, key, program: storage.program, rules, status, outputs, record };
}

function finishedOf({ counts }: { readonly counts: { readonly done: number; readonly failed: number } }): number {
  return counts.done + counts.failed;
}

/** Saves at most so often; what cannot be written (a full disk) is said, and the journal still holds everything. */
function saver<R>(
  save: ((complete: boolean) => Promise<void>) | undefined,
  emit: (event: JobEvent<R>) => void,
): (complete: boolean, now?: boolean) => Promise<void> {
  let next = performance.now() + MIN_SAVE_MS;
  return async (complete, now = false) => {
    const started = performance.now();
    if (!save || (!now && started < next)) return;
    try {
      await save(complete);
    } catch (error) {
      warnOr(error, emit);
    }
    const ended = performance.now();
    next = ended + Math.max(MIN_SAVE_MS, MIN_SAVE_RATIO * (ended - started));
  };
}

function warnOr<R>(error: unknown, emit: (event: JobEvent<R>) => void): void {
  if (!(error instanceof RgiError) || error.code !== 'input') throw error;
  emit({ kind: 'warning', message: error.message });
}
