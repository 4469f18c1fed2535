/** What is said of many pictures: medians and quartiles of an error; how far the search is from the lowest minimum known. */
import { quantile } from '../arrays/sort.ts';
import type { Errors, PathCell, Point } from './record.ts';

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

/** Two searches whose errors differ by more than this, in grey levels, ended in different minima. */
const APART = 0.5;

/** Per picture the lower of two minima: where the search ended, and where the descent from z* did. What the theorems speak of. */
export function lowestOf({ search, truth }: Point): readonly Errors[] {
  if (!truth) return search;
  return search.map((errors, i) => (truth[i].objective <= errors.objective ? truth[i] : errors));
}

export interface Standing {
  /** Share of the pictures whose search ended elsewhere than the descent from z*, and higher: in a local minimum, or in a
   * flat valley that was not followed to its end. */
  readonly trapped: number;
  /** Share whose search ended elsewhere and lower: z* is not where the objective is least. */
  readonly elsewhere: number;
}

/** Undefined where no search began at z*. */
export function standingOf({ search, truth }: Point): Standing | undefined {
  if (!truth) return undefined;
  const apart = search.map((errors, i) =>
    Math.abs(errors.rms - truth[i].rms) > APART ? Math.sign(errors.objective - truth[i].objective) : 0,
  );
  const share = (sign: number) => apart.filter((one) => one === sign).length / apart.length;
  return { trapped: share(1), elsewhere: share(-1) };
}

/** The mean over several points; undefined where no search began at z*. */
export function meanStanding(points: readonly Point[]): Standing | undefined {
  const standings = points.flatMap((point) => standingOf(point) ?? []);
  if (standings.length === 0) return undefined;
  const mean = (of: (one: Standing) => number) => standings.reduce((sum, one) => sum + of(one), 0) / standings.length;
  return { trapped: mean((one) => one.trapped), elsewhere: mean((one) => one.elsewhere) };
}

/** The threshold at which the median error of the image is least, of the first `count` pictures. */
export function bestPoint({ points }: PathCell, count?: number): Point {
  const median = ({ search }: Point) =>
    spreadOf(search.slice(0, count).map((errors) => errors.rms))?.median ?? Number.POSITIVE_INFINITY;
  return points.reduce((best, point) => (median(point) < median(best) ? point : best));
}
