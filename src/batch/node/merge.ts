/**
 * Results of several runs of the same settings (the shards of a list) as one: a run whose items are the entries of their journals, and
 * whose files are theirs.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { RgiError } from '../../errors.ts';
import { readLines } from '../../files/node/lines.ts';
import type { Entry, Job, JobEvent, Outcome } from '../../jobs/job.ts';
import { jsonOf } from '../../jobs/json.ts';
import { openRunFolder } from '../../jobs/node/folder.ts';
import {
  type EntryHead,
  JOURNAL,
  type JournalFile,
  MAX_LINE_BYTES,
  openJournal,
} from '../../jobs/node/journal-file.ts';
import { confirmOutputs } from '../../jobs/node/outputs.ts';
import { runJob } from '../../jobs/run.ts';
import { MANIFEST } from '../../restore/node/manifest.ts';
import { type AnyRecord, DETECT, type Head, type Kind, type KindOfRun, RESTORE } from './kinds.ts';

export interface MergeOptions {
  /** The `--out` of each run. */
  readonly folders: readonly string[];
  /** The folder of the merged results; made where it is not there. */
  readonly out: string;
  /** Go on with an interrupted merge. */
  readonly resume?: boolean;
  /** Remove what an earlier merge wrote, and start again. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent<AnyRecord>) => void;
}

export interface MergeResult extends Outcome {
  readonly kind: Kind;
  /** Folders of runs that were not finished. */
  readonly unfinished: readonly string[];
}

/**
 * Merges runs: their files under their names (as links to the same bytes, where the file system has such), one journal, one manifest with its
 * tables. What failed in a run is failed in the merged one. The runs themselves stay as they are.
 *
 * @throws RgiError `usage` where the folders do not hold runs of one kind, settings and version, or hold different pictures of one name.
 */
export async function mergeRuns(options: MergeOptions): Promise<MergeResult> {
  const kinds = await Promise.all(options.folders.map(kindIn));
  const first = kinds.findIndex((one) => one !== undefined);
  const [kind, base] = [kinds[first], options.folders[first]];
  if (kind === undefined)
    throw new RgiError('usage', `None of ${options.folders.join(', ')} has results; name the --out of runs.`, {
      file: options.folders[0],
    });
  const other = kinds.findIndex((one) => one !== undefined && one !== kind);
  if (other >= 0)
    throw new RgiError(
      'usage',
      `${base} holds results of 'rgi ${kind}' and ${options.folders[other]} of 'rgi ${kinds[other]}'; merge runs of one kind.`,
      { file: options.folders[other] },
    );
  return kind === 'restore' ? merge(RESTORE, options) : merge(DETECT, options);
}

const anyJob = z.object({ job: z.string() });

/** The kind of run whose journal a folder has; undefined of one without an entry: no picture fell into that part. */
async function kindIn(folder: string): Promise<Kind | undefined> {
  const file = path.join(folder, JOURNAL);
  if (!(await stat(file).catch(() => undefined)))
    throw new RgiError(
      'usage',
      `${folder} holds no run of 'rgi restore' or 'rgi detect'; name the --out of such runs.`,
      {
        file: folder,
      },
    );
  let isEmpty = true;
  for await (const { text } of readLines(file, MAX_LINE_BYTES)) {
    isEmpty = false;
    const job = anyJob.safeParse(jsonOf(text ?? '')).data?.job;
    if (job === 'restore' || job === 'detect') return job;
  }
  if (isEmpty) return undefined;
  throw new RgiError('usage', `${file} has no results of 'rgi restore' or 'rgi detect'; name the --out of such runs.`, {
    file,
  });
}

interface Run<R> {
  readonly folder: string;
  readonly journal: JournalFile<R>;
  readonly head: Head;
}

async function merge<R extends AnyRecord>(of: KindOfRun<R>, options: MergeOptions): Promise<MergeResult> {
  const runs: Run<R>[] = [];
  try {
    for (const folder of options.folders) {
      const head = await manifestHead(path.join(folder, MANIFEST));
      runs.push({ folder, head, journal: await openJournal(folder, of.kind, of.record) });
    }
    const first = await checkedHead(runs);
    const { out, resume, overwrite } = options;
    const folder = await openRunFolder(out, { ...of, key: first.key, rules: first.rules, resume, overwrite });
    try {
      const unfinished = runs.filter(({ head }) => head.complete !== true).map((run) => run.folder);
      const outcome = await runJob(mergeJob(of.kind, runs, first), folder, {
        resume,
        signal: options.signal,
        onEvent: options.onEvent as (event: JobEvent<R>) => void,
        save: (complete) =>
          of.derive(folder, {
            ...runs[0].head,
            complete: complete && unfinished.length === 0,
            merged: runs.map((run) => ({ folder: run.folder, pictures: run.journal.size })),
          }),
      });
      return { ...outcome, kind: of.kind, unfinished };
    } finally {
      await folder.close();
    }
  } finally {
    for (const { journal } of runs) await journal.close();
  }
}

