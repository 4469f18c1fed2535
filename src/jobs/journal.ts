/**
 * The journal as text: one entry a line, each a JSON object. A line that is no entry (a torn last one, one that was damaged)
 * is passed over. A torn line never parses: JSON objects have no proper prefix that is one.
 */
import { z } from 'zod';
import type { Entry } from './job.ts';

/** A file inside the run's folder, whatever a journal says: no absolute path, none that climbs. */
const fileSchema = z
  .string()
  .refine((file) => file.length > 0 && !/^([a-z]:|[\\/])|\\|\0/i.test(file) && !file.split('/').includes('..'));

/** SHA-256 in hexadecimal. */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** The files of an item with their hashes. */
export const outputsSchema = z.record(fileSchema, hashSchema);

/** Checks every field of an entry whose record is checked by `record`. */
export function entrySchema<R>(record: z.ZodType<R>): z.ZodType<Entry<R>> {
  return z.object({
    job: z.string(),
    item: z.string(),
    source: z.string(),
    content: z.string(),
    key: z.string(),
    program: z.string(),
    rules: z.number().int().nonnegative(),
    status: z.enum(['done', 'failed']),
    outputs: outputsSchema,
    record,
  }) as unknown as z.ZodType<Entry<R>>;
}

/** The line of an entry, its end included. Numbers that are not finite become null. */
export function encodeEntry<R>(entry: Entry<R>): string {
  return `${JSON.stringify(entry)}\n`;
}

/** Undefined where the line is no entry. */
export function decodeEntry<R>(line: string, schema: z.ZodType<Entry<R>>): Entry<R> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
