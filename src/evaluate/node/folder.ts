/** The folder of an evaluation: trials in `journal.jsonl`, tables that are derived from them. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { removeLeftovers } from '../../images/node/write.ts';
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
const NETWORKS = 'learnt';
const SUBFOLDERS = ['pictures', 'maps', NETWORKS];

/** Files that no evaluation into `folder` wrote: where it lies in the data, its pictures are none of the set. */
export function notOwn<F extends { readonly path: string }>(files: readonly F[], folder: string): F[] {
  return files.filter(({ path: file }) => !SUBFOLDERS.some((name) => liesIn(file, path.join(folder, name))));
}

/** Digits of a key in a file's name: of a thousand trials, two share them with a probability of 0.01%. */
const KEY_DIGITS = 8;

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
export async function openEvaluation(
  folder: string,
  kind: EvaluationKind,
  options: EvaluationFolderOptions,
): Promise<EvaluationFolder> {
  const opened = await openRunFolder<TrialRecord>(folder, {
    resume: options.resume,
    overwrite: options.overwrite,
    kind: jobKind(kind),
    guarded: true,
    rules: TRIAL_RULES,
    record: trialSchema,
    derived: [RESULTS, 'results.csv', 'results.md', OLD_RECORDS],
  });
  try {
    // What a killed process left: the lock is ours.
    await removeLeftovers(path.join(folder, NETWORKS), () => true);
    if (options.overwrite) await removeLearnt(folder);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Where what a method has learnt lies, relative to the folder. */
export const LEARNT = { networks: 'learnt', maps: 'maps', threshold: 'calibration.json' } as const;

/** The names of trained networks and their checksums: METHOD-KEY.onnx, METHOD-KEY.onnx.sha256. */
const LEARNT_NAME = /-[0-9a-f]{20}\.onnx(\.sha256)?$/;

/** Removes what methods have learnt: unlike trials, it stands in no journal. */
async function removeLearnt(folder: string): Promise<void> {
  const networks = path.join(folder, LEARNT.networks);
  for (const name of await readdir(networks).catch(() => []))
    if (LEARNT_NAME.test(name)) await rm(path.join(networks, name), { force: true });
  const maps = path.join(folder, LEARNT.maps);
  for (const name of await readdir(maps).catch(() => []))
    await rm(path.join(maps, name, LEARNT.threshold), { force: true });
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

/**
 * The beginning of the names of a trial's files. `key` is the hash of what the files depend on: one folder may hold trials of several sets
 * with equal picture names, and of one method with several settings.
 */
export function stemOf(index: number, name: string, key: string): string {
  return `${String(index).padStart(4, '0')}-${slug(name.replace(/\.[^.]*$/, ''))}-${key.slice(0, KEY_DIGITS)}`;
}
