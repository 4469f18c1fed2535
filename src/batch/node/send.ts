/**
 * A run whose pictures are computed by workers: the same journal, names and files as of a run on this machine. Each picture is put into the
 * shared folder and queued under the hash of all that decides its result, so that it is done once in effect, whatever is lost or repeated.
 */
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { QueueEvents, type Job as QueueJob } from 'bullmq';
import { readPolicy } from '../../detect/node/policy-files.ts';
import { settingsOf } from '../../detect/policy.ts';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { isFolder } from '../../files/node/regular.ts';
import type { PictureList } from '../../images/node/listing.ts';
import { linkTemporary } from '../../images/node/write.ts';
import type { Job, JobEvent, Outcome, Planned } from '../../jobs/job.ts';
import { jsonOf } from '../../jobs/json.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { type PictureItem, pictureItems, supplyOf } from '../../jobs/node/pictures.ts';
import { hashOfData, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import { openModel } from '../../models/node/model-file.ts';
import { RESIDUAL_SCALE } from '../../restore/node/manifest.ts';
import { listSources, type Source } from '../../restore/node/pictures.ts';
import type { DetectOptions, RestoreOptions } from '../../service/options.ts';
import { MASK, PICTURE, QUEUE, type Queued, type QueueResult, RECORD, RESULT, resultSchema } from '../queue-data.ts';
import { type AnyRecord, DETECT, type KindOfRun, RESTORE } from './kinds.ts';
import { modelIdentity } from './models.ts';
import { connect, keyOfJob, openQueue } from './redis.ts';

export interface SendOptions {
  readonly list: PictureList;
  /** What is to be done, and how. */
  readonly work:
    | { readonly kind: 'restore'; readonly options: RestoreOptions }
    | { readonly kind: 'detect'; readonly options: DetectOptions };
  /** The generator; workers have a copy in their folder of models. */
  readonly generator: string;
  /** A mask for all pictures, or a folder of masks named after them. */
  readonly mask?: string;
  readonly out: string;
  /** A folder that the workers share. */
  readonly shared: string;
  readonly redis: string;
  /** Jobs of a smaller number are done first; 0, the default, before all others. */
  readonly priority?: number;
  /** Pictures that wait or are computed at a time. */
  readonly inFlight: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Aborted: what is in hand is finished, where it can be. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent<AnyRecord>) => void;
  /** Further facts for the manifest; they decide nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Of Redis. Default: the one that all share. */
  readonly queue?: string;
}

/** How often a job is looked at whose end was not reported: Redis may have lost it. */
const LOOK_MS = 2000;

/** Restores or inspects the pictures of a list by workers. Throws `input` where no Redis answers, and as `restoreFiles`. */
export function sendPictures(options: SendOptions): Promise<Outcome> {
  return options.work.kind === 'restore' ? send(RESTORE, options) : send(DETECT, options);
}

async function send<R extends AnyRecord>(of: KindOfRun<R>, options: SendOptions): Promise<Outcome> {
  const { out, resume, overwrite, work, mask, shared } = options;
  if (!(await isFolder(shared)))
    throw new RgiError('usage', `--shared ${shared} is no folder; name one that the workers have, too.`, {
      file: shared,
    });
  const identity = await modelIdentity(options.generator);
  const model = { name: path.basename(options.generator), identity };
  const described = {
    options: { ...work.options, masked: mask !== undefined },
    generator: { file: options.generator, identity },
  };
  const key = hashOfData(['queue', described]);
  const sender = await openSender(options);
  try {
    const folder = await openRunFolder(out, { ...of, key, resume, overwrite });
    try {
      const job = await queueJob(of, options, model, key, folder, sender);
      const head = {
        format: 1,
        ...(await headOf(options)),
        key,
        versions: { rgi: VERSION, node: process.versions.node },
        device: 'workers',
        ...options.facts,
        ...described,
        notes: ['The pictures were computed by workers of a queue.'],
      };
      return await runJob(job, folder, {
        resume,
        signal: options.signal,
        onEvent: options.onEvent as (event: JobEvent<R>) => void,
        save: (complete) => of.derive(folder, { ...head, complete }),
      });
    } finally {
      await folder.close();
    }
  } finally {
    await sender.close();
  }
}

/** What the manifest of each kind has of its own. */
async function headOf({ work, generator }: SendOptions): Promise<Readonly<Record<string, unknown>>> {
  if (work.kind === 'restore') return { method: { name: work.options.method }, residualScale: RESIDUAL_SCALE };
  const policy = await readPolicy(generator, await openModel(generator), work.options.policy);
  return { kind: work.kind, policy: { name: policy.name, ...settingsOf(policy) } };
}

interface Sent {
  readonly key: string;
  readonly queued: Queued;
  readonly source: Source;
}

/** A result, with the folder of its files; or why there is none. */
type Answer = { readonly folder: string; readonly result: QueueResult } | { readonly error: string };

