/**
 * A run whose pictures are computed by workers: the same journal, names and files as of a run on this machine. Each picture is put into the
 * shared folder and queued under the hash of all that decides its result, so that it is done once in effect, whatever is lost or repeated.
 */
import { hostname } from 'node:os';
import path from 'node:path';
import { readPolicy } from '../../detect/node/policy-files.ts';
import { settingsOf } from '../../detect/policy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256Of, sha256OfContent } from '../../files/node/hash.ts';
import type { PictureList } from '../../images/node/listing.ts';
import type { Job, JobEvent, Outcome, Planned } from '../../jobs/job.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { type PictureItem, pictureItems, supplyOf } from '../../jobs/node/pictures.ts';
import { hashOfData, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import { openModel } from '../../models/node/model-file.ts';
import { RESIDUAL_SCALE } from '../../restore/node/manifest.ts';
import { listSources, type Source } from '../../restore/node/pictures.ts';
import type { DetectOptions, RestoreOptions } from '../../service/options.ts';
import type { Queued } from '../queue-data.ts';
import { type AnyRecord, DETECT, type KindOfRun, RESTORE } from './kinds.ts';
import { modelIdentity } from './models.ts';
import { openShared } from './open-shared.ts';
import { keyOfJob } from './redis.ts';
import { type Answer, openSender, type Sender } from './sender.ts';

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
  /** A folder or a bucket that the workers share. */
  readonly shared: string;
  readonly redis: string;
  /** Jobs of a smaller number are done first; 0, the default, before all others. */
  readonly priority?: number;
  /** Pictures that wait or are computed at a time. */
  readonly inFlight: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Every file of the run is put into this bucket, too: s3://bucket/prefix. */
  readonly upload?: string;
  /** Aborted: what is in hand is finished, where it can be. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent<AnyRecord>) => void;
  /** Further facts for the manifest; they decide nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Of Redis. Default: the one that all share. */
  readonly queue?: string;
}

/** Restores or inspects the pictures of a list by workers. Throws `input` where no Redis answers, and as `restoreFiles`. */
export function sendPictures(options: SendOptions): Promise<Outcome> {
  return options.work.kind === 'restore' ? send(RESTORE, options) : send(DETECT, options);
}

async function send<R extends AnyRecord>(of: KindOfRun<R>, options: SendOptions): Promise<Outcome> {
  const { out, resume, overwrite, work, mask, redis, queue, priority, signal } = options;
  const shared = await openShared(options.shared, 'workers');
  const identity = await modelIdentity(options.generator);
  const model = { name: path.basename(options.generator), identity };
  const described = {
    options: { ...work.options, masked: mask !== undefined },
    generator: { file: options.generator, identity },
  };
  const key = hashOfData(['queue', described]);
  // The same of a run that is resumed: what it waited for is its own.
  const name = sha256OfContent(JSON.stringify([hostname(), path.resolve(out)])).slice(0, 16);
  const sender = await openSender({ redis, queue, priority, shared });
  try {
    const folder = await openRunFolder(out, { ...of, key, resume, overwrite, upload: options.upload });
    try {
      const letters = new Set<string>();
      const job = await queueJob(of, options, model, key, folder, { ...sender, name, letters });
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
      const outcome = await runJob(job, folder, {
        resume,
        signal,
        onEvent: options.onEvent as (event: JobEvent<R>) => void,
        save: (complete) => of.derive(folder, { ...head, complete }),
      });
      // A run that was killed may have had results that it did not remove.
      if (!outcome.interrupted) await shared.releaseAll(name, letters);
      return outcome;
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
  readonly queued: Queued;
  readonly source: Source;
}

interface QueueSender extends Sender {
  /** Who waits for the results. */
  readonly name: string;
  /** Keys of jobs that failed otherwise than by their picture: what they need stays, so that they can be sent again. */
  readonly letters: Set<string>;
}

async function queueJob<R extends AnyRecord>(
  of: KindOfRun<R>,
  { list, work, mask, inFlight, signal, onEvent }: SendOptions,
  model: Queued['model'],
  runKey: string,
  folder: RunFolder<R>,
  sender: QueueSender,
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
  const answerTo = async ({ queued, source }: Sent): Promise<Answer> => {
    const answer = await sender.answer(queued, {
      files: { picture: source.path, mask: source.mask },
      name: sender.name,
      signal,
    });
    if (!('error' in answer)) return answer;
    if (answer.isOfPicture === false) sender.letters.add(keyOfJob(queued));
    return { error: `${source.path}: ${answer.error}` };
  };
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
      return { queued, source };
    },
    async *run(batch, report) {
      let done = 0;
      let isWhole = true;
      const answers = batch.map((sent) =>
        answerTo(sent).finally(() => report(++done / batch.length, path.basename(sent.source.path))),
      );
      // What is awaited later is no unhandled rejection until then.
      for (const answer of answers) answer.catch(() => undefined);
      try {
        for (const answered of answers) {
          const answer = await answered;
          try {
            yield answer;
          } finally {
            await sender.drop(answer);
          }
        }
      } catch (error) {
        // What was sent stays in the queue; the next run takes the results.
        isWhole = false;
        if (!signal?.aborted) throw error;
      } finally {
        // Of those that were not taken, the results are found by the next run.
        for (const { queued } of signal?.aborted || !isWhole ? [] : batch)
          if (!sender.letters.has(keyOfJob(queued)))
            await sender
              .release(queued, sender.name)
              .catch((error) => onEvent?.({ kind: 'warning', message: messageOf(error) }));
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