/** What all entries of all runs share; pictures of one name have one content. */
async function checkedHead<R>(runs: readonly Run<R>[]): Promise<EntryHead> {
  const owners = new Map<string, { readonly folder: string; readonly content: string }>();
  let first: EntryHead | undefined;
  const [{ folder: base }] = runs;
  for (const { folder, journal } of runs) {
    for await (const head of journal.heads()) {
      first ??= head;
      const refuse = (what: string) => {
        throw new RgiError(
          'usage',
          `${folder} holds results of ${what}; merge runs of the same settings and version.`,
          {
            file: folder,
          },
        );
      };
      if (head.key !== first.key) refuse(`other settings or networks than ${base}`);
      if (head.program !== first.program || head.rules !== first.rules)
        refuse(`another version (rgi ${head.program}, rules ${head.rules}) than ${base}`);
      const owner = owners.get(head.item);
      if (owner && owner.content !== head.content)
        throw new RgiError(
          'usage',
          `${owner.folder} and ${folder} hold different pictures of the name ${head.item}; merge the parts of one list.`,
          { file: folder },
        );
      owners.set(head.item, { folder, content: head.content });
    }
  }
  const different = runs.find(({ head }) => head.key !== first?.key);
  if (!first || different)
    throw new RgiError(
      'usage',
      `The manifest of ${different?.folder ?? base} is not of the settings of the results; finish the run with --resume first.`,
      { file: different?.folder ?? base },
    );
  return first;
}

/** The manifest without its list of pictures, which may be of any length. */
async function manifestHead(file: string): Promise<Head> {
  let text = '';
  for await (const line of readLines(file, MAX_LINE_BYTES)) {
    // As `jsonDocument` writes it: the list is last.
    if (/^ {2}"images": \[/.test(line.text ?? '')) {
      text = `${text.trimEnd().replace(/,$/, '')}}`;
      break;
    }
    text += `${line.text}\n`;
  }
  const head = z.record(z.string(), z.unknown()).safeParse(jsonOf(text));
  if (head.success) return head.data;
  throw new RgiError('input', `${file} is no manifest; finish the run with --resume first.`, { file });
}

interface Item<R> {
  readonly folder: string;
  readonly entry: Entry<R>;
}

function mergeJob<R extends AnyRecord>(
  kind: Kind,
  runs: readonly Run<R>[],
  { key, rules }: EntryHead,
): Job<Item<R>, Item<R>, Item<R>, R> {
  return {
    kind,
    key,
    rules,
    async *items() {
      let left = runs.reduce((sum, { journal }) => sum + journal.size, 0);
      const seen = new Set<string>();
      for (const { folder, journal } of runs) {
        for await (const entry of journal.entries()) {
          left--;
          const { item: name, source, content } = entry;
          // Of the same content, or `checkedHead` had refused it.
          if (seen.has(name)) continue;
          seen.add(name);
          const error =
            entry.status === 'failed' ? new RgiError('input', entry.record.message ?? `${name} failed.`) : undefined;
          yield { name, source, content, left, item: { folder, entry }, error };
        }
      }
    },
    batch: 1,
    even: false,
    together: false,
    alone: false,
    async load({ item }) {
      if (await confirmOutputs(item.folder, item.entry.outputs)) return item;
      throw new RgiError(
        'input',
        `The files of ${item.entry.item} in ${item.folder} are not those that were written; run it again with --resume.`,
        { file: item.folder },
      );
    },
    async *run(batch) {
      yield* batch;
    },
    async write(outputs, _, { folder, entry }) {
      for (const [file, sha256] of Object.entries(entry.outputs))
        await outputs.putFile(file, path.join(folder, file), sha256);
      return { status: 'done', record: entry.record };
    },
    failed: ({ item: { entry } }, message) =>
      entry.status === 'failed'
        ? entry.record
        : ({ name: entry.item, path: entry.record.path, status: 'failed', message } as R),
  };
}
