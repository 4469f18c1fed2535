/**
 * Pictures of the training folder that are left out, because they look defective (`--contaminated`) or because a list says so
 * (`--without`): which they are, and the list and the sheet by which a person confirms them.
 */
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { batchOf, type Dataset } from '../../datasets/dataset.ts';
import { fileError, messageOf, RgiError } from '../../errors.ts';
import { featureChannels } from '../../features/extraction.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { SCREENING_GRID, type ScreeningHooks, screenPictures } from '../../features/screening.ts';
import { readRegular } from '../../files/node/regular.ts';
import { encodePng, writeFileAtomic } from '../../images/node/write.ts';
import { csvText } from '../../jobs/document.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ShownSuspect } from '../page.ts';
import { dataUrl } from './files.ts';

/** What decides which pictures are left out. */
export type LeaveOut =
  | { readonly by: 'screening'; readonly network: FeatureNetwork }
  | { readonly by: 'list'; readonly file: string };

/** A list of pictures has this size at most. */
const MAX_LIST_BYTES = 2 ** 26;

/** Feature values of all pictures that are screened together, which are held in memory: half a gigabyte; and of one position. */
const MAX_VALUES = 2 ** 27;
const MAX_CHANNELS = 512;

const rowSchema = z.looseObject({ name: z.string().min(1), defective: z.string().optional() });

/** What is left out. */
export interface Suspects {
  /** Of each picture of the folder. */
  readonly isOut: readonly boolean[];
  /** Where they were screened: all pictures with their scores, the highest first, as CSV; and those that a person should look at. */
  readonly screened?: { readonly csv: string; readonly shown: readonly ShownSuspect[] };
}

/**
 * Which pictures of a folder are left out. Throws `RgiError('usage')` where those to be screened are more than can be held, `input`
 * where a list cannot be read or names a picture that is not there.
 */
export async function suspectsOf(
  by: LeaveOut,
  dataset: Dataset,
  runtime: Runtime,
  hooks: ScreeningHooks,
): Promise<Suspects> {
  if (by.by === 'list') return { isOut: await listed(by.file, dataset) };
  const { pictures } = dataset;
  checkSize(pictures.length, featureChannels(by.network));
  const each = Array.from(pictures, (_, i) => batchOf(dataset, [i]));
  const { scores, suspects } = await screenPictures(each, by.network, runtime, {}, hooks);
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
  const csv = csvText([
    ['name', 'score', 'defective'],
    ...order.map((i) => [pictures[i].name, scores[i].toPrecision(5), suspects[i] ? 'yes' : 'no']),
  ]);
  const isShown = order.slice(0, Math.min(MAX_SHOWN, suspects.filter(Boolean).length + BEYOND));
  const shown: ShownSuspect[] = [];
  for (const i of isShown)
    shown.push({
      name: pictures[i].name,
      score: scores[i],
      isOut: suspects[i],
      source: dataUrl(await encodePng(each[i])),
    });
  return { isOut: suspects, screened: { csv, shown } };
}

function checkSize(pictures: number, channels: number): void {
  if (channels > MAX_CHANNELS)
    throw new RgiError(
      'usage',
      `--contaminated compares up to ${MAX_CHANNELS} features at each position, and the network has ${channels}: name fewer layers with --feature-layers.`,
    );
  const most = Math.floor(MAX_VALUES / (channels * SCREENING_GRID ** 2));
  if (pictures > most)
    throw new RgiError(
      'usage',
      `--contaminated compares up to ${most} pictures with these features, and there are ${pictures}: give --limit ${most}.`,
    );
}

/** Pictures on the page: the suspect ones and some that are nearly so. */
const MAX_SHOWN = 60;
const BEYOND = 8;

/**
 * Which pictures a list names: CSV with a column `name`, and `defective` (yes or no) where it lists others, too. Throws `RgiError('input')` where
 * the file is no such list, or names a picture that is not there.
 */
async function listed(file: string, { pictures }: Dataset): Promise<readonly boolean[]> {
  const rows = await readList(file);
  const names = new Set(pictures.map(({ name }) => name));
  const out = new Set<string>();
  for (const row of rows) {
    const parsed = rowSchema.safeParse(row);
    if (!parsed.success)
      throw fileError(file, 'format', `${file} has no column 'name': its first line must be name, or name,defective.`);
    const { defective = 'yes' } = parsed.data;
    if (!/^(yes|no)$/i.test(defective))
      throw fileError(
        file,
        'values',
        `${file} says '${defective}' of ${parsed.data.name}: defective must be yes or no.`,
      );
    if (/^no$/i.test(defective)) continue;
    const name = nameIn(parsed.data.name, names);
    if (!names.has(name))
      throw fileError(file, 'values', `${file} names '${name}', which is not among the ${pictures.length} pictures.`);
    out.add(name);
  }
  return pictures.map(({ name }) => out.has(name));
}

/** `csvText` writes a quote before what a spreadsheet would take for a formula. */
function nameIn(cell: string, names: ReadonlySet<string>): string {
  return !names.has(cell) && cell.startsWith("'") ? cell.slice(1) : cell;
}

async function readList(file: string): Promise<readonly unknown[]> {
  const bytes = await readRegular(file, MAX_LIST_BYTES);
  try {
    return parse(Buffer.from(bytes), { bom: true, columns: true, skip_empty_lines: true });
  } catch (error) {
    throw fileError(file, 'format', `${file} cannot be read as CSV (${messageOf(error)}).`, error);
  }
}

/** Writes the list. A person may have corrected an earlier one: it is kept beside it. */
export async function writeSuspects(folder: string, csv: string): Promise<string> {
  const file = path.join(folder, 'suspects.csv');
  await rename(file, path.join(folder, 'suspects.previous.csv')).catch(() => undefined);
  await writeFileAtomic(file, csv);
  return file;
}
