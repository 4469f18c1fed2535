/** Parsers of option values: words of a list, numbers in a range, lists. A wrong one says what is right. */
import { InvalidArgumentError, Option } from 'commander';
import { isBucketAddress } from '../files/node/bucket.ts';

/** One of `values`; a near miss is suggested. */
export function oneOf<T extends string>(values: readonly T[]): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found !== undefined) return found;
    const near = nearest(text, values);
    throw new InvalidArgumentError(`${near ? `Did you mean '${near}'? ` : ''}It is one of ${values.join(', ')}.`);
  };
}

/** An option whose value is one of `values`, which its help lists (help.ts). */
export function choice<T extends string>(flags: string, text: string, values: readonly T[], fallback?: T): Option {
  const option = new Option(flags, text).choices(values).argParser(oneOf(values));
  return fallback === undefined ? option : option.default(fallback);
}

export interface NumberRule {
  readonly integer?: boolean;
  readonly above?: number;
  readonly from?: number;
  readonly to?: number;
}

export function numberIn(rule: NumberRule): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const fits =
      Number.isFinite(value) &&
      (!rule.integer || Number.isSafeInteger(value)) &&
      (rule.above === undefined || value > rule.above) &&
      (rule.from === undefined || value >= rule.from) &&
      (rule.to === undefined || value <= rule.to);
    if (fits) return value;
    const bounds = [
      rule.above === undefined ? '' : ` above ${rule.above}`,
      rule.from === undefined ? '' : ` from ${rule.from}${rule.to === undefined ? ' on' : ''}`,
      rule.to === undefined ? '' : ` to ${rule.to}`,
    ];
    throw new InvalidArgumentError(`It is a ${rule.integer ? 'whole ' : ''}number${bounds.join('')}.`);
  };
}

/** A file or a folder of results; it cannot lie in a bucket. */
export function onThisMachine(text: string): string {
  if (!isBucketAddress(text)) return text;
  throw new InvalidArgumentError(
    'Name a place on this machine. Only results of rgi batch go into a bucket, by --upload.',
  );
}

export const count = numberIn({ integer: true, from: 1 });

/** Whole numbers from 1 on, with commas between them. */
export function sizes(text: string): number[] {
  const parts = text.split(',').map((part) => Number(part.trim() || Number.NaN));
  if (parts.every((part) => Number.isSafeInteger(part) && part > 0)) return parts;
  throw new InvalidArgumentError('It is whole numbers from 1 on, with commas between them.');
}

/** A size of memory in bytes: "4GB", "800MB". */
export function bytes(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([GM])B$/i.exec(text.trim()) ?? [];
  const size = Number(number) * (unit?.toUpperCase() === 'G' ? 1e9 : 1e6);
  if (size > 0) return size;
  throw new InvalidArgumentError('It is a size such as 4GB or 800MB.');
}

/** "a,b" and repeated options, one after another. */
export function list(text: string, before: readonly string[] = []): string[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (parts.length === 0) throw new InvalidArgumentError('It must be one name, or several separated by commas.');
  return [...before, ...parts];
}

/** Repeated options, one after another. */
export function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Shorter parts are in many words by chance. */
const MIN_PART = 4;

/** The value that differs least from `text`, if by little; else the only one that contains it. */
export function nearest(text: string, values: readonly string[]): string | undefined {
  const ranked = values
    .map((value) => ({ value, distance: editDistance(text.toLowerCase(), value.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  if (best && best.distance <= Math.max(1, Math.floor(best.value.length / 3))) return best.value;
  const part = text.replace(/^-+/, '').toLowerCase();
  const containing = part.length < MIN_PART ? [] : values.filter((value) => value.toLowerCase().includes(part));
  return containing.length === 1 ? containing[0] : undefined;
}

/** Levenshtein's distance, where two neighbours that changed places count as one change (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}
