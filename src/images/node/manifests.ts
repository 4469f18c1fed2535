/** Manifests: lists of pictures as CSV with a header, or as JSON lines; read row by row, however long. */
import path from 'node:path';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';
import { fileError, messageOf, RgiError } from '../../errors.ts';
import { readLines } from '../../files/node/lines.ts';
import { openRegular } from '../../files/node/regular.ts';

/** A row of a manifest; other columns are not read. */
export interface ManifestRow {
  readonly path: string;
  readonly name?: string;
  readonly mask?: string;
  readonly keep?: string;
  readonly hide?: string;
}

/** A row with its number, or why it is none. */
export type Row =
  | { readonly number: number; readonly row: ManifestRow }
  | { readonly number: number; readonly error: RgiError };

type RowWithColumns = Row & { readonly columns: readonly string[] };

const text = z
  .string()
  .max(4096)
  .refine((value) => !value.includes('\0'), 'a path without NUL');
const optional = z.preprocess((value) => (value === '' || value === null ? undefined : value), text.optional());
const rowSchema = z.object({
  path: text.min(1),
  name: optional,
  mask: optional,
  keep: optional,
  hide: optional,
});

const MAX_ROW_BYTES = 2 ** 16;

/** The columns that are read. */
export const COLUMNS: readonly string[] = Object.keys(rowSchema.shape);

/** Columns that are not read: of CSV those of its header, of JSON lines those of the first object. */
export async function otherColumns(file: string): Promise<string[]> {
  for await (const { columns } of manifestRows(file)) return columns.filter((column) => !COLUMNS.includes(column));
  return [];
}

/** Is a file a manifest, by its name? */
export function isManifestName(file: string): boolean {
  return /\.(csv|jsonl|ndjson)$/i.test(file);
}

/** Throws `input` where the file cannot be read as a whole; a row that is none is given with the reason. */
export function manifestRows(file: string): AsyncGenerator<RowWithColumns> {
  return path.extname(file).toLowerCase() === '.csv' ? csvRows(file) : jsonRows(file);
}

async function* csvRows(file: string): AsyncGenerator<RowWithColumns> {
  const handle = await openRegular(file);
  const parser = parse({
    bom: true,
    columns: (header: string[]) => header.map((name) => name.trim().toLowerCase()),
    info: true,
    max_record_size: MAX_ROW_BYTES,
    // Found by the first line, they would swallow rows of a file that mixes them.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    trim: true,
  });
  // The stream closes the file at its end.
  const stream = handle.createReadStream();
  stream.on('error', (error) => parser.destroy(error));
  let hasPath = false;
  try {
    for await (const { record, info } of stream.pipe(parser)) {
      hasPath ||= 'path' in record;
      if (!hasPath)
        throw fileError(
          file,
          'format',
          `${file} has no column 'path': its first line names the columns, such as path,name.`,
        );
      yield { ...rowOf(file, info.lines, record), columns: Object.keys(record) };
    }
  } catch (error) {
    if (error instanceof RgiError) throw error;
    const reason = error instanceof CsvError ? 'format' : 'unreadable';
    throw fileError(file, reason, `${file} cannot be read as CSV (${messageOf(error)}).`, error);
  } finally {
    stream.destroy();
  }
}

async function* jsonRows(file: string): AsyncGenerator<RowWithColumns> {
  let number = 0;
  for await (const line of readLines(file, MAX_ROW_BYTES)) {
    number++;
    if (line.text?.trim() === '') continue;
    const value = parsed(line.text);
    yield { ...rowOf(file, number, value), columns: Object.keys(value ?? {}) };
  }
}

/** Undefined where it is no JSON. */
function parsed(line: string | undefined): unknown {
  try {
    const value: unknown = JSON.parse(line ?? '');
    return typeof value === 'string' ? { path: value } : value;
  } catch {
    return undefined;
  }
}

function rowOf(file: string, number: number, value: unknown): Row {
  const result = rowSchema.safeParse(value);
  if (result.success) return { number, row: result.data };
  const [issue] = result.error.issues;
  const [column] = issue.path;
  const isMissing = column === undefined || !(String(column) in (value as object));
  const what = isMissing
    ? `names no picture: write an object with a path, such as {"path":"a.png"}, or the path alone in quotes.`
    : `cannot be used: its '${String(column)}' must be a text that is not empty.`;
  return { number, error: fileError(file, 'format', `${file}, row ${number}, ${what}`) };
}
