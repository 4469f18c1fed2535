/** What is said of many pictures: medians and quartiles of an error; how far the search is from the lowest minimum known. */
import { quantile } from '../evaluate/statistics.ts';
import type { Errors, Point } from './record.ts';

export interface Spread {
  readonly n: number;
  readonly median: number;
  /** Lower and upper quartile. */
  readonly low: number;
  readonly high: number;
}

/** Undefined where there is no number. */
export function spreadOf(values: readonly (number | null | undefined)[]): Spread | undefined {
  const sorted = values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const at = (p: number) => quantile(sorted, p);
  return { n: sorted.length, median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Two objectives closer than this share count as equal. */
const EQUAL = 1e-3;

/** Per picture the lower of two minima: where the search ended, and where the descent from z* did. What the theorems speak of. */
export function lowestOf({ search, truth }: Point): readonly Errors[] {
  if (!truth) return search;
  return search.map((errors, i) => (truth[i].objective <= errors.objective ? truth[i] : errors));
}

export interface Standing {
  /** Share of the pictures whose search ended above the minimum next to z*: not global. */
  readonly trapped: number;
  /** Share whose search ended below it: z* is not where the objective is least. */
  readonly elsewhere: number;
}

/** Undefined where no search began at z*. */
export function standingOf({ search, truth }: Point): Standing | undefined {
  if (!truth) return undefined;
  const share = (test: (a: number, b: number) => boolean) =>
    search.filter((errors, i) => test(errors.objective, truth[i].objective)).length / search.length;
  const above = (a: number, b: number) => a > b + EQUAL * Math.abs(b) + 1e-6;
  return { trapped: share(above), elsewhere: share((a, b) => above(b, a)) };
}
