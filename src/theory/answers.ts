/** The page's answers: a sentence or two to each question, from the numbers alone. */

import { percent } from '../pages/table.ts';
import { ESTIMATORS } from './estimators.ts';
import type { Errors, PathCell, Point, TuningCell } from './record.ts';
import { bestPoint, lowestOf, meanStanding, spreadOf } from './summary.ts';
import { digits } from './texts.ts';

/** An image counts as recovered below this RMS, in grey levels: the rounding of 8 bits is as large. */
const RECOVERED = 0.5;

const CASE_NAMES: Readonly<Record<string, string>> = {
  block: 'Central block, 25%, N(-1,1)',
  random: 'Random pixels, 49%, N(-1,1)',
  irregular: 'Free-form strokes, 15 to 30%, N(-1,1)',
};

/** A case of the experiment as the page calls it. */
export function caseName(name: string): string {
  return CASE_NAMES[name] ?? name;
}

/** Does the error at the lowest minimum known vanish? */
export function theoremsAnswer(cells: readonly PathCell[]): string {
  const ends = cells.map((cell) => ({ cell, rms: median(lowestOf(lastOf(cell)), rmsOf) }));
  const recovered = ends.filter(({ rms }) => rms < RECOVERED).length;
  const largest = ends.reduce((a, b) => (b.rms > a.rms ? b : a));
  const which =
    recovered === ends.length
      ? `Yes: in all ${ends.length}`
      : `${recovered === 0 ? 'Not down to the last threshold: in none' : `In ${recovered}`} of ${ends.length}`;
  const { cell, rms } = largest;
  return `${which} combinations of corruption and loss the median error at the lowest known minimum ends below half a grey level. The largest is ${digits(rms)} grey levels (${caseName(cell.case)}, ${ESTIMATORS[cell.estimator].label}).`;
}

/** Do the searches end in the minimum next to z*? */
export function searchesAnswer(cells: readonly PathCell[]): string {
  const { trapped: above = 0, elsewhere: beneath = 0 } = meanStanding(cells.map(lastOf)) ?? {};
  return `At the last threshold ${percent(1 - above - beneath)} of the searches ended in the minimum next to z*, or as low. ${percent(above)} ended above it: in a local minimum, or before they had converged. ${percent(beneath)} ended below it: there z* is not the minimum.`;
}

/** Up to which share of corrupted pixels is the image recovered, by the searches and at the lowest known minimum? */
export function fractionAnswer(cells: readonly PathCell[]): string {
  const sorted = byLevel(cells);
  const reach = (errorsOf: (point: Point) => readonly Errors[]) => {
    const broken = sorted.findIndex((cell) => !(median(errorsOf(lastOf(cell)), rmsOf) < RECOVERED));
    const recovered = broken < 0 ? sorted : sorted.slice(0, broken);
    if (recovered.length === 0) {
      const rms = median(errorsOf(lastOf(sorted[0])), rmsOf);
      return `it is ${digits(rms)} grey levels at the smallest share tried, ${percent(levelOf(sorted[0]))}`;
    }
    return `it stays below half a grey level up to ${percent(levelOf(recovered[recovered.length - 1]))}`;
  };
  return `The median error at the last threshold: of the searches, ${reach((point) => point.search)}; at the lowest known minimum, ${reach(lowestOf)}.`;
}

/** What does faint corruption do? */
export function weakAnswer(cells: readonly PathCell[]): string {
  const one = (cell: PathCell) => {
    const { search } = lastOf(cell);
    return `with a standard deviation of ${levelOf(cell)} grey levels the mask misses ${percent(median(search, missesOf))} of the corrupted pixels and the median error is ${digits(median(search, rmsOf))} grey levels`;
  };
  return ends(cells, one);
}