async function queueJob<R extends AnyRecord>(
  of: KindOfRun<R>,
  { list, work, mask, shared, inFlight, onEvent }: SendOptions,
  model: Queued['model'],
  runKey: string,
  folder: RunFolder<R>,
  sender: Sender,
): Promise<Job<PictureItem<Source>, Sent, Answer, R>> {
  const supply = await supplyOf<Source>(
    listSources(list, { mask }),
    folder,
    [],
    () => [],
    () => undefined,
  );
  const factsOf = ({ name, item: { source, sha256 } }: Planned<PictureItem<Source>>) => ({
    name,
    path: source.path,
    ...(sha256 === undefined ? {} : { sha256 }),
  });
  return {
    kind: of.kind,
    key: runKey,
    rules: of.rules,
    items: () =>
      pictureItems(supply, async (source) => (source.mask === undefined ? '' : `+${await sha256Of(source.mask)}`)),
    batch: inFlight,
    even: false,
    together: false,
    alone: false,
    async load({ item: { source, sha256, count } }) {
      if (count > 1)
        throw new RgiError('input', `${source.path} holds ${count} pictures; a job of the queue is about one.`, {
          file: source.path,
        });
      const common = { program: VERSION, rules: of.rules, model, picture: sha256! };
      const given = source.mask === undefined ? {} : { mask: await sha256Of(source.mask) };
      const queued: Queued =
        work.kind === 'restore'
          ? { ...common, ...given, kind: work.kind, options: work.options }
          : { ...common, kind: work.kind, options: work.options };
      return { key: keyOfJob(queued), queued, source };
    },
    async *run(batch, report) {
      let done = 0;
      const answers = batch.map((sent) =>
        sender.answer(sent, shared).finally(() => report(++done / batch.length, path.basename(sent.source.path))),
      );
      // What is awaited later is no unhandled rejection until then.
      for (const answer of answers) answer.catch(() => undefined);
      try {
        for (const answer of answers) yield await answer;
      } catch (error) {
        // What was sent stays in the queue; the next run takes the results.
        if (!sender.isStopped()) throw error;
      } finally {
        // Of those that were not taken, the results are found by the next run.
        for (const { key } of batch.slice(0, sender.isStopped() ? 0 : batch.length))
          await rm(path.join(shared, key), { recursive: true, force: true }).catch((error) =>
            onEvent?.({ kind: 'warning', message: String(error) }),
          );
      }
    },
    async write(outputs, planned, _, answer) {
      const facts = factsOf(planned);
      if ('error' in answer)
        return { status: 'failed', record: { ...facts, status: 'failed', message: answer.error } as R };
      const { files, record } = answer.result;
      for (const [kind, sha256] of Object.entries(files))
        await outputs.putFile(`${planned.name}.${kind}`, path.join(answer.folder, kind), sha256);
      return { status: 'done', record: of.record.parse({ ...record, ...facts, files: outputs.names() }) };
    },
    failed: (planned, message) => ({ ...factsOf(planned), status: 'failed', message }) as R,
  };
}

/** The queue as one sender sees it. */
interface Sender {
  /** Sends a picture, and waits for what comes of it. Rejects where the run is interrupted. */
  answer(sent: Sent, shared: string): Promise<Answer>;
  isStopped(): boolean;
  close(): Promise<void>;
}

async function openSender({ redis: url, queue: name = QUEUE, priority = 0, signal }: SendOptions): Promise<Sender> {
  const redis = await connect(url);
  const queue = openQueue(redis, name);
  const events = new QueueEvents(name, { connection: redis.duplicate() });
  const waiting = new Map<string, Set<() => void>>();
  const wake = ({ jobId }: { readonly jobId: string }) => {
    for (const resolve of waiting.get(jobId) ?? []) resolve();
  };
  events.on('completed', wake);
  events.on('failed', wake);
  events.on('error', () => undefined);
  const stop = () => {
    for (const all of waiting.values()) for (const resolve of all) resolve();
  };
  signal?.addEventListener('abort', stop);

  /** Until its end is reported, or it is time to look. */
  const news = async (key: string): Promise<void> => {
    const own = waiting.get(key) ?? new Set();
    waiting.set(key, own);
    const controller = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => own.add(resolve)),
      later(LOOK_MS, undefined, { signal: controller.signal }).catch(() => undefined),
    ]);
    controller.abort();
    waiting.delete(key);
  };

  const submit = async ({ key, queued, source }: Sent, shared: string) => {
    await place(source, path.join(shared, key), queued);
    await queue.add(queued.kind, queued, { jobId: key, ...(priority > 0 ? { priority } : {}) });
  };

  return {
    async answer(sent, shared) {
      const own = path.join(shared, sent.key);
      const earlier = await resultIn(own);
      if (earlier) return earlier;
      // A dead letter of an earlier run is tried again.
      const dead = await queue.getJob(sent.key);
      if (dead && (await dead.isFailed())) await dead.remove();
      await submit(sent, shared);
      for (;;) {
        const result = await resultIn(own);
        if (result) return result;
        const job: QueueJob<Queued> | undefined = await queue.getJob(sent.key);
        if (job && (await job.isFailed())) return { error: `${sent.source.path}: ${job.failedReason}` };
        // Done since it was looked for, or lost with a Redis that did not write it down.
        if (!job) {
          const late = await resultIn(own);
          if (late) return late;
          await submit(sent, shared);
        }
        if (signal?.aborted) throw signal.reason;
        await news(sent.key);
      }
    },
    isStopped: () => signal?.aborted ?? false,
    async close() {
      signal?.removeEventListener('abort', stop);
      await events.close();
      await queue.close();
      redis.disconnect();
    },
  };
}

async function resultIn(own: string): Promise<Answer | undefined> {
  const folder = path.join(own, RESULT);
  const text = await readFile(path.join(folder, RECORD), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = resultSchema.safeParse(jsonOf(text));
  return parsed.success ? { folder, result: parsed.data } : { error: `${folder} holds no result of this version.` };
}

/** Puts the files of a job into its folder. */
async function place({ path: picture, mask }: Source, own: string, queued: Queued): Promise<void> {
  await mkdir(own, { recursive: true });
  await placed(picture, path.join(own, PICTURE));
  if (mask !== undefined && queued.mask !== undefined) await placed(mask, path.join(own, MASK));
}

async function placed(from: string, to: string): Promise<void> {
  await rename(await linkTemporary(from, to), to);
}
