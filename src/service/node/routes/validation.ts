/** Requests checked by the schemas; what does not fit is a 400 that names each field. */
import type { z } from '@hono/zod-openapi';
import { HttpError } from '../../problem.ts';

/** The value as the schema reads it. */
export function validated<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.slice(0, 20).map(({ path, message, code, ...more }) => ({
    field: path.join('.') || ('keys' in more ? String(more.keys).slice(0, 100) : ''),
    message: code === 'unrecognized_keys' ? 'There is no such option.' : message,
  }));
  const [{ field, message }] = errors;
  throw new HttpError(400, `${field ? `'${field}': ` : ''}${message}`, { errors });
}

/** Values by name; one that is given twice is refused. */
export function queryOf(url: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(values, name)) throw new HttpError(400, `The option '${name.slice(0, 100)}' is given twice.`);
    values[name] = value;
  }
  return values;
}
