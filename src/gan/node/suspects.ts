/**
 * Pictures of the training folder that are left out, because they look defective (`--contaminated`) or because a list says so
 * (`--without`): which they are, and the list and the sheet by which a person confirms them.
 */
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { batchOf, type Dataset } from '../../datasets/dataset.ts';
import { fileError, messageOf, RgiError } from '../../errors.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { type ScreeningHooks, screenPictures } from '../../features/screening.ts';
import { readRegular } from '../../files/node/regular.ts';
import { type Image, imageAt } from '../../images/image.ts';
import { encodePng } from '../../images/node/write.ts';
import { csvText } from '../../jobs/document.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ShownSuspect } from '../page.ts';

/** What decides which pictures are left out. */
export type LeaveOut =
  | { readonly by: 'screening'; readonly network: FeatureNetwork }
  | { readonly by: 'list'; readonly file: string };

/** A list of pictures has this size at most. */
const MAX_LIST_BYTES = 2 ** 26;

/** The feature maps of all pictures that are screened are held in memory: half a gigabyte. */
const MAX_SCREENED = 4096;

const YES = /^(yes|y|true|1)$/i;
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
  if (pictures.length > MAX_SCREENED)
    throw new RgiError(
      'usage',
      `--contaminated compares up to ${MAX_SCREENED} pictures, and there are ${pictures.length}: give --limit ${MAX_SCREENED}.`,
    );
  const images = batchOf(dataset, [...pictures.keys()]);
  const each = Array.from(pictures, (_, i) => imageAt(images, i));
  const { scores, suspects } = await screenPictures(each, by.network, runtime, {}, hooks);
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
  const csv = csvText([
    ['name', 'score', 'defective'],
    ...order.map((i) => [pictures[i].name, scores[i].toPrecision(5), suspects[i] ? 'yes' : 'no']),
  ]);
  const isShown = order.slice(0, Math.min(MAX_SHOWN, suspects.filter(Boolean).length + BEYOND));
  const shown: ShownSuspect[] = [];
  for (const i of isShown)
    shown.push({ name: pictures[i].name, score: scores[i], isOut: suspects[i], source: await dataUrlOf(each[i]) });
  return { isOut: suspects, screened: { csv, shown } };
}

/** Pictures on the page: the suspect ones and some that are nearly so. */
const MAX_SHOWN = 60;
const BEYOND = 8;

async function dataUrlOf(image: Image): Promise<string> {
  return `data:image/png;base64,${Buffer.from(await encodePng(image)).toString('base64')}`;
}

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
    const { name, defective } = parsed.data;
    if (defective !== undefined && !YES.test(defective)) continue;
    if (!names.has(name))
      throw fileError(file, 'values', `${file} names '${name}', which is not among the ${pictures.length} pictures.`);
    out.add(name);
  }
  return pictures.map(({ name }) => out.has(name));
}

async function readList(file: string): Promise<readonly unknown[]> {
  const bytes = await readRegular(file, MAX_LIST_BYTES);
  try {
    return parse(Buffer.from(bytes), { bom: true, columns: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw fileError(file, 'format', `${file} cannot be read as CSV (${messageOf(error)}).`, error);
  }
}

/** Where the list is written. */
export function suspectsFile(folder: string): string {
  return path.join(folder, 'suspects.csv');
}
