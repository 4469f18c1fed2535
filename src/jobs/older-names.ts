/** Records that earlier versions wrote, read under the member names of today. */
import { z } from 'zod';

/** Old member name -> the name it has now. */
export type Renames = Readonly<Record<string, string>>;

/** A record that says whether the method was given the true mask: once `told`. */
export const MASK_GIVEN: Renames = { told: 'maskGiven' };

/** `schema`, which also takes objects with the old names. A member under its present name wins over one under its old name. */
export function readingOlder<S extends z.ZodType>(schema: S, renames: Renames): z.ZodType<z.output<S>> {
  return z.preprocess((value) => renamed(value, renames), schema) as unknown as z.ZodType<z.output<S>>;
}

function renamed(value: unknown, renames: Renames): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const old = Object.entries(value).filter(([name]) => Object.hasOwn(renames, name));
  if (old.length === 0) return value;
  const rest = Object.entries(value).filter(([name]) => !Object.hasOwn(renames, name));
  return { ...Object.fromEntries(old.map(([name, member]) => [renames[name], member])), ...Object.fromEntries(rest) };
}
