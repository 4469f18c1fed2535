/** Inspected pictures: their verdicts under the limit that is set now, counts, order, and the histogram of their scores. */
import { verdictOf as verdictOfScore } from '../../../detect/verdict.ts';
import type { InspectResult, Picture, Plane } from '../../engine.ts';

/** A region as shares of the picture's width and height. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly score: number;
}

/** What is kept of a result: the file is read again where more of it is looked at. */
export interface Inspected {
  readonly score: number;
  readonly limit: number;
  readonly regions: readonly Region[];
  /** Of the size of the thumbnail. */
  readonly map: Plane;
  readonly seconds: number;
}

/** What the user says of a picture. */
export type Decision = 'defective' | 'good';

export interface InspectItem {
  readonly id: number;
  readonly name: string;
  readonly file: File;
  readonly phase: 'waiting' | 'running' | 'done' | 'failed';
  readonly failure: string;
  readonly thumbnail?: Picture;
  readonly result?: Inspected;
  readonly decision?: Decision;
}

/** 'marked': has regions, and its score is not above the limit. */
export type Verdict = 'defective' | 'marked' | 'good' | 'open' | 'failed';

/** The user's word before the score's. */
export function verdictOf({ phase, result, decision }: InspectItem, limit: number | undefined): Verdict {
  if (phase === 'failed') return 'failed';
  if (decision) return decision;
  if (!result) return 'open';
  return verdictOfScore(result.score > (limit ?? result.limit), result.regions.length);
}

export function countsOf(items: readonly InspectItem[], limit: number | undefined): Readonly<Record<Verdict, number>> {
  const counts = { defective: 0, marked: 0, good: 0, open: 0, failed: 0 };
  for (const item of items) counts[verdictOf(item, limit)]++;
  return counts;
}

/** The highest score first; what has none yet comes last, in its own order. */
export function byScore(items: readonly InspectItem[]): readonly InspectItem[] {
  return [...items].sort((a, b) => (b.result?.score ?? -Infinity) - (a.result?.score ?? -Infinity));
}

/** Counts of good and inspected scores in bins of equal ratio: a defect may score a hundred times what a good picture does. */
export interface Histogram {
  /** Position of a score, 0 to 1. */
  positionOf(score: number): number;
  /** The score at a position. */
  scoreAt(position: number): number;
  readonly good: readonly number[];
  readonly inspected: readonly number[];
  /** Of all bins. */
  readonly highest: number;
}

/** @param limit Lies on the axis too. Scores that are not positive are counted in the first bin. */
export function histogramOf(
  good: readonly number[],
  inspected: readonly number[],
  limit: number,
  bins: number,
): Histogram {
  const positive = [...good, ...inspected, limit].filter((score) => score > 0);
  const low = positive.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) / 1.1;
  const high = positive.reduce((most, score) => Math.max(most, score), 0) * 1.1;
  const range = Math.log(high / low) || 1;
  const positionOf = (score: number) => (score > low ? Math.min(1, Math.log(score / low) / range) : 0);
  const count = (scores: readonly number[]) => {
    const counts = new Array<number>(bins).fill(0);
    for (const score of scores) counts[Math.min(bins - 1, Math.floor(positionOf(score) * bins))]++;
    return counts;
  };
  const [goodCounts, inspectedCounts] = [count(good), count(inspected)];
  return {
    positionOf,
    scoreAt: (position) => low * Math.exp(position * range),
    good: goodCounts,
    inspected: inspectedCounts,
    highest: Math.max(1, ...goodCounts, ...inspectedCounts),
  };
}

/** Share of the good pictures that a limit would call defective; undefined where none is known. */
export function falseAlarms(good: readonly number[], limit: number): number | undefined {
  return good.length === 0 ? undefined : good.filter((score) => score > limit).length / good.length;
}

/** What is kept of an answer, its map brought to the size of the thumbnail. */
export function inspectedOf(
  { score, limit, regions, seconds }: InspectResult,
  map: Plane,
  { width, height }: { readonly width: number; readonly height: number },
): Inspected {
  const shares = regions.map((region) => ({
    x: region.x / width,
    y: region.y / height,
    width: region.width / width,
    height: region.height / height,
    score: region.score,
  }));
  return { score, limit, regions: shares, map, seconds };
}
