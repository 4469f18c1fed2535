/** The folder of an evaluation: trials in `journal.jsonl`, tables that are derived from them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { readJournal } from '../../jobs/node/journal-file.ts';
import { liesIn } from '../../jobs/node/pictures.ts';
import type { EvaluationKind, Results, TrialRecord } from '../record.ts';
import { trialSchema } from '../record-schema.ts';
import { csvOf, markdownOf } from '../tables.ts';

/** The trials of evaluations before there was a journal. */
const OLD_RECORDS = 'records.jsonl';

export const RESULTS = 'results.json';

/** Version of what trials are made by: raised whenever the same settings give other scores. */
export const TRIAL_RULES = 2;

/** Where an evaluation writes pictures, maps and networks. */
const SUBFOLDERS = ['pictures', 'maps', 'learnt'];

/** Files that no evaluation into `folder` wrote: where it lies in the data, its pictures are none of the set. */
export function notOwn<F extends { readonly path: string }>(files: readonly F[], folder: string): F[] {
  return files.filter(({ path: file }) => !SUBFOLDERS.some((name) => liesIn(file, path.join(folder, name))));
}

export type EvaluationFolder = RunFolder<TrialRecord>;

export interface EvaluationFolderOptions {
  /** Take over the trials that are there, of whatever methods and cases. */
  readonly resume?: boolean;
  /** Remove what an earlier evaluation wrote, and start again. */
  readonly overwrite?: boolean;
}

/**
 * Opens and locks the folder. It may hold trials of many settings, each under a key of its own; without `resume` or `overwrite` a
 * folder that holds any is refused, since trials take hours.
 */
export function openEvaluation(
  folder: string,
  kind: EvaluationKind,
  options: EvaluationFolderOptions,
): Promise<EvaluationFolder> {
  return openRunFolder<TrialRecord>(folder, {
    resume: options.resume,
    overwrite: options.overwrite,
    kind: jobKind(kind),
    guarded: true,
    rules: TRIAL_RULES,
    record: trialSchema,
    derived: [RESULTS, 'results.csv', 'results.md', OLD_RECORDS],
    subfolders: SUBFOLDERS,
  });
}

/** How the journal names the kind of an evaluation. */
export function jobKind(kind: EvaluationKind): string {
  return `evaluate ${kind}`;
}

/** The trials in a folder, in their order, those of evaluations before there was a journal too. */
export async function readTrials(folder: string): Promise<TrialRecord[]> {
  const entries = await readJournal(folder, trialSchema);
  if (entries.length > 0) return entries.filter(({ status }) => status === 'done').map(({ record }) => record);
  const text = await readFile(path.join(folder, OLD_RECORDS), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const parsed = trialSchema.safeParse(parsedJson(line));
    return parsed.success ? [parsed.data] : [];
  });
}

function parsedJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** `results.json`, `results.csv`, `results.md`. */
export async function writeResults(folder: EvaluationFolder, results: Results): Promise<void> {
  await folder.derive(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
  await folder.derive('results.csv', csvOf(results));
  await folder.derive('results.md', markdownOf(results));
}

/** A name as a file name: letters, digits and . + = - are kept. */
export function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9.+=-]+/g, '_').slice(0, 80) || '_';
}

/** The beginning of the names of a trial's files. */
export function stemOf(index: number, name: string): string {
  return `${String(index).padStart(4, '0')}-${slug(name.replace(/\.[^.]*$/, ''))}`;
}