/** What does a picture off the manifold do? */
export function gapAnswer(cells: readonly PathCell[]): string {
  const one = (cell: PathCell) => {
    const best = bestPoint(cell);
    return `with a gap of ${levelOf(cell)} grey levels the least median error is ${digits(median(best.search, rmsOf))}, at the threshold ${best.grey}, where ${percent(median(best.search, falsePositivesOf))} of the intact pixels are masked`;
  };
  return ends(cells, one);
}

/** How well are the given pictures restored? */
export function picturesAnswer(cells: readonly PathCell[]): string {
  const clauses = cells.map((cell) => {
    const best = bestPoint(cell);
    return `${caseName(cell.case)}: ${digits(median(best.search, rmsOf))} grey levels at the threshold ${best.grey}, mask IoU ${digits(median(best.search, iouOf))}`;
  });
  return `The least median errors: ${clauses.join('; ')}.`;
}

/** Which estimator has the least error at its best threshold, in each case? `groups`: the estimators of one case each. */
export function relativesAnswer(groups: readonly (readonly PathCell[])[], count: number): string {
  const clauses = groups.map((cells) => {
    const ranked = cells
      .map((cell) => ({ cell, rms: median(bestPoint(cell, count).search.slice(0, count), rmsOf) }))
      .sort((a, b) => a.rms - b.rms);
    const named = ({ cell, rms }: (typeof ranked)[number]) => `${ESTIMATORS[cell.estimator].label} (${digits(rms)})`;
    return `${caseName(cells[0].case)}: ${named(ranked[0])} is best and ${named(ranked[ranked.length - 1])} worst`;
  });
  return `By the least median error over the thresholds, in grey levels: ${clauses.join('; ')}.`;
}

/** Does tuning the weights lower the error where the picture is intact, and are the corrupted values fitted? */
export function tuningAnswer(cells: readonly TuningCell[]): string {
  const changes = cells
    .filter((cell) => !cell.maskGiven)
    .map(({ points }) => {
      const [first, last] = [points[0], points[points.length - 1]];
      return {
        outside: [median(first.errors, (e) => e.rmsOutside), median(last.errors, (e) => e.rmsOutside)],
        corruption: [medianOf(first.toCorruption), medianOf(last.toCorruption)],
      };
    });
  const falls = (of: (one: (typeof changes)[number]) => readonly number[]) =>
    changes.filter((one) => of(one)[1] < of(one)[0]).length;
  const range = ([from, to]: readonly number[]) => `from ${digits(from)} to ${digits(to)} grey levels`;
  const [first] = changes;
  if (!first) return '';
  return `The median error outside the corruption falls in ${falls((one) => one.outside)} of ${changes.length} settings; in the first ${range(first.outside)}. The distance to the corrupted values, which falls where they are fitted, falls in ${falls((one) => one.corruption)}; in the first it goes ${range(first.corruption)}.`;
}

type Measure = (errors: Errors) => number | null | undefined;

const rmsOf: Measure = (errors) => errors.rms;
const iouOf: Measure = (errors) => errors.mask?.iou;
const missesOf: Measure = (errors) => errors.mask?.misses;
const falsePositivesOf: Measure = (errors) => errors.mask?.falsePositives;

/** The first and the last level, each in a sentence. */
function ends(cells: readonly PathCell[], sentence: (cell: PathCell) => string): string {
  const sorted = byLevel(cells);
  const chosen = sorted.length > 1 ? [sorted[0], sorted[sorted.length - 1]] : sorted;
  return chosen.map((cell) => `${capital(sentence(cell))}.`).join(' ');
}

function byLevel(cells: readonly PathCell[]): PathCell[] {
  return [...cells].sort((a, b) => levelOf(a) - levelOf(b));
}

function levelOf({ level }: PathCell): number {
  return level ?? 0;
}

function lastOf({ points }: PathCell): Point {
  return points[points.length - 1];
}

function median(errors: readonly Errors[], measure: Measure): number {
  return medianOf(errors.map(measure));
}

function medianOf(values: readonly (number | null | undefined)[]): number {
  return spreadOf(values)?.median ?? Number.NaN;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
